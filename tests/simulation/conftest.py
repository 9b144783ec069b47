"""A scratch database to play schedules on, once for each file."""

import logging
from collections.abc import Iterator

import pytest

from tests.databases import fresh_copy
from tests.simulation.run import Theatre, theatre


@pytest.fixture(scope="module")
def stage(migrated_template: str, django_db_blocker) -> Iterator[Theatre]:
    logging.disable(logging.CRITICAL)
    with django_db_blocker.unblock(), fresh_copy(migrated_template), theatre() as opened:
        yield opened
    logging.disable(logging.NOTSET)
