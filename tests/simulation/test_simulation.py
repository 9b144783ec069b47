"""Weeks in which workers die, freeze and are lied to: nothing is lost, nothing happens twice, everything ends."""

import pytest

from tests.simulation.oracle import ONCE_BROKEN
from tests.simulation.run import Theatre

SEEDS = range(1, 301)


@pytest.mark.parametrize("seed", [*SEEDS, *ONCE_BROKEN])
def test_nothing_is_lost_nothing_happens_twice_and_everything_ends(stage: Theatre, seed: int) -> None:
    played = stage.play(seed)
    assert not played.violation, played.violation


def test_the_same_seed_tells_the_same_story(stage: Theatre) -> None:
    assert stage.play(3).sha256 == stage.play(3).sha256
    assert stage.play(3).sha256 != stage.play(1).sha256
