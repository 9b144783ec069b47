"""What a curve of values and its deals say: the figures of a backtest, and how each is computed.

Conventions, the same for every figure:

- Values are net asset values in quote after all trading costs; what models cost is not in them.
- A year has 365 days. What is annualised is so by calendar time, not by the number of points.
- Returns are daily and simple: the curve is read every 24 h from its start, and where it has no point the last one
  counts, so a gap is days of 0 and then one move. The risk-free rate is 0.
- Nothing is annualised below `OBSERVATIONS_MIN` daily returns: such a figure is None, as is one that has no value
  (a ratio to no risk, a mean of nothing). What stands at zero stays there: its daily returns are 0.

Floats throughout: these figures are for reading and never become money. `exact` figures of the board are in `metrics`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio.core.trips import Deal, Trips, trips_of

type Floats = NDArray[np.float64]
type Instants = NDArray[np.int64]

DAY_MS = 86_400_000
DAYS_PER_YEAR = 365
OBSERVATIONS_MIN = 30  # daily returns
_NO_RISK = 1e-12  # a deviation below this is what rounding leaves of a constant


@dataclass(frozen=True, slots=True, eq=False)
class ValueCurve:
    """Values in quote at `at_ms`, milliseconds since 1970, rising. `ValueError` for what can be no curve of values.

    `invested` is how much of each value is in assets rather than in quote; None when nobody says.
    """

    at_ms: Instants
    values: Floats
    invested: Floats | None = None

    def __post_init__(self) -> None:
        others = (self.at_ms, self.values if self.invested is None else self.invested)
        if any(len(other) != len(self.values) for other in others):
            raise ValueError("a curve has as many instants as values")
        if not np.isfinite(self.values).all() or (self.values < 0).any():
            raise ValueError("a value is a number, and not below zero")
        if len(self.values) and self.values[0] <= 0:
            raise ValueError("a curve begins with something to lose")
        if (np.diff(self.at_ms) <= 0).any():
            raise ValueError("the instants of a curve rise")

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a high: `depth` as a fraction of it, 0..1. `recovered_ms` is None until the high is seen again."""

    depth: float
    peak_ms: int
    trough_ms: int
    recovered_ms: int | None


