"""The addresses of the site without the admin, for hosts that do not lead to it."""

from config.urls import handler404, handler500, public_patterns

urlpatterns = public_patterns

__all__ = ["handler404", "handler500", "urlpatterns"]
