"""Actors: threads of which one runs at a time, by the dice of a seed, under a made-up clock.

An actor gives its turn back at seams: between transactions, inside them, and where it speaks to models or the exchange.
A statement that waits for another actor's lock waits in PostgreSQL itself; the others go on meanwhile. Behind one that
waits nobody else does, but for those it waits for: whom PostgreSQL lets go first is not of the seed.
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

    def __init__(self, name: str, line: "Line", job: Callable[["Actor"], None], stage: "Stage") -> None:
        self.name, self.line, self.stage, self.wakes_at = name, line, stage, stage.now
        self.is_over = self.is_killed = self.is_waiting = self.is_queued = False
        self.error: BaseException | None = None
        self.in_statement = False
        self.waits_since = 0
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

    def queue_up(self) -> None:
        """Before a statement that may have to wait: until nobody else does."""
        while self.stage.must_queue(self):
            self.is_queued = True
            self.give_turn_back()
        self.is_queued = False

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
        self.blockers: set[int] = set()  # whom those who wait are waiting for, by the numbers of their lines

    def run_until(self, end: datetime, after: Callable[[Actor], None], arrivals: Callable[[], datetime | None]) -> None:
        """Give turns until nobody has anything to do before `end`. `arrivals` starts what is due; when more comes."""
        while True:
            self._settle_waits()
            coming = arrivals()
            free = [actor for actor in self.actors if not actor.is_waiting and not self._stays_queued(actor)]
            ready = [actor for actor in free if actor.wakes_at <= self.now]
            if ready:
                actor = ready[0] if len(ready) == 1 else self.rng.choice(ready)
                actor.go()
                self.waits += actor.is_waiting
                actor.waits_since = self.waits
                if actor.is_over:
                    self.actors.remove(actor)
                    after(actor)
                continue
            times = [actor.wakes_at for actor in free]
            if coming is not None:
                times.append(coming)
            if not times or min(times) > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, min(times))

    def must_queue(self, actor: Actor) -> bool:
        """Whether somebody waits for a lock already, and not for this actor."""
        return any(other.is_waiting for other in self.actors) and actor.line.pid not in self.blockers

    def _stays_queued(self, actor: Actor) -> bool:
        return actor.is_queued and not actor.is_killed and self.must_queue(actor)

    def _settle_waits(self) -> None:
        """Let every statement that can go on do so to its end, so that what happens next depends on the seed alone."""
        self.blockers = set()
        waiting = [actor for actor in self.actors if actor.is_waiting]
        while waiting:
            blocked = self.lines.blocked_by([actor.line.pid for actor in waiting])
            for actor in waiting:
                if actor.answered.is_set():
                    actor.is_waiting = actor.in_statement = False
            waiting = [actor for actor in waiting if actor.is_waiting]
            if all(blocked.get(actor.line.pid) for actor in waiting):
                self.blockers = {pid for actor in waiting for pid in blocked[actor.line.pid]}
                stuck = [actor for actor in waiting if actor.line.pid in _in_a_circle(blocked)]
                if not stuck:
                    return
                last = max(stuck, key=lambda actor: actor.waits_since)
                self.lines.end_statement(last.line.pid)
                _until_answered(last)


def end_all(actors: "list[Actor]") -> None:
    """Nobody lives on, whatever they were at."""
    for actor in actors:
        actor.is_killed = True
    while actors:
        for actor in list(actors):
            if actor.is_waiting and not actor.answered.wait(0.01):
                continue
            actor.is_waiting = actor.in_statement = False
            actor.go()
            if actor.is_over:
                actors.remove(actor)
                actor.line.give_back()


def _in_a_circle(blocked: dict[int, list[int]]) -> set[int]:
    """Those who wait for each other."""

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


def _until_answered(actor: Actor) -> None:
    if not actor.answered.wait(DEADLOCK_S):
        raise AssertionError(f"the statement of {actor.name} was to end and does not")
