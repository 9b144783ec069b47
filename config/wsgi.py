import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.garbage import look_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("PGAPPNAME", "web")

site = get_wsgi_application()

from competition.front.bodies import Bodies  # noqa: E402  it knows the models, which are there only now
from competition.front.layer import Front  # noqa: E402  as above

import_module(settings.ROOT_URLCONF)  # every page's code, so that no visitor waits for it
application = Front(Bodies(site), settings.ALLOWED_HOSTS, behind_proxy=settings.BEHIND_TLS_PROXY)
look_seldom()
