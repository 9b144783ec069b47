import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("PGAPPNAME", "web")

site = get_wsgi_application()

from competition.front.layer import Front  # noqa: E402  it knows the models, which are there only now

application = Front(site, settings.ALLOWED_HOSTS, behind_proxy=settings.BEHIND_TLS_PROXY)
