from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from competition.api.v1 import api

admin.autodiscover()

public_patterns = [
    path("favicon.ico", RedirectView.as_view(url=static("icon.svg"))),  # asked for by browsers on pages without a head
    path("api/v1/", api.urls),
    path("", include("competition.urls")),
]
urlpatterns = [path(settings.ADMIN_PATH, admin.site.urls), *public_patterns]

handler404 = "competition.views.errors.not_found"
handler500 = "competition.views.errors.broken"
