"""Remembers what was committed before PostgreSQL was killed, and looks for it when it is back."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connections
from django.db.utils import InterfaceError, OperationalError

from competition.core.states import TERMINAL_CYCLES
from competition.models import Cycle
from portfolio.models import Journal

PATIENCE_S = 60.0
BREATH_S = 0.1
# portfolio and hash of every journal, and the weeks that have ended with how
Committed = tuple[frozenset[tuple[int, str]], dict[int, str]]
T = TypeVar("T")


def through_outages[T](read: Callable[[], T]) -> T:
    """What `read` returns, as soon as the database is there to answer; raises what it raised after a minute."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return read()
        except (OperationalError, InterfaceError):
            connections.close_all()
            if time.monotonic() > give_up_at:
                raise
            time.sleep(BREATH_S)


class Witness:
    """`findings` are what was read before a kill and is not there after it."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self._seen: Committed | None = None

    def look(self) -> None:
        self._seen = through_outages(_committed)

    def compare(self) -> None:
        if self._seen is None:
            return
        journals, cycles = self._seen
        journals_now, cycles_now = through_outages(_committed)
        if lost := journals - journals_now:
            self.findings.append(f"{len(lost)} journals that were on record are gone after PostgreSQL was killed")
        for number, state in cycles.items():
            if cycles_now.get(number) != state:
                self.findings.append(f"week {number} was {state}, and is not after PostgreSQL was killed")
        self._seen = None


def _committed() -> Committed:
    journals = frozenset(Journal.objects.values_list("portfolio", "hash"))
    ended = [state.value for state in TERMINAL_CYCLES]
    return journals, dict(Cycle.objects.filter(state__in=ended).values_list("number", "state"))
