"""Many schedules on a scratch database beside the configured one, with what they came to: `manage.py simulate`."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.core.management import call_command

from tests.databases import connected_to, database
from tests.simulation.points import EVENT, FROZEN, INSIDE, UNKNOWN, hits
from tests.simulation.run import Played, Theatre, theatre

DEATHS = ("inside", "after", "between")


@dataclass
class Told:
    """What many schedules came to."""

    schedules: int = 0
    differing: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        self.schedules += 1
        self.counted += played.counted
        if played.violation:
            self.violations.append(played.violation)

    def points(self) -> dict[str, int]:
        """How often each crash point was hit."""
        return hits(self.counted)

    def faults(self) -> dict[str, int]:
        """What was done to it, in words that a page can show."""
        by_kind = Counter[str]()
        for (how, _), number in self.counted.items():
            by_kind[how] += number
        return {
            "processes killed": sum(by_kind[how] for how in DEATHS),
            "of them inside a transaction": by_kind[INSIDE],
            "processes frozen": by_kind[FROZEN],
            "commits of unknown outcome": by_kind[UNKNOWN],
            "database connections cut": self.counted[EVENT, "outage-of-database"],
            "messages lost, doubled or late": sum(
                self.counted[EVENT, f"message-{how}"] for how in ("lost", "twice", "late")
            ),
            "requests or answers lost at the exchange": sum(
                self.counted[EVENT, name] for name in ("request-lost", "request-late", "answer-lost", "read-failed")
            ),
            "wipes of the exchange": self.counted[EVENT, "wiped"],
        }


@contextmanager
def scratch_theatre() -> Iterator[Theatre]:
    """A migrated database of its own on the configured server, gone afterwards. May raise `NotAllowed`."""
    name = f"simulation_{os.getpid()}"
    with database(name), connected_to(name):
        call_command("migrate", verbosity=0)
        with theatre() as opened:
            yield opened


def rehearse(
    first: int, number: int, progress: Callable[[Told, Played], None], *, twice: bool = False, stop: Callable[[], bool]
) -> Told:
    """Play so many seeds from `first` on, or until `stop`; each again where `twice`, to compare what is told."""
    told = Told()
    with scratch_theatre() as stage:
        for seed in range(first, first + number):
            if stop():
                break
            played = stage.play(seed)
            if twice and stage.play(seed).sha256 != played.sha256:
                told.differing.append(seed)
            told.add(played)
            progress(told, played)
    return told
