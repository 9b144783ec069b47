"""The command refuses what cannot be meant, and does not pretend where the simulator is not shipped."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command

from competition.management.commands import simulate
from tests.databases import fresh_copy
from tests.simulation import rehearsal
from tests.simulation.run import Played, Theatre, theatre


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--schedules", "0"], "--schedules must be from 1 to 1000000, not 0."),
        (["--seed", "-1"], "--seed must be from 0 to 2147483647, not -1."),
        (["--minutes", "0"], "--minutes must be above 0, not 0."),
        (["--processes", "0"], "--processes must be from 1 to 64, not 0."),
        (["--twice", "-1"], "--twice must be 0 or above, not -1."),
    ],
)
def test_what_cannot_be_meant_is_refused(flags: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=f"^{sentence}$"):
        call_command("simulate", *flags)


def test_without_the_tests_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "SIMULATOR", "tests.that_are_not_here")
    with pytest.raises(CommandError, match="run this in a checkout"):
        call_command("simulate", "--schedules", "1", "--seed", "1")


@pytest.fixture
def copies(migrated_template: str, django_db_blocker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scratch databases are copied for once, since migrating each takes longer than what is played on it."""

    @contextmanager
    def copied() -> Iterator[Theatre]:
        with fresh_copy(migrated_template), theatre() as opened:
            yield opened

    monkeypatch.setattr(rehearsal, "scratch_theatre", copied)
    logging.disable(logging.CRITICAL)
    with django_db_blocker.unblock():
        yield
    logging.disable(logging.NOTSET)


def test_processes_share_the_seeds_out_and_tell_what_one_alone_would(copies: None) -> None:
    stories: dict[int, dict[int, str]] = {1: {}, 2: {}}
    for processes, heard in stories.items():

        def tell(told: rehearsal.Told, played: Played, heard: dict[int, str] = heard) -> None:
            heard[played.seed] = played.sha256

        told = rehearsal.rehearse(rehearsal.Piece(1, 2, twice=1), tell, processes=processes, stop=lambda: False)
        assert (told.schedules, told.retold, told.differing, told.violations) == (2, 1, [], [])
    assert stories[1] == stories[2]
    assert sorted(stories[2]) == [1, 2]


def test_one_process_that_dies_is_not_taken_for_the_end(copies: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> Played:
        raise SystemExit(3)

    monkeypatch.setattr(Theatre, "play", dies)
    with pytest.raises(EOFError):
        rehearsal.rehearse(rehearsal.Piece(1, 2), lambda told, played: None, processes=2, stop=lambda: False)
