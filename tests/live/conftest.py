"""Live tests run on databases of their own, with real commits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.provider import Provider, running_provider
from tests.databases import fresh_copy
from tests.live.runners import PLANTED_KEY, Runner, running
from tests.live.stage import FEW, Stage


@pytest.fixture(scope="module")
def played_stage(migrated_template: str, django_db_blocker) -> Iterator[Stage]:
    """A stage on which one cycle was played, shared by a module whose tests leave it as it is."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template):
        stage = Stage.set(profiles=FEW)
        stage.play_cycle(1)
        yield stage


@pytest.fixture
def stage(own_database: str) -> Stage:
    """A running four-week season of a few house entries, virtual time at its start, and a runner in process."""
    return Stage.set(profiles=FEW)


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with running_provider() as server:
        yield server


@pytest.fixture(scope="session")
def runner(provider: Provider) -> Iterator[Runner]:
    """A runner that may call the provider, has a key for it and asks three at a time.

    One for all who only ask it, or kill what it starts again by itself: to be ready takes it eight seconds of CPU.
    """
    environ = {"MODEL_API_BASES": provider.url, "MODEL_PRIVATE_HOSTS": "127.0.0.1", "OPENAI_API_KEY": PLANTED_KEY}
    with running(RUNNER_CHILDREN_MAX="3", LOG_LEVEL="CRITICAL", **environ) as started:
        yield started


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent.parent
