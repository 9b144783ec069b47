"""Weeks in which workers die, freeze and are lied to: nothing is lost, nothing happens twice, everything ends."""

import logging
from collections.abc import Iterator

import pytest

from tests.databases import fresh_copy
from tests.simulation.run import Theatre, theatre

SEEDS = range(1, 7)


@pytest.fixture(scope="module")
def stage(migrated_template: str, django_db_blocker) -> Iterator[Theatre]:
    logging.disable(logging.CRITICAL)
    with django_db_blocker.unblock(), fresh_copy(migrated_template), theatre() as opened:
        yield opened
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_nothing_happens_twice_and_everything_ends(stage: Theatre, seed: int) -> None:
    played = stage.play(seed)
    assert not played.violation, played.violation


def test_the_same_seed_tells_the_same_story(stage: Theatre) -> None:
    assert stage.play(3).sha256 == stage.play(3).sha256
    assert stage.play(3).sha256 != stage.play(1).sha256