@dataclass(frozen=True, slots=True)
class Performance:
    """Returns, drawdown, volatility, exposure, turnover and win rate are fractions; fees, wins and losses in quote.

    total_return       `last / first - 1`
    annual_return      `(last / first) ^ (365 / days) - 1`, days by the calendar
    excess_returns     total return less that of each benchmark over the same instants
    volatility         sample deviation (ddof 1) of daily returns, times sqrt(365)
    sharpe             mean / sample deviation of daily returns, times sqrt(365)
    sortino            mean of daily returns * 365 / (sqrt(mean of min(return, 0)^2) * sqrt(365))
    calmar             annual return / depth of the deepest drawdown
    max_drawdown       the deepest, over all points of the curve
    turnover           traded amount, buys and sells together, over the mean value
    exposure           mean share of the value that is in assets, each point for as long as it stands
    win_rate           closed deals with a profit / closed deals; see `trips` for what these are
    profit_factor      sum of the profits / sum of the losses
    """

    days: float
    observations: int
    total_return: float | None
    annual_return: float | None
    excess_returns: Mapping[str, float]
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: Drawdown | None
    turnover: float | None
    exposure: float | None
    trades: int
    fees: float
    closed: int
    win_rate: float | None
    average_win: float | None
    average_loss: float | None
    profit_factor: float | None

    def document(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        return asdict(self)


def performance(
    curve: ValueCurve, deals: Sequence[Deal] = (), benchmarks: Mapping[str, ValueCurve] | None = None
) -> Performance:
    """Every figure of a curve. An empty one has no returns, one point none that is annualised: see the conventions."""
    returns, trips = daily_returns(curve), trips_of(deals)
    total = total_return(curve)
    annual, deepest = annual_return(curve), next(iter(drawdowns(curve, 1)), None)
    traded = sum(float(deal.quote_amount) for deal in deals)
    mean_value = float(curve.values.mean()) if len(curve) else 0.0
    return Performance(
        days=float(curve.at_ms[-1] - curve.at_ms[0]) / DAY_MS if len(curve) else 0.0,
        observations=len(returns),
        total_return=total,
        annual_return=annual,
        excess_returns=_excess(total, benchmarks or {}),
        volatility=volatility(returns),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=_ratio(annual, deepest.depth if deepest else 0.0),
        max_drawdown=deepest,
        turnover=_ratio(traded, mean_value),
        exposure=exposure(curve),
        trades=len(deals),
        fees=float(sum(deal.fee for deal in deals)),
        **_of_trips(trips),
    )


def daily_returns(curve: ValueCurve) -> Floats:
    """Simple returns from one day to the next, from the start on; a last day that is not over is not among them."""
    if len(curve) < 2:
        return np.empty(0)
    days = int(curve.at_ms[-1] - curve.at_ms[0]) // DAY_MS
    read_at = curve.at_ms[0] + np.arange(days + 1) * DAY_MS
    values = curve.values[np.searchsorted(curve.at_ms, read_at, side="right") - 1]
    before, after = values[:-1], values[1:]
    grown: Floats = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    return grown - 1


def total_return(curve: ValueCurve) -> float | None:
    return float(curve.values[-1] / curve.values[0] - 1) if len(curve) else None


def annual_return(curve: ValueCurve) -> float | None:
    """The constant yearly return that leads from first to last value in the time between; None below 30 days."""
    if len(daily_returns(curve)) < OBSERVATIONS_MIN:
        return None
    years = float(curve.at_ms[-1] - curve.at_ms[0]) / DAY_MS / DAYS_PER_YEAR
    grown = float(curve.values[-1] / curve.values[0])
    if grown == 0:
        return -1.0
    exponent = math.log(grown) / years
    return math.expm1(exponent) if exponent < math.log(1e300) else None


def volatility(returns: Floats) -> float | None:
    return _deviation(returns) * math.sqrt(DAYS_PER_YEAR) if len(returns) >= OBSERVATIONS_MIN else None


def sharpe(returns: Floats) -> float | None:
    if len(returns) < OBSERVATIONS_MIN:
        return None
    return _ratio(float(returns.mean()) * math.sqrt(DAYS_PER_YEAR), _deviation(returns))


def sortino(returns: Floats) -> float | None:
    """As Sortino defined it: the falls' mean square is taken over all days, not over those that fell."""
    if len(returns) < OBSERVATIONS_MIN:
        return None
    downside = math.sqrt(float(np.square(np.minimum(returns, 0)).mean()))
    return _ratio(float(returns.mean()) * math.sqrt(DAYS_PER_YEAR), downside)


def drawdowns(curve: ValueCurve, count: int) -> list[Drawdown]:
    """The deepest falls, deepest first: each from a high to the first value at or above it. None where nothing fell."""
    if not len(curve):
        return []
    peaks = np.maximum.accumulate(curve.values)
    below = curve.values < peaks
    edges = np.diff(below.astype(np.int8), prepend=0, append=0)
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    depths = [1 - float(curve.values[a:b].min() / peaks[a]) for a, b in zip(starts, ends, strict=True)]
    worst = sorted(range(len(depths)), key=lambda n: -depths[n])[:count]
    return [_drawdown(curve, int(starts[n]), int(ends[n]), depths[n]) for n in worst]


def _drawdown(curve: ValueCurve, start: int, end: int, depth: float) -> Drawdown:
    return Drawdown(
        depth=depth,
        peak_ms=int(curve.at_ms[start - 1]),
        trough_ms=int(curve.at_ms[start + np.argmin(curve.values[start:end])]),
        recovered_ms=int(curve.at_ms[end]) if end < len(curve) else None,
    )


def exposure(curve: ValueCurve) -> float | None:
    """None for a curve that spans no time, and where nobody says what was invested."""
    if curve.invested is None or len(curve) < 2:
        return None
    values = curve.values[:-1]
    shares = np.divide(curve.invested[:-1], values, out=np.zeros_like(values), where=values > 0)
    return float(np.average(shares, weights=np.diff(curve.at_ms)))


def monthly_returns(curve: ValueCurve) -> dict[str, float]:
    """Return of each calendar month in UTC, by `2024-01`: from the last value before it, or the first in it, on.

    What closes at midnight closes the month that is over; only a curve that begins there begins with the new one.
    """
    if not len(curve):
        return {}
    closed_in = curve.at_ms - 1
    closed_in[0] = curve.at_ms[0]
    months = closed_in.astype("datetime64[ms]").astype("datetime64[M]")
    lasts = np.append(np.nonzero(months[1:] != months[:-1])[0], len(curve) - 1)
    ends = curve.values[lasts]
    begins = np.append(curve.values[0], ends[:-1])
    changes = np.divide(ends, begins, out=np.ones_like(ends), where=begins > 0) - 1
    return {str(month): float(change) for month, change in zip(months[lasts], changes, strict=True)}


def _deviation(returns: Floats) -> float:
    """Sample deviation, 0 where it is nothing but rounding."""
    found = float(returns.std(ddof=1))
    return found if found > _NO_RISK * (1 + abs(float(returns.mean()))) else 0.0


def _excess(total: float | None, benchmarks: Mapping[str, ValueCurve]) -> dict[str, float]:
    others = {name: total_return(curve) for name, curve in benchmarks.items()}
    return {name: total - other for name, other in others.items() if total is not None and other is not None}


def _of_trips(trips: Trips) -> dict[str, Any]:
    won, lost = [float(p) for p in trips.profits if p > 0], [float(p) for p in trips.profits if p < 0]
    return {
        "closed": len(trips.profits),
        "win_rate": _ratio(len(won), len(trips.profits)),
        "average_win": _ratio(sum(won), len(won)),
        "average_loss": _ratio(sum(lost), len(lost)),
        "profit_factor": _ratio(sum(won), -sum(lost)),
    }


def _ratio(above: float | None, below: float) -> float | None:
    return None if above is None or below == 0 else above / below
