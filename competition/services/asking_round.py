"""One asking round: every free turn of a cycle is put to its agent at once, however many there are.

The event loop only waits for agents; what touches the database runs one at a time on a thread of its own.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connections
from django.db.utils import InterfaceError, OperationalError

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.deciders import decider
from agents.runner_client import Ask
from competition.services.asking import Lease, Round, accept, lease_turn, lease_turns, round_of

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
RETRY_AFTER_S = (0.0, 1.0, 5.0)


def ask_cycle(
    cycle_id: int,
    clock: Clock,
    open_runner: Callable[[], AbstractAsyncContextManager[Ask]],
    new_token: Callable[[], uuid.UUID] = uuid.uuid4,
) -> int:
    """Ask everyone in the cycle who has no verdict and is not being asked already; returns how many were asked."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask-db") as database:
        try:
            return asyncio.run(_round(cycle_id, clock, open_runner, new_token, database))
        finally:
            database.submit(connections.close_all).result()


async def _round(
    cycle_id: int,
    clock: Clock,
    open_runner: Callable[[], AbstractAsyncContextManager[Ask]],
    new_token: Callable[[], uuid.UUID],
    database: ThreadPoolExecutor,
) -> int:
    async def in_database(work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(database, partial(work, *args))

    asked: Round | None = await in_database(round_of, cycle_id)
    if asked is None:
        return 0
    leases: list[Lease] = await in_database(lease_turns, asked, clock(), new_token)
    async with open_runner() as ask, asyncio.TaskGroup() as group:
        for lease in leases:
            group.create_task(_interview(asked, lease, clock, ask, new_token, in_database))
    return len(leases)


async def _interview(
    asked: Round,
    lease: Lease | None,
    clock: Clock,
    ask: Ask,
    new_token: Callable[[], uuid.UUID],
    in_database: Callable[..., Any],
) -> None:
    """One turn until it has its verdict or no answer comes: the reply, then repairs while the engine wants them."""
    try:
        while lease is not None:
            answer = await _put(lease.question, ask)
            wants_more = await _accept(asked, lease, answer, clock(), in_database)
            turn_id, lease = lease.turn_id, None
            if wants_more:
                lease = await in_database(lease_turn, asked, turn_id, clock(), new_token())
    except Exception:
        # One entry's trouble must not end the round of the others; its lease runs out and it is asked again.
        logger.exception("interview of turn %s broke off", lease.turn_id if lease else "?")


async def _accept(
    asked: Round, lease: Lease, answer: Answer | NoAnswer, now: datetime, in_database: Callable[..., Any]
) -> bool:
    """Store and judge. A reply is paid for, so a database that is away for a moment does not lose it."""
    for pause_s in RETRY_AFTER_S:
        try:
            return bool(await in_database(accept, asked, lease, answer, now))
        except (OperationalError, InterfaceError) as outage:
            logger.warning("a reply could not be stored, trying again: %s", str(outage).strip())
            await in_database(connections.close_all)
            await asyncio.sleep(pause_s)
    return bool(await in_database(accept, asked, lease, answer, now))


async def _put(question: Question, ask: Ask) -> Answer | NoAnswer:
    """Baselines are part of the house and decide here; everyone else is asked through a runner."""
    if question.model.startswith("baseline/"):
        return decider(question.model, question.parameters)(question.brief, question.objections)
    return await ask(question)
