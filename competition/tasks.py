"""Celery's doors. Each task says what may be due; the database says whether it is."""

import uuid
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from competition.services import (
    analyses,
    asking_round,
    auditing,
    errands,
    executing,
    feeding,
    reconciling,
    recovering,
    ticking,
)
from competition.services.venue_account import account_if_any


@shared_task(name="competition.tasks.tick")
def tick(**kwargs: Any) -> None:
    now = timezone.now()
    ticking.heartbeat("beat and worker", now)
    ticking.tick(now, send)


@shared_task(name="competition.tasks.advance")
def advance(cycle_id: int, **kwargs: Any) -> None:
    ticking.advance(cycle_id, timezone.now)


@shared_task(name="competition.tasks.ask")
def ask(cycle_id: int, **kwargs: Any) -> None:
    asking_round.ask_now(cycle_id)


@shared_task(name="competition.tasks.analyse")
def analyse(row_id: int, **kwargs: Any) -> None:
    analyses.analyse_now(row_id)


@shared_task(name="competition.tasks.execute")
def execute(cycle_id: int, **kwargs: Any) -> None:
    executing.execute(cycle_id, timezone.now, account_if_any)


@shared_task(name="competition.tasks.errand")
def errand(errand_id: int, **kwargs: Any) -> None:
    errands.run(errand_id, timezone.now, send, holds_keys=True)


@shared_task(name="competition.tasks.run_errands")
def run_errands(**kwargs: Any) -> None:
    ticking.dispatch_errands(timezone.now(), send)


@shared_task(name="competition.tasks.audit")
def audit(**kwargs: Any) -> None:
    auditing.audit(timezone.now)


@shared_task(name="competition.tasks.fetch")
def fetch(**kwargs: Any) -> None:
    feeding.fetch_market(timezone.now())


@shared_task(name="competition.tasks.play_backtest")
def play_backtest(key: str, **kwargs: Any) -> None:
    from competition.services import backtest_runs  # here, because no other worker needs arrays

    backtest_runs.run_backtest(key, timezone.now, uuid.uuid4())


@shared_task(name="competition.tasks.play_backtests")
def play_backtests(**kwargs: Any) -> None:
    from competition.services import backtest_runs

    backtest_runs.run_due(timezone.now, uuid.uuid4)


@shared_task(name="competition.tasks.reconcile")
def reconcile(**kwargs: Any) -> None:
    if reconciling.is_needed():
        recovering.recover_by_night(timezone.now)
        reconciling.reconcile_account(timezone.now)


STEPS = {
    ticking.ADVANCE: advance,
    ticking.ASK: ask,
    ticking.ANALYSE: analyse,
    ticking.EXECUTE: execute,
    ticking.ERRAND: errand,
}

NAMES = {ticking.ANALYSE: "row_id", ticking.ERRAND: "errand_id"}  # what a step is about, if it is not a cycle


def send(step: str, row_id: int) -> None:
    """Dispatch a step as a message; one that waited for longer than five ticks is stale and dropped."""
    STEPS[step].apply_async(kwargs={NAMES.get(step, "cycle_id"): row_id}, expires=max(settings.TICK_EVERY_S * 5, 10))
