"""One asking round: every free turn of a cycle is put to its agent at once, however many there are.

The event loop only waits for agents; what touches the database runs on a thread of its own, in chunks: the first are
asked while the next are leased, and whatever has come back is stored and judged together.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.db import connections
from django.db.utils import InterfaceError, OperationalError
from django.utils import timezone

from agents.core.answers import Answer, NoAnswer
from agents.core.baselines import OF_THE_HOUSE
from agents.core.deciders import decider
from agents.runner_client import Ask, address_for, addresses_in, agents_away, runners_at
from competition.services.asking import Arrival, accept
from competition.services.leasing import CHUNK, Lease, Round, agents_to_ask, lease_some, lease_turns, round_of

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# slugs of agents -> those whose runner does not answer
Away = Callable[[Collection[str]], Awaitable[frozenset[str]]]
RETRY_AFTER_S = (0.0, 1.0, 5.0)
# An answer with the record of its calls may have more than a megabyte.
ANSWERS_IN_MEMORY = 50
TOO_LATE_TO_ASK = "its time was over before it could be asked"


async def nobody(agents: Collection[str]) -> frozenset[str]:
    """Everybody is there."""
    return frozenset()


def ask_now(cycle_id: int) -> int:
    """`ask_cycle` with the wall clock and the runners of this site, each agent's where the settings say."""
    usual, others = settings.RUNNER_URL, settings.RUNNER_URLS

    async def away(agents: Collection[str]) -> frozenset[str]:
        return await agents_away(agents, partial(address_for, usual=usual, others=others))

    return ask_cycle(cycle_id, timezone.now, lambda: runners_at(addresses_in(usual, others)), who_is_away=away)


def _thread_of_its_own() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask-db")


def ask_cycle(
    cycle_id: int,
    clock: Clock,
    open_runner: Callable[[], AbstractAsyncContextManager[Ask]],
    new_token: Callable[[], uuid.UUID] = uuid.uuid4,
    who_is_away: Away = nobody,
    *,
    run: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run,
    database: Callable[[], AbstractContextManager[Executor]] = _thread_of_its_own,
) -> int:
    """Ask everyone in the cycle who has no verdict and is not being asked already; returns how many were asked.

    Of `who_is_away`, those named are left alone until the next round. `run` waits in the loop, `database` does what
    touches the database: both are arguments, so that a made-up clock can drive them.
    """
    with database() as executor:
        try:
            return run(_round(cycle_id, clock, open_runner, new_token, who_is_away, executor))
        finally:
            executor.submit(connections.close_all).result()


