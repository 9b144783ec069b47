"""The mutation board: each guard is taken away, and schedules are played until one breaks: `make mutation-board`.

    python -m tests.simulation.board [--schedules N] [words of the guards to try]

A guard whose removal nobody finds within the schedules of a commit is a gap in the simulator, and the exit status is 1.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import tests.conftest  # noqa: F401 - engines and settings

# isort: split
from django.core.management import call_command

from tests.databases import connected_to, database, fresh_copy
from tests.simulation.guards import GUARDS
from tests.simulation.removals import Guard, without
from tests.simulation.run import Played, Theatre, shape_of, theatre
from tests.simulation.year import Plan, play_year, told

SCHEDULES = 300  # as many as a commit has to stand
MONTH = 4  # weeks; a backup of the second is put back in it, or in the third


@dataclass(frozen=True, slots=True)
class Found:
    """What came of taking a guard away: at which seed it was seen, after how many schedules, and as what."""

    guard: str
    seed: int | None
    schedules: int
    sentence: str


def seeds_for(guard: Guard) -> Iterator[int]:
    """The seeds whose season has what the guard is about, in order."""
    number = 1
    while True:
        shape = shape_of(number)
        if guard.venue in ("", shape.venue) and shape.weeks >= guard.weeks and shape.is_poor >= guard.is_poor:
            yield number
        number += 1


def hunt(stage: Theatre, guard: Guard, schedules: int) -> Found:
    """Play without the guard until something breaks, or so many schedules are over."""
    with without(guard):
        for number, seed in enumerate(islice(seeds_for(guard), schedules), start=1):
            played = _play_month(stage, seed) if guard.is_restored else stage.play(seed)
            if played.violation:
                return Found(guard.name, seed, number, played.violation.splitlines()[0])
    return Found(guard.name, None, schedules, "NOT FOUND")


def _play_month(stage: Theatre, seed: int) -> Played:
    """In which a backup is put back, and the ledgers are compared with the exchange afterwards."""
    played, month = play_year(stage, Plan.of(MONTH, 0, seed, weeks_lost=seed % 2), seed)
    if not played.violation and not told(played, month)["ledgers equal the exchange"]:
        played.violation = "the ledgers hold something else than the exchange executed for them"
    return played


def board(template: str, schedules: int, words: str = "") -> Iterator[Found]:
    """Every guard on a database of its own, since keys and triggers are dropped from it."""
    for guard in GUARDS:
        if words in guard.name:
            with fresh_copy(template), theatre() as stage:
                yield hunt(stage, guard, schedules)


def main() -> int:
    parser = argparse.ArgumentParser(description="Which guards the simulator misses when they are gone.")
    parser.add_argument("words", nargs="?", default="", help="only guards whose name has these words")
    parser.add_argument("--schedules", type=int, default=SCHEDULES, help="how many to play at most for each guard")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    template, began, found = f"board_{os.getpid()}", time.monotonic(), []
    with database(template):
        with connected_to(template):
            call_command("migrate", verbosity=0)
        for one in board(template, given.schedules, given.words):
            found.append(one)
            seed = "-" if one.seed is None else one.seed
            sys.stdout.write(f"{one.schedules:>4} schedules  seed {seed:>4}  {one.guard}: {one.sentence[:120]}\n")
            sys.stdout.flush()
    missed = [one.guard for one in found if one.seed is None]
    told = {"guards": len(found), "missed": missed, "seconds": round(time.monotonic() - began)}
    sys.stdout.write(json.dumps(told) + "\n")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
