"""Who only looks while the site is broken: one tells of weeks as they go by, one reads pages as visitors do."""

import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from itertools import cycle

from django.db import connections

from competition.core.states import TERMINAL_CYCLES
from competition.models import Season
from config.chaos.witness import through_outages

LOOK_EVERY_S, VISIT_EVERY_S, ANSWERS_WITHIN_S = 0.5, 0.5, 5


@contextmanager
def looking(*look: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run each in a thread of its own, until the end of the block."""
    stop = threading.Event()
    threads = [threading.Thread(target=one, args=(stop,), daemon=True) for one in look]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Chronicler:
    """Tells of every change of a week."""

    def __init__(self, season: Season, say: Callable[[str], None]) -> None:
        self._season, self._say = season, say
        self._told: dict[int, str] = {}

    def __call__(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(LOOK_EVERY_S):
                for number, state, reason in through_outages(self._weeks):
                    if self._told.get(number) != state and state in TERMINAL_CYCLES:
                        self._say(f"    week {number} {state}{f': {reason}' if reason else ''}")
                    self._told[number] = state
        finally:
            connections.close_all()

    def _weeks(self) -> list[tuple[int, str, str]]:
        newest = self._season.cycles.order_by("-number").values_list("number", "state", "reason")[:4]
        return sorted(newest)


class Visitor:
    """Asks for pages, one after the other. `seen` counts what came back."""

    def __init__(self, address: str, paths: Sequence[str]) -> None:
        self.seen: Counter[str] = Counter()
        self._address, self._paths = address, paths

    def __call__(self, stop: threading.Event) -> None:
        for path in cycle(self._paths):
            if stop.wait(VISIT_EVERY_S):
                return
            self.seen["pages served" if answers(f"{self._address}{path}") else "pages not served"] += 1


def answers(url: str) -> bool:
    """Whether this address, which is one of ours, answers 200 in time."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWERS_WITHIN_S) as response:  # noqa: S310 - ours
            return bool(response.status == HTTPStatus.OK and response.read())
    except (OSError, HTTPException):
        return False
