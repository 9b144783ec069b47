"""Sweeps: the same agents over many windows and seeds, a backtest each, played by as many workers as there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from django.db import transaction

from competition.backtest_models import Backtest, Sweep
from competition.core.states import BacktestState
from competition.services.backtest_requests import BacktestWish, data_of, label_of, parameters_from
from competition.services.backtests import KEY_LENGTH, UNFINISHED, Asker, request_backtest
from market.core.canonical import sha256_of

CELLS_MAX = 1_000


class SweepRefused(ValueError):
    """The sweep cannot be played as asked; the message says what to change."""


@dataclass(frozen=True, slots=True)
class SweepLine:
    """One agent in one backtest of a sweep; `metrics` is None unless it is done, `error` says why it will not be."""

    key: str
    agent: str
    first: str
    last: str
    seed: int
    state: str
    error: str
    metrics: Mapping[str, Any] | None


def ask_for_sweep(
    common: Mapping[str, Any], windows: Sequence[tuple[str, str]], seeds: Sequence[int], now: datetime
) -> Sweep:
    """Backtests of each agent of `common["agents"]` over each window with each seed, written all or none.

    Each agent has a backtest of its own, so that they can be played side by side. Raises `BacktestRefused` for the
    first that cannot be played, and `SweepRefused`.
    """
    cells = list(product(common["agents"], windows, seeds))
    if not 0 < len(cells) <= CELLS_MAX:
        raise SweepRefused(f"These are {len(cells):,} backtests; a sweep has from 1 to {CELLS_MAX:,}.")
    wishes = [
        BacktestWish(**{**common, "agents": (agent,)}, first=first, last=last, seed=seed)
        for agent, (first, last), seed in cells
    ]
    asked = [parameters_from(wish) for wish in wishes]
    with transaction.atomic():
        backtests = [
            request_backtest(parameters, data_of(parameters), label_of(parameters), Asker("sweep"), now)[0]
            for parameters in asked
        ]
        document = {"agents": list(common["agents"]), "windows": [list(w) for w in windows], "seeds": list(seeds)}
        keys = [backtest.key for backtest in backtests]
        sweep, _ = Sweep.objects.get_or_create(
            key=sha256_of(keys)[:KEY_LENGTH], defaults={"document": document, "requested_at": now}
        )
        sweep.backtests.set(backtests)
    return sweep


def waiting_in(sweep: Sweep) -> list[str]:
    """The keys of its backtests that nobody has finished, oldest first."""
    unfinished = sweep.backtests.filter(state__in=UNFINISHED).order_by("id")
    return list(unfinished.values_list("key", flat=True))


def is_played(sweep: Sweep, now: datetime) -> bool:
    """Whether a worker holds any of its backtests, by a lease that has not run out."""
    return sweep.backtests.filter(state=BacktestState.RUNNING.value, lease_until__gt=now).exists()


def lines_of_sweep(sweep: Sweep) -> list[SweepLine]:
    """Every agent of every backtest, in the order they were asked for. Two queries."""
    backtests = sweep.backtests.order_by("id").prefetch_related("runs")
    return [line for backtest in backtests for line in _lines(backtest)]


def _lines(backtest: Backtest) -> list[SweepLine]:
    asked = backtest.parameters
    metrics = {run.agent: run.metrics for run in backtest.runs.all()}
    return [
        SweepLine(
            key=backtest.key,
            agent=agent["slug"],
            first=asked["first"][:10],
            last=asked["last"][:10],
            seed=asked["seed"],
            state=backtest.state,
            error=backtest.error,
            metrics=metrics.get(agent["slug"]),
        )
        for agent in asked["agents"]
    ]
