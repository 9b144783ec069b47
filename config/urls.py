from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path(settings.ADMIN_PATH, admin.site.urls),
    path("", include("competition.urls")),
]

handler404 = "competition.views.errors.not_found"
handler500 = "competition.views.errors.broken"
