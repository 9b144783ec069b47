"""Backtests as rows: asked for, taken by a worker, told of, ended. Pages, admin, tasks and commands are doors to this.

A worker takes a backtest under a token and a lease, as a turn is taken. One whose lease ran out is taken again and
played from its start: the same arguments give the same result, and replies of models are kept by what was asked. What
is cancelled or taken by another is noticed at the next word of progress.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from competition.core.backtest_parameters import BacktestParameters
from competition.core.backtest_result import AgentResult, packed_curve, packed_lines
from competition.core.states import BacktestState, check_transition
from competition.models import Backtest, BacktestRun
from market.core.canonical import sha256_of

LEASE = timedelta(seconds=60)
ATTEMPTS_MAX = 3
KEY_LENGTH = 16
CUT_OFF = f"A worker was cut off {ATTEMPTS_MAX} times while it computed this; ask for fewer candles or agents."
UNFINISHED = (BacktestState.QUEUED.value, BacktestState.RUNNING.value)


class NoLongerOurs(Exception):
    """The backtest was cancelled, or its lease ran out and another took it: stop, and write nothing."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: `via` is page, admin, command or sweep; `client` tells strangers apart without saying who they are."""

    via: str
    user_id: int | None = None
    client: str = ""


def request_backtest(
    parameters: BacktestParameters, data: Mapping[str, Any], label: str, asker: Asker, now: datetime
) -> tuple[Backtest, bool]:
    """The backtest of these parameters over this data, and whether there is anything left to do.

    One that is done is handed back as it is, one that is under way is joined, one that failed or was cancelled is put
    into the queue again.
    """
    hashes = (parameters.sha256, sha256_of(data))
    backtest, is_new = Backtest.objects.get_or_create(
        parameters_sha256=hashes[0],
        data_sha256=hashes[1],
        defaults={
            "key": sha256_of(hashes)[:KEY_LENGTH],
            "parameters": parameters.document(),
            "data": dict(data),
            "label": label,
            "requested_by_id": asker.user_id,
            "requested_via": asker.via,
            "client": asker.client,
            "requested_at": now,
        },
    )
    if not is_new and backtest.label != label:  # more is known of a model's training by now
        Backtest.objects.filter(id=backtest.id).update(label=label)
        backtest.label = label
    if not is_new and backtest.state in (BacktestState.FAILED, BacktestState.CANCELLED):
        resume(backtest.key, now)
        backtest.refresh_from_db()
    return backtest, backtest.state != BacktestState.DONE


@transaction.atomic
def resume(key: str, now: datetime) -> Backtest:
    """Put one that failed or was cancelled into the queue again. Raises `UndeclaredTransition` for any other."""
    backtest = Backtest.objects.select_for_update().get(key=key)
    check_transition(BacktestState(backtest.state), BacktestState.QUEUED)
    backtest.state, backtest.error = BacktestState.QUEUED.value, ""
    backtest.attempts, backtest.progress_done = 0, 0
    backtest.requested_at, backtest.finished_at = now, None
    backtest.save()
    return backtest


@transaction.atomic
def cancel(key: str, now: datetime) -> Backtest:
    """End one that waits or runs; its worker stops at its next word of progress. Raises `UndeclaredTransition`."""
    backtest = Backtest.objects.select_for_update().get(key=key)
    check_transition(BacktestState(backtest.state), BacktestState.CANCELLED)
    return _ended(backtest, BacktestState.CANCELLED, now)


def due(now: datetime) -> list[str]:
    """The keys of those that wait for a worker or have lost theirs, oldest request first."""
    waiting = Q(state=BacktestState.QUEUED.value) | Q(state=BacktestState.RUNNING.value, lease_until__lte=now)
    return list(Backtest.objects.filter(waiting).order_by("requested_at", "id").values_list("key", flat=True))


@transaction.atomic
def claim(key: str, token: uuid.UUID, now: datetime) -> Backtest | None:
    """Take a backtest that waits or whose worker is gone; None when there is nothing to do for us.

    One that was cut off too often fails instead: whatever kills its workers would kill the next one, too.
    """
    backtest = Backtest.objects.select_for_update(skip_locked=True).filter(key=key).first()
    if backtest is None or backtest.state not in UNFINISHED:
        return None
    if backtest.state == BacktestState.RUNNING and backtest.lease_until and backtest.lease_until > now:
        return None
    if backtest.attempts >= ATTEMPTS_MAX:
        _ended(backtest, BacktestState.FAILED, now, CUT_OFF)
        return None
    backtest.state, backtest.token, backtest.lease_until = BacktestState.RUNNING.value, token, now + LEASE
    backtest.attempts += 1
    backtest.progress_done, backtest.started_at = 0, now
    backtest.save()
    return backtest


def tell_progress(backtest: Backtest, done: int, total: int, now: datetime) -> None:
    """Say how far it is, and keep the lease. Raises `NoLongerOurs`."""
    held = Backtest.objects.filter(id=backtest.id, state=BacktestState.RUNNING.value, token=backtest.token)
    if not held.update(progress_done=done, progress_total=total, lease_until=now + LEASE):
        raise NoLongerOurs(f"{backtest} was cancelled or taken by another worker")


@transaction.atomic
def finish(
    backtest: Backtest, results: Sequence[AgentResult], notes: Mapping[str, Any], seconds: float, now: datetime
) -> Backtest:
    """Keep the results, all at once. Raises `NoLongerOurs`; nothing is written then."""
    held = _held(backtest)
    BacktestRun.objects.bulk_create(_run_of(held, result) for result in results)
    held.notes, held.seconds = dict(notes), seconds
    held.progress_done = held.progress_total
    return _ended(held, BacktestState.DONE, now)


@transaction.atomic
def fail(backtest: Backtest, error: str, now: datetime) -> Backtest:
    """End it with a sentence for whoever asked. Raises `NoLongerOurs`."""
    return _ended(_held(backtest), BacktestState.FAILED, now, error)


def _held(backtest: Backtest) -> Backtest:
    """The row, locked, while the lease on it is ours."""
    held = Backtest.objects.select_for_update().filter(
        id=backtest.id, state=BacktestState.RUNNING.value, token=backtest.token
    )
    found = held.first()
    if found is None:
        raise NoLongerOurs(f"{backtest} was cancelled or taken by another worker")
    return found


def _ended(backtest: Backtest, state: BacktestState, now: datetime, error: str = "") -> Backtest:
    check_transition(BacktestState(backtest.state), state)
    backtest.state, backtest.error = state.value, error[:1000]
    backtest.token = backtest.lease_until = None
    backtest.finished_at = now
    backtest.save()
    return backtest


def _run_of(backtest: Backtest, result: AgentResult) -> BacktestRun:
    return BacktestRun(
        backtest=backtest,
        number=result.number,
        agent=result.agent,
        name=result.name,
        metrics=dict(result.metrics),
        curve=packed_curve(result.curve),
        trades_count=result.trades_count,
        trades=packed_lines(result.trades),
        decisions_count=result.decisions_count,
        decisions=packed_lines(result.decisions),
        postings_sha256=result.postings_sha256,
    )
