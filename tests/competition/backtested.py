"""Backtests to ask for in tests: parameters with defaults, a result made by hand."""

from datetime import UTC, datetime
from typing import Any

from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.backtest_result import AgentResult, Curve, DecisionLine, Trade

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
