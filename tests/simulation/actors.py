"""Actors: threads of which one runs at a time, by the dice of a seed, under a made-up clock.

An actor gives its turn back at seams: between transactions, inside them, and where it speaks to models or the exchange.
A statement that waits for another actor's lock waits in PostgreSQL itself; the others go on meanwhile.
"""

import random
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.lines import Line, Lines

STATEMENT_S = 0.003  # how long a statement is given before anybody asks whether it waits for a lock
DEADLOCK_S = 10.0


class Killed(BaseException):
    """As kill -9 does: nothing after it runs, and what still runs reaches nothing."""


class Actor:
    """One process, or one of its threads, with one line to the database. It runs only while it has the turn."""

    def __init__(self, name: str, line: "Line", job: Callable[["Actor"], None], now: datetime) -> None:
        self.name, self.line, self.wakes_at = name, line, now
        self.is_over = self.is_killed = self.is_waiting = False
        self.error: BaseException | None = None
        self.in_statement = False
        self.answered = threading.Event()
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        line.actor = self
        self._thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        self._thread.start()

    def _run(self, job: Callable[["Actor"], None]) -> None:
        self.line.use_here()
        self._mine.acquire()
        try:
            job(self)
        except BaseException as error:  # told to the schedule, which knows which are part of the game
            self.error = error
        finally:
            self.is_over = True
            self._theirs.release()

    # -- called by whoever schedules ----------------------------------------------------------------------

    def go(self) -> None:
        """Let it run until it gives the turn back, ends, or waits for a lock."""
        self._mine.release()
        while True:
            self._theirs.acquire()
            if not self.in_statement:
                break
            if not self._is_answered():
                self.is_waiting = True
                return
            self.in_statement = False
            self._mine.release()
        if self.is_over:
            self._thread.join()

    def _is_answered(self) -> bool:
        while not self.answered.wait(STATEMENT_S):
            if self.line.lines.waits_for_a_lock(self.line.pid):
                return False
        return True

    # -- called by the actor itself, in whichever of its threads ------------------------------------------

    def give_turn_back(self) -> None:
        self._theirs.release()
        self._mine.acquire()
        self.go_on_if_alive()

    def go_on_if_alive(self) -> None:
        if self.is_killed:
            raise Killed

    def statement[Result](self, execute: Callable[[], Result]) -> Result:
        """Run a statement that may have to wait for the lock of another actor."""
        self.answered.clear()
        self.in_statement = True
        self._theirs.release()
        try:
            return execute()
        finally:
            self.answered.set()
            self._mine.acquire()


class Stage:
    """Who is there, and whose turn it is. `now` moves only here and by the dice of whoever has the turn."""

    def __init__(self, rng: random.Random, now: datetime, lines: "Lines") -> None:
        self.rng, self.now, self.lines = rng, now, lines
        self.actors: list[Actor] = []
        self.waits = 0  # for a lock of somebody else

    def run_until(self, end: datetime, after: Callable[[Actor], None], arrivals: Callable[[], datetime | None]) -> None:
        """Give turns until nobody has anything to do before `end`. `arrivals` starts what is due; when more comes."""
        while True:
            self._settle_waits()
            coming = arrivals()
            ready = [actor for actor in self.actors if not actor.is_waiting and actor.wakes_at <= self.now]
            if ready:
                actor = ready[0] if len(ready) == 1 else self.rng.choice(ready)
                actor.go()
                self.waits += actor.is_waiting
                if actor.is_over:
                    self.actors.remove(actor)
                    after(actor)
                continue
            times = [actor.wakes_at for actor in self.actors if not actor.is_waiting]
            if coming is not None:
                times.append(coming)
            if not times or min(times) > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, min(times))

    def _settle_waits(self) -> None:
        """Let every statement that can go on do so to its end, so that what happens next depends on the seed alone."""
        waiting = [actor for actor in self.actors if actor.is_waiting]
        while waiting:
            blocked = self.lines.blocked_by([actor.line.pid for actor in waiting])
            for actor in waiting:
                if actor.answered.is_set():
                    actor.is_waiting = actor.in_statement = False
            waiting = [actor for actor in waiting if actor.is_waiting]
            if all(blocked.get(actor.line.pid) for actor in waiting):
                stuck = _in_a_circle(blocked)
                if not stuck:
                    return
                _until_one_is_answered([actor for actor in waiting if actor.line.pid in stuck])


def _in_a_circle(blocked: dict[int, list[int]]) -> set[int]:
    """Those who wait for each other; PostgreSQL will end one of their statements."""

    def reaches_itself(start: int) -> bool:
        seen, ahead = set[int](), list(blocked.get(start, ()))
        while ahead:
            pid = ahead.pop()
            if pid == start:
                return True
            if pid not in seen:
                seen.add(pid)
                ahead.extend(blocked.get(pid, ()))
        return False

    return {pid for pid in blocked if reaches_itself(pid)}


def _until_one_is_answered(actors: list[Actor]) -> None:
    for _ in range(int(DEADLOCK_S / 0.002)):
        if any(actor.answered.wait(0.001) for actor in actors):
            return
    raise AssertionError(f"{', '.join(actor.name for actor in actors)} wait for each other for ever")
