"""One seeded schedule: processes that are frozen and killed, a hostile exchange, and a made-up clock.

Everything between the dice is production: the tick, the steps, the broker, PostgreSQL. Processes are threads of which
one runs at a time; they change over only where they speak to the exchange, which is never inside a transaction. They
are killed there, and within transactions, and some commits fail although they went through.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.utils import OperationalError

from agents.core.roster import Profile
from competition.core.schedule import boundary
from competition.core.states import TERMINAL_CYCLES, TurnState
from competition.models import Turn
from competition.services import executing, ticking
from portfolio.core.order_attempts import LIVE
from portfolio.exchange_models import OrderAttempt
from tests.live.stage import Stage, weekly_rules
from tests.schedules.hostile import HostileConnection, HostileExchange

SYMBOLS = ("BTCUSDT", "ETHUSDT", "ADAUSDT")
MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """As kill -9 does: nothing after it runs."""


class Process:
    """A thread that runs only while it has been given the turn."""

    def __init__(self, name: str, world: "World", job: Callable[["Process"], None]) -> None:
        self.name, self.world = name, world
        self.wakes_at = world.stage.now
        self.is_over = False
        self.is_killed = False
        self.error: BaseException | None = None
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(job, connections["default"]), daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Let it run to its next seam, or its end."""
        self._mine.release()
        self._theirs.acquire()
        if self.is_over:
            self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self, job: Callable[["Process"], None], shared: Any) -> None:
        connections["default"] = shared
        self._mine.acquire()
        try:
            job(self)
        except Killed:
            self.world.say(f"{self.name} is killed")
        except OperationalError as outage:
            self.world.say(f"{self.name}: {outage}")
        except BaseException as error:  # handed to the schedule, which fails with it
            self.error = error
        finally:
            self.is_over = True
            self._theirs.release()

    def seam(self, where: str) -> None:
        """Between two moves: go on, sleep for a while, or die."""
        assert not connection.in_atomic_block, f"{self.name} speaks to the exchange inside a transaction: {where}"
        asleep = self.world.fate(self, where)
        if asleep:
            self._theirs.release()
            self._mine.acquire()
        if self.is_killed:
            raise Killed


