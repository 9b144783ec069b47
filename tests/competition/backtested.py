"""Backtests to ask for in tests: parameters with defaults, stages in memory, scripted agents, a result made by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from agents.core.signals import ArrayAgent, Asked, CalledAgent, Floats, Market
from competition.core.backtest import play_wishes, wishes_of
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.backtest_past import past_of
from competition.core.backtest_result import AgentResult, Curve, DecisionLine, Trade
from competition.core.backtest_stage import Played, Stage
from competition.services.backtest_market import columns_from, stage_in_memory
from market.core.candles import Series, to_ms
from market.core.snapshot import HISTORY
from market.core.symbols import DEFAULT_SYMBOLS, pick
from market.synthetic import synthetic_candles

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EQUAL = AgentSpec(slug="equal-weight", name="Equal weight", kind="baseline", model="baseline/equal-weight")
DATA = {"engine": 1, "series": {"BTCUSDT": "a", "ETHUSDT": "b"}}


def parameters(**changes: Any) -> BacktestParameters:
    wanted = {
        "agents": (EQUAL,),
        "symbols": ("BTCUSDT", "ETHUSDT"),
        "source": "synthetic",
        "first": datetime(2024, 1, 1, tzinfo=UTC),
        "last": datetime(2024, 3, 1, tzinfo=UTC),
    }
    return BacktestParameters(**{**wanted, **changes})


def a_result() -> AgentResult:
    trade = Trade("2024-01-01T01:00:00Z", "BTCUSDT", "buy", "0.1", "40000", "4000", "4")
    line = DecisionLine("2024-01-01T00:00:00Z", "rebalance", "", {"BTCUSDT": "0.4"}, "why", 1, "4000")
    curve = Curve([0, 3_600_000], [10_000.0, 10_001.5])
    return AgentResult("equal-weight", "Equal weight", 1, {"total_return": 0.1}, curve, 1, [trade], 1, [line], "0" * 64)


def stage(candles: Mapping[str, Series] | None = None, **changes: Any) -> Stage:
    """A stage in memory: the synthetic market's candles, or those given, without any that are before the window."""
    asked = parameters(**changes)
    names = asked.symbols
    series = candles or synthetic_candles(asked.seed)(names, asked.first - HISTORY, asked.last)
    arrays = {name: columns_from(one) for name, one in series.items()}
    past = past_of(arrays, asked.timeframe_ms, to_ms(asked.first), to_ms(asked.last))
    return stage_in_memory(asked, pick(names, DEFAULT_SYMBOLS), past, series)


class Scripted:
    """An array agent that wants given weights at given moments, and nothing in between."""

    def __init__(self, wanted: Mapping[int, Sequence[float]]) -> None:
        self.wanted = wanted

    def weights(self, market: Market, asked: Asked) -> Floats:
        found = np.full((len(asked), len(market)), np.nan)
        rows = np.flatnonzero(asked)
        for moment, weights in self.wanted.items():
            found[rows[moment]] = weights
        return found


def play(agent: ArrayAgent | CalledAgent, on: Stage, *, look: bool = True) -> Played:
    return play_wishes("alice", on, wishes_of(agent, on, lambda looked_at: None), look=look)
