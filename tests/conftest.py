"""Every session has a real PostgreSQL and Redis, and no network. Django reads its settings after this file."""

import os
from pathlib import Path

import django
import hypothesis
import pytest
from django.conf import settings

from tests.support_engines import provide_engines

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ.setdefault("SECRET_KEY", "only for tests")
# pytest-socket guards this process; the sitecustomize there guards the Pythons that tests start.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent / "offline"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
provide_engines(os.environ)
django.setup()  # conftests below import models before pytest-django would set it up
# Every test client makes the middleware anew; it shall look for a static file when asked for it, not list all of them.
settings.WHITENOISE_AUTOREFRESH = True
hypothesis.settings.register_profile("suite", max_examples=int(os.environ.get("EXAMPLES", "40")), deadline=None)
hypothesis.settings.load_profile("suite")

from django.contrib import admin  # noqa: E402

from tests.databases import (  # noqa: E402
    django_db_setup,  # noqa: F401
    drop_template,
    migrated_template,  # noqa: F401
    name_template,
    own_database,  # noqa: F401
    shelf,  # noqa: F401
)

name_template(os.environ)

admin.autodiscover()  # config/urls.py does so, and tests look at the admin without having asked for a page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares fixtures on one worker: a file, or all files that look into one browser."""
    for item in items:
        file = item.location[0]
        item.add_marker(pytest.mark.xdist_group("browser" if file.startswith("tests/browser/") else file))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        drop_template(os.environ)