class World:
    """A short season on the exchange, and everything that happens to it."""

    def __init__(self, seed: int, fills: str = "venue", weeks: int = 2, entries: int = 2) -> None:
        self.weeks = weeks
        self.rng = random.Random(seed)
        self.seed, self.lines = seed, list[str]()
        self.is_calm = False
        self.processes: list[Process] = []
        self.kills = self.freezes = self.lied_commits = self.sends = 0
        rules = weekly_rules(
            universe=SYMBOLS, cycles=weeks, execution="testnet", fills=fills, slippage_bps="30", drift_band="0.01"
        )
        profiles = tuple(
            Profile(f"random-{n}", f"Random {n}", "baseline", "baseline/random", {"seed": seed * 10 + n})
            for n in range(1, entries + 1)
        )
        self.stage = Stage.set(rules, profiles)
        self.exchange = HostileExchange(self.rng, self.stage.clock, self.say)
        self.connect: Callable[[Callable[[str], None]], Any] = lambda seam: HostileConnection(self.exchange, seam)

    def say(self, line: str) -> None:
        self.lines.append(f"{self.stage.now:%m-%d %H:%M:%S} {line}")

    def story(self) -> str:
        return f"seed {self.seed}\n" + "\n".join(self.lines)

    # -- fate -----------------------------------------------------------------------------------------

    def fate(self, process: Process, where: str) -> bool:
        """Whether the process gives up the turn here; it may never get it back."""
        self.sends += where.startswith("after sending")
        dice = 1.0 if self.is_calm else self.rng.random()
        if dice < 0.02:
            process.is_killed = True
            self.kills += 1
            self.say(f"{process.name} dies {where}")
        elif dice < 0.06:
            frozen_s = self.rng.choice([1, 5, 30, 120, 700, 4000])
            process.wakes_at = self.stage.now + timedelta(seconds=frozen_s)
            self.freezes += 1
            self.say(f"{process.name} is frozen for {frozen_s} s {where}")
            return True
        elif dice < 0.2:
            self.stage.now += timedelta(seconds=self.rng.choice([0.01, 0.5, 3, 9]))
        return False

    @contextmanager
    def unreliable_database(self) -> Iterator[None]:
        """Now and then a process dies at a statement, or a commit that went through is reported as failed."""

        def wrapper(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            if not self.is_calm and self._in_process() and self.rng.random() < 0.0008:
                self.kills += 1
                self.say(f"killed at {sql[:60]}")
                raise Killed
            return execute(sql, *rest)

        commit = DatabaseWrapper._commit

        def lying(database: DatabaseWrapper) -> None:
            commit(database)
            if not self.is_calm and self._in_process() and self.rng.random() < 0.004:
                self.lied_commits += 1
                self.say("a commit went through and is reported as failed")
                raise OperationalError("server closed the connection unexpectedly")

        DatabaseWrapper._commit = lying
        connection.inc_thread_sharing()
        try:
            with connection.execute_wrapper(wrapper):
                yield
        finally:
            DatabaseWrapper._commit = commit
            connection.dec_thread_sharing()

    @staticmethod
    def _in_process() -> bool:
        return threading.current_thread() is not threading.main_thread()

    # -- the run --------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Another process looks at what is due and takes every step; those asleep wake when their time has come."""
        self.processes.append(Process(f"process {len(self.processes) + 1}", self, self._look))
        for process in self.processes:
            while not process.is_over and process.wakes_at <= self.stage.now:
                process.go()
        self.exchange.deliver()
        if not self.is_calm and self.exchange.roll(self.exchange.dice.wiped):
            self.exchange.wipe()

    def _look(self, process: Process) -> None:
        def connect() -> Any:
            return self.connect(process.seam)

        def dispatch(step: str, cycle_id: int) -> None:
            if step == ticking.ASK:
                self.stage.dispatch(step, cycle_id)
            elif step == ticking.EXECUTE:
                executing.execute(cycle_id, self.stage.clock, connect)
            else:
                ticking.advance(cycle_id, self.stage.clock, connect)

        ticking.tick(self.stage.now, dispatch)

    def play(self) -> None:
        """All weeks with faults, then a calm that has to bring everything to its end."""
        with self.unreliable_database():
            for number in range(1, self.weeks + 1):
                self._week(number)
            self._calm()

    def _week(self, number: int) -> None:
        self.stage.now = max(self.stage.now, boundary(self.stage.season.rule_book, number))
        for _ in range(3):
            self.tick()
            self.stage.now += timedelta(seconds=self.rng.randint(1, 20))
        self.stage.now = max(self.stage.now, self.stage.deadline(number))
        ends = self.stage.deadline(number) + timedelta(minutes=self.rng.randint(62, 140))
        while self.stage.now < ends and not (self.rng.random() < 0.5 and self._is_done(number)):
            self.tick()
            self.stage.now = self._next_look()

    def _next_look(self) -> datetime:
        """Mostly when something is due again; otherwise some time later."""
        due = OrderAttempt.objects.filter(due_at__gt=self.stage.now).order_by("due_at").values_list("due_at", flat=True)
        waits_for = due.first()
        if waits_for is not None and self.rng.random() < 0.7:
            return waits_for + timedelta(seconds=self.rng.choice([0, 1, 30]))
        return self.stage.now + timedelta(seconds=self.rng.choice([20, 61, 300, 600]))

    def _is_done(self, number: int) -> bool:
        closed = self.stage.season.cycles.filter(number=number, state="closed").exists()
        return closed and not self.unresolved()

    def _calm(self) -> None:
        self.is_calm = True
        self.exchange.dice.calm()
        self.say("calm")
        for process in self.processes:
            process.wakes_at = self.stage.now
        end = boundary(self.stage.season.rule_book, self.weeks + 1)
        self.stage.now = max(self.stage.now, end - timedelta(hours=60))
        for _ in range(40):
            self.tick()
            self.stage.now += timedelta(minutes=65)
            if not self.unresolved() and not self._unfinished():
                return

    def unresolved(self) -> list[str]:
        """What is still open: attempts and orders by id, turns by name."""
        live = OrderAttempt.objects.filter(state__in=LIVE).values_list("client_order_id", flat=True)
        turns = Turn.objects.filter(state=TurnState.PROVISIONAL.value)
        orders = executing.open_orders(self.stage.season).values_list("client_order_id", flat=True)
        return [*live, *orders, *map(str, turns.select_related("entry", "cycle__season"))]

    def _unfinished(self) -> bool:
        cycles = self.stage.season.cycles
        return cycles.exclude(state__in=TERMINAL_CYCLES).exists() or cycles.count() < self.weeks
