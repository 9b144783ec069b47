"""Live tests run on databases of their own, with real commits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import fresh_copy
from tests.live.stage import Stage


@pytest.fixture(scope="module")
def played_stage(migrated_template: str, django_db_blocker) -> Iterator[Stage]:
    """A stage on which one cycle was played, shared by a module whose tests leave it as it is."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template):
        stage = Stage.set()
        stage.play_cycle(1)
        yield stage


@pytest.fixture
def stage(own_database: str) -> Stage:
    """A running four-week season of all thirteen house entries, virtual time at its start, and a runner in process."""
    return Stage.set()


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent.parent
