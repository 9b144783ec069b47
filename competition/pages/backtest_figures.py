"""The figures of a backtest as text, with what each means. What has no figure is a dash, never a zero."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from competition.pages.figures import NOTHING, Figure, money, percent, points, signed_percent

type Metrics = Mapping[str, Any]

_NONE = Figure(NOTHING)


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: `read` takes it out of an agent's metrics, `unit` and `meaning` say what it is."""

    title: str
    unit: str
    meaning: str
    read: Callable[[Metrics], Figure]


def exact(number: float) -> Decimal:
    """A float as the shortest decimal that reads as it."""
    return Decimal(repr(number))


def measure_of(metrics: Metrics, title: str) -> Figure:
    return next(measure for measure in MEASURES if measure.title == title).read(metrics)


def _number(name: str, places: int = 2) -> Callable[[Metrics], Figure]:
    return _when(lambda metrics: metrics.get(name), lambda value: Figure(money(exact(value), places)))


def _share(name: str) -> Callable[[Metrics], Figure]:
    return _when(lambda metrics: metrics.get(name), lambda value: Figure(percent(exact(value))))


def _change(name: str) -> Callable[[Metrics], Figure]:
    return _when(lambda metrics: metrics.get(name), lambda value: signed_percent(exact(value)))


def _excess(name: str) -> Callable[[Metrics], Figure]:
    return _when(lambda metrics: (metrics.get("excess_returns") or {}).get(name), lambda value: points(exact(value)))


def _when(find: Callable[[Metrics], float | None], show: Callable[[float], Figure]) -> Callable[[Metrics], Figure]:
    def read(metrics: Metrics) -> Figure:
        value = find(metrics)
        return _NONE if value is None else show(value)

    return read


def _depth(metrics: Metrics) -> float | None:
    if "max_drawdown" not in metrics:
        return None
    deepest = metrics["max_drawdown"]
    return float(deepest["depth"]) if deepest else 0.0


def _count(metrics: Metrics) -> Figure:
    return Figure(f"{metrics['trades']:,}") if "trades" in metrics else _NONE


VALUE, RETURN, DRAWDOWN = "Value", "Return", "Deepest fall"
MEASURES = (
    Measure(VALUE, "USDT", "What the capital became, after fees and slippage.", _number("final_value", 0)),
    Measure(RETURN, "net", "Last value by first, less one.", _change("total_return")),
    Measure(
        "Per year", "net", "The constant yearly return that leads there, by the calendar.", _change("annual_return")
    ),
    Measure("Over bitcoin", "points", "Return less that of bitcoin bought once and held.", _excess("btc_hold")),
    Measure(
        "Over equal", "points", "Return less that of all symbols bought once in equal parts.", _excess("equal_weight")
    ),
    Measure(
        DRAWDOWN,
        "",
        "The deepest fall from an earlier high, over all candles.",
        _when(_depth, lambda v: Figure(percent(exact(v)))),
    ),
    Measure("Volatility", "a year", "Deviation of daily returns, times the root of 365.", _share("volatility")),
    Measure(
        "Sharpe",
        "",
        "Mean of daily returns by their deviation, times the root of 365; no risk-free rate.",
        _number("sharpe"),
    ),
    Measure("Sortino", "", "As Sharpe, counting only the days that fell.", _number("sortino")),
    Measure("Calmar", "", "Return per year by the deepest fall.", _number("calmar")),
    Measure("Trades", "", "Orders that were executed.", _count),
    Measure("Sales won", "", "Sales above the average cost of what was sold, of all sales.", _share("win_rate")),
    Measure("Average win", "USDT", "Mean profit of those sales.", _number("average_win")),
    Measure("Average loss", "USDT", "Mean loss of the others.", _number("average_loss")),
    Measure("Profit factor", "", "Profits of all sales by their losses.", _number("profit_factor")),
    Measure("Turnover", "× value", "What was traded, by the mean value.", _number("turnover")),
    Measure("Invested", "", "Mean share of the value that was in assets.", _share("exposure")),
    Measure("Fees", "USDT", "Paid for trading.", _number("fees")),
)
HEADLINE = (VALUE, RETURN, "Per year", "Over bitcoin", "Over equal", DRAWDOWN, "Sharpe", "Trades", "Fees")
