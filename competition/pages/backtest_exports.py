"""A backtest as files, written piece by piece: one JSON document, and tables as CSV."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from datetime import datetime

from competition.core.backtest_result import Trade, unpacked_curve, unpacked_decisions, unpacked_trades
from competition.models import Backtest, BacktestRun
from competition.pages.backtest_sheet import runs_of
from competition.pages.csv_rows import csv_blocks
from competition.services.backtest_reads import BacktestResult, agent_document, head_document, result_from, status_from
from market.core.candles import from_ms
from market.core.canonical import utc_text

_DECISION_HEAD = ("agent", "as_of", "verdict", "reason", "weights", "rationale", "orders", "traded")
_TRADE_HEAD = tuple(field.name for field in fields(Trade))

type Row = Iterable[str | float]


def json_chunks(backtest: Backtest, now: datetime) -> Iterator[str]:
    """The document that the command prints with --json; one agent in memory at a time."""
    head = head_document(BacktestResult(status_from(backtest, now), backtest.data, backtest.notes, ()))
    yield json.dumps(head)[:-1] + ', "agents": ['
    for index, run in enumerate(_one_by_one(backtest)):
        yield (", " if index else "") + json.dumps(agent_document(result_from(run)))
    yield "]}\n"


def csv_chunks(backtest: Backtest, table: str) -> Iterator[str]:
    """One of `TABLES` as CSV with a head."""
    return csv_blocks(TABLES[table](backtest))


def _one_by_one(backtest: Backtest) -> Iterator[BacktestRun]:
    for number in list(backtest.runs.order_by("number").values_list("number", flat=True)):
        yield backtest.runs.get(number=number)


def _figures(backtest: Backtest) -> Iterator[Row]:
    """One row for each agent, one column for each plain number."""
    runs = runs_of(backtest)
    plain = [{name: value for name, value in run.metrics.items() if not isinstance(value, dict | list)} for run in runs]
    names = list(dict.fromkeys(name for metrics in plain for name in metrics))
    over = list(dict.fromkeys(name for run in runs for name in run.metrics.get("excess_returns") or {}))
    yield ("agent", *names, *(f"excess_over_{name}" for name in over))
    for run, metrics in zip(runs, plain, strict=True):
        excess = run.metrics.get("excess_returns") or {}
        found = [*(metrics.get(name) for name in names), *(excess.get(name) for name in over)]
        yield (run.agent, *("" if value is None else value for value in found))


def _curves(backtest: Backtest) -> Iterator[Row]:
    yield ("agent", "at", "value")
    for run in runs_of(backtest):
        curve = unpacked_curve(bytes(run.curve))
        for at_ms, value in zip(curve.at_ms, curve.values, strict=True):
            yield (run.agent, utc_text(from_ms(at_ms)), value)


def _trades(backtest: Backtest) -> Iterator[Row]:
    yield ("agent", *_TRADE_HEAD)
    for run in _one_by_one(backtest):
        for trade in unpacked_trades(bytes(run.trades)):
            yield (run.agent, *(str(getattr(trade, name)) for name in _TRADE_HEAD))


def _decisions(backtest: Backtest) -> Iterator[Row]:
    yield _DECISION_HEAD
    for run in _one_by_one(backtest):
        for line in unpacked_decisions(bytes(run.decisions)):
            weights = json.dumps(dict(line.weights))
            told = (line.verdict, line.reason, weights, line.rationale, line.orders, line.traded)
            yield (run.agent, line.as_of, *told)


TABLES: dict[str, Callable[[Backtest], Iterator[Row]]] = {
    "figures": _figures,
    "curves": _curves,
    "trades": _trades,
    "decisions": _decisions,
}
