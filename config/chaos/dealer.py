"""Deals out faults: what falls on whom, and when they are up again. The story of it is told as it happens."""

import heapq
import itertools
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import redis

from config import embedded_postgres, embedded_redis
from config.celery import app
from config.chaos.crew import Crew, signal_engine
from config.chaos.deck import EVERYTHING, EXCHANGE, POSTGRES, PROCESSES, REDIS, Deed, Fault
from config.chaos.exchange_log import lose_an_answer
from config.chaos.forger import forge
from config.chaos.witness import Witness
from config.daemons import Daemon, bring_up

TITLES = {POSTGRES: "PostgreSQL", REDIS: "Redis", EVERYTHING: "everything, as when a machine restarts"}
BREATH_S, FLUSHED_WITHIN_S = 0.05, 10

Say = Callable[[str], None]


class Dealer:
    """Who has faults dealt for some time, and everything up again after it."""

    def __init__(self, crew: Crew, data: Path, exchange_url: str, witness: Witness, say: Say) -> None:
        self.dealt: Counter[str] = Counter()
        self._crew, self._data, self._exchange_url = crew, data, exchange_url
        self._witness, self._say = witness, say
        self._numbers = itertools.count()  # so that no two in the heap are equal
        self._due: list[tuple[float, int, Callable[[], None]]] = []  # what ends when: a heap
        self._troubled: set[str] = set()

    def deal(self, faults: Iterator[Fault], until_s: float) -> None:
        """Deal until this instant of the monotonic clock; then end what still lasts."""
        next_at = time.monotonic()
        for fault in faults:
            next_at = max(next_at, time.monotonic()) + fault.after_s
            self._rest_until(min(next_at, until_s))
            if time.monotonic() >= until_s:
                break
            self._meet(fault)
        self.end_all()

    def end_all(self) -> None:
        """Everybody who is down or frozen is up and running again."""
        self._end_now()
        for daemon in (self._postgres(), self._redis()):
            bring_up(daemon)
        for name in PROCESSES:
            self._crew.start(name)

    def _rest_until(self, at_s: float) -> None:
        while (now := time.monotonic()) < at_s:
            if self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
                continue
            for name in self._crew.start_the_ended():
                self.dealt["ended by themselves, started again"] += 1
                self._say(f"{name} has ended by itself and is started again")
            time.sleep(BREATH_S)

    def _meet(self, fault: Fault) -> None:
        """Let a fault happen, unless whom it is for is in trouble already."""
        if fault.whom in self._troubled or EVERYTHING in self._troubled:
            return
        if fault.whom == EVERYTHING and self._troubled:
            self._end_now()
        what = self._strike(fault)
        if what:
            self.dealt[what] += 1
            spell = f" for {fault.lasts_s:.1f} s" if fault.deed in (Deed.KILL, Deed.FREEZE) else ""
            self._say(f"{fault.deed} {TITLES.get(fault.whom, fault.whom)}{spell}")

    def _end_now(self) -> None:
        while self._due:
            heapq.heappop(self._due)[2]()

    def _strike(self, fault: Fault) -> str:
        """What it counts as; empty where it could not happen."""
        match fault.deed:
            case Deed.KILL:
                return self._kill(fault)
            case Deed.FREEZE:
                return self._freeze(fault)
            case Deed.KILL_CHILD:
                return "children of processes killed" if self._crew.kill_child(fault.whom) else ""
            case Deed.FLUSH:
                return self._flush()
            case Deed.FORGE:
                return "" if REDIS in self._troubled or not forge(app) else "bursts of forged and repeated messages"
            case Deed.LOSE_ANSWER:
                return self._lose_answer()

    def _kill(self, fault: Fault) -> str:
        whom = fault.whom
        engines = (POSTGRES, REDIS) if whom == EVERYTHING else (whom,) if whom in (POSTGRES, REDIS) else ()
        processes = PROCESSES if whom == EVERYTHING else () if engines else (whom,)
        if POSTGRES in engines:
            self._witness.look()
        for name in processes:
            self._crew.kill(name)
        for engine in engines:
            signal_engine(self._daemon(engine).main_process(), signal.SIGKILL)
        self._later(fault, lambda: self._bring_back(engines, processes))
        titles = {POSTGRES: "PostgreSQL killed", REDIS: "Redis killed", EVERYTHING: "machines restarted"}
        return titles.get(whom, "processes killed")

    def _bring_back(self, engines: tuple[str, ...], processes: tuple[str, ...]) -> None:
        for engine in engines:
            bring_up(self._daemon(engine))
        for name in processes:
            self._crew.start(name)
        if POSTGRES in engines:
            self._witness.compare()

    def _freeze(self, fault: Fault) -> str:
        whom = fault.whom
        if whom in (POSTGRES, REDIS):
            main = self._daemon(whom).main_process()
            signal_engine(main, signal.SIGSTOP)
            self._later(fault, lambda: signal_engine(main, signal.SIGCONT))
            return f"{TITLES[whom]} frozen"
        self._crew.signal_all(whom, signal.SIGSTOP)
        self._later(fault, lambda: self._crew.signal_all(whom, signal.SIGCONT))
        return "processes frozen"

    def _lose_answer(self) -> str:
        if EXCHANGE in self._troubled or not self._crew.runs(EXCHANGE):
            return ""
        with suppress(OSError):  # it may just be starting
            lose_an_answer(self._exchange_url)
            return "answers of the exchange lost"
        return ""

    def _flush(self) -> str:
        if REDIS in self._troubled:
            return ""
        address = embedded_redis.url(self._data / "redis").replace("redis+socket://", "unix://").partition("?")[0]
        with redis.Redis.from_url(address, socket_timeout=FLUSHED_WITHIN_S) as broker:
            broker.flushall()
        return "Redis flushed"

    def _later(self, fault: Fault, end: Callable[[], None]) -> None:
        """Have a fault end after its time."""
        self._troubled.add(fault.whom)

        def over() -> None:
            self._troubled.discard(fault.whom)
            end()

        heapq.heappush(self._due, (time.monotonic() + fault.lasts_s, next(self._numbers), over))

    def _daemon(self, engine: str) -> Daemon:
        return self._postgres() if engine == POSTGRES else self._redis()

    def _postgres(self) -> Daemon:
        return embedded_postgres.daemon(self._data)

    def _redis(self) -> Daemon:
        return embedded_redis.daemon(self._data)
