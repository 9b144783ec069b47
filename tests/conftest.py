"""Every session has a real PostgreSQL and Redis, and no network. Django reads its settings after this file."""

import gc
import os
import sys
import uuid
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.conf import settings
from xdist.scheduler import LoadScopeScheduling

from tests.support_engines import provide_engines

gc.disable()  # until all tests are imported: hardly any of it is garbage
# Tests start dozens of Pythons, and each would compile this whole project for itself; so would every worker its tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
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
hypothesis.settings.register_profile("suite", max_examples=int(os.environ.get("EXAMPLES", "30")), deadline=None)
hypothesis.settings.load_profile("suite")

from django.contrib import admin  # noqa: E402
from django.core.cache import caches  # noqa: E402

from competition.api.throttles import SHARED  # noqa: E402
from tests.databases import (  # noqa: E402
    django_db_setup,  # noqa: F401
    drop_template,
    migrated_template,  # noqa: F401
    name_template,
    own_database,  # noqa: F401
    shelf,  # noqa: F401
)

DEAR = ("browser", "tests/live/", "tests/schedules/", "tests/simulation/", "tests/agents/test_llm_process.py")
# Files that share what is dear to start: one browser and site, one runner, one process into which litellm is imported.
TOGETHER = {
    "browser": ("tests/browser/",),
    "tests/live/runner": (
        *("tests/live/test_runner.py", "tests/live/test_runner_breaks.py", "tests/live/test_runner_limits.py"),
        "tests/live/test_backtest_killed.py",
    ),
    "litellm": ("tests/agents/test_llm.py", "tests/agents/test_llm_doors.py"),
}

# Files that would keep one worker busy for longer than all others: their tests are dealt out to so many groups.
PARTED = {"tests/simulation/test_simulation.py": 2}

name_template(os.environ)

admin.autodiscover()  # config/urls.py does so, and tests look at the admin without having asked for a page


@pytest.fixture(autouse=True)
def asked_by_nobody_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests, and those of other workers, have asked of the API in this minute is not counted here."""
    prefix = uuid.uuid4().hex
    monkeypatch.setitem(settings.CACHES[SHARED], "KEY_PREFIX", prefix)
    monkeypatch.setattr(caches[SHARED], "key_prefix", prefix)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares fixtures on one worker: a file, or a group of them.

    The groups that take longest come first, so that at the end no worker waits long for another.
    """
    groups = {item: _group_of(item.nodeid) for item in items}
    sizes = Counter(groups.values())
    dear = {group for item, group in groups.items() if group.startswith(DEAR) or item.get_closest_marker("processes")}
    items.sort(key=lambda item: (groups[item] not in dear, -sizes[groups[item]]))


def _group_of(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    if parts := PARTED.get(file):
        return f"{file} {zlib.crc32(nodeid.encode()) % parts}"
    return next((group for group, files in TOGETHER.items() if file.startswith(files)), file)


class GroupsOnOneWorker(LoadScopeScheduling):
    """Hands out groups: what xdist reads out of marks does not get through pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return GroupsOnOneWorker(config, log)


def pytest_collection_finish() -> None:
    """What was imported is looked through no more, and the rest less often: that took a seventh of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        drop_template(os.environ)