async def _round(
    cycle_id: int,
    clock: Clock,
    open_runner: Callable[[], AbstractAsyncContextManager[Ask]],
    new_token: Callable[[], uuid.UUID],
    who_is_away: Away,
    database: Executor,
) -> int:
    async def in_database(work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(database, partial(work, *args))

    asked: Round | None = await in_database(round_of, cycle_id, clock())
    if asked is None:
        return 0
    away = await who_is_away(await in_database(agents_to_ask, asked))
    if away:
        logger.warning("no runner answers for %s, so they are not asked now", ", ".join(sorted(away)))
    async with open_runner() as ask, asyncio.TaskGroup() as group:
        desk = _Desk(asked, clock, new_token, in_database, partial(_interview, ask, clock), group, away)
        return await desk.work()


@dataclass(slots=True)
class _Place:
    """A place for one answer in memory, taken before it is read and given back when it is stored."""

    room: asyncio.Semaphore
    is_taken: bool = False

    async def take(self) -> None:
        await self.room.acquire()
        self.is_taken = True

    def give_back(self) -> None:
        if self.is_taken:
            self.is_taken = False
            self.room.release()


Inbox = asyncio.Queue[tuple[Arrival, _Place]]


async def _interview(ask: Ask, clock: Clock, lease: Lease, inbox: Inbox, place: _Place) -> None:
    """Put one question. What is of the house decides here; everyone else is asked through a runner.

    Nobody is waited for beyond the lease, however long it took to come to the asking: then others may ask.
    """
    question = lease.question
    left_s = (lease.until - clock()).total_seconds()
    try:
        answer: Answer | NoAnswer
        if question.model.startswith(OF_THE_HOUSE):
            answer = decider(question.model, question.parameters)(question.brief, question.objections)
        elif left_s <= 0:
            answer = NoAnswer(TOO_LATE_TO_ASK)
        else:
            answer = await ask(replace(question, seconds=min(question.seconds, left_s)), place.take)
    except Exception as error:
        # One entry's trouble must not end the round of the others.
        logger.exception("interview of turn %s broke off", lease.turn_id)
        answer = NoAnswer(f"asking broke off: {type(error).__name__}", calls_known=False)
    inbox.put_nowait(((lease, answer), place))


@dataclass(slots=True)
class _Desk:
    """Sends questions out and takes answers in until nobody is being asked any more."""

    asked: Round
    clock: Clock
    new_token: Callable[[], uuid.UUID]
    in_database: Callable[..., Awaitable[Any]]
    interview: Callable[[Lease, Inbox, _Place], Coroutine[Any, Any, None]]
    group: asyncio.TaskGroup
    away: frozenset[str]
    inbox: Inbox = field(default_factory=asyncio.Queue)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ANSWERS_IN_MEMORY))
    out: int = 0

    async def work(self) -> int:
        """Everybody's questions, then the answers as they come, repairs included; returns how many were asked."""
        first = await self._send_all()
        while self.out:
            arrivals, places = await self._arrivals()
            wanting = await self._accept(arrivals)
            for place in places:
                place.give_back()
            if wanting:
                again = partial(lease_turns, self.asked, wanting, self.clock(), self.new_token)
                self._send(await self._patiently(again, []))
        return first

    async def _send_all(self) -> int:
        sent = 0
        behind: int | None = 0
        nothing: tuple[list[Lease], int | None] = ([], None)
        while behind is not None:
            some = partial(lease_some, self.asked, behind, self.clock(), self.new_token, self.away)
            leases, behind = await self._patiently(some, nothing)
            self._send(leases)
            sent += len(leases)
        return sent

    def _send(self, leases: list[Lease]) -> None:
        self.out += len(leases)
        for lease in leases:
            self.group.create_task(self.interview(lease, self.inbox, _Place(self.room)))

    async def _arrivals(self) -> tuple[list[Arrival], list[_Place]]:
        """At least one answer, with it those that are there already, up to a chunk; and the places they take."""
        came = [await self.inbox.get()]
        while len(came) < CHUNK and not self.inbox.empty():
            came.append(self.inbox.get_nowait())
        self.out -= len(came)
        return [arrival for arrival, _ in came], [place for _, place in came]

    async def _accept(self, arrivals: list[Arrival]) -> list[int]:
        """Store and judge. Replies are paid for, so a database that is away is waited for until the deadline."""
        now = self.clock()
        while True:
            wanting = await self._patiently(partial(accept, self.asked, arrivals, now), None)
            if wanting is not None:
                return list(wanting)
            if self.clock() >= self.asked.cycle.deadline_at:
                logger.error("%s replies could not be stored by the deadline and are lost", len(arrivals))
                return []

    async def _patiently[Result](self, work: Callable[[], Result], instead: Result) -> Result:
        """What the work in the database gives; `instead` when the database stays away longer than a few tries.

        It never raises an outage: that would end every question under way, each of which is paid for.
        """
        for pause_s in RETRY_AFTER_S:
            try:
                return cast(Result, await self.in_database(work))
            except (OperationalError, InterfaceError) as outage:
                logger.warning("the database is away or busy, trying again: %s", str(outage).strip())
                await self.in_database(connections.close_all)
                await asyncio.sleep(pause_s)
        return instead
