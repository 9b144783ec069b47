"""Candles put together into longer ones, and the holes between them. Exact decimals in and out."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from market.core.candles import Series


@dataclass(frozen=True, slots=True)
class Bar:
    """An OHLC bar of one symbol; `open_ms` is when it began."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, slots=True)
class Hole:
    """`candles` that are absent from `from_ms` on."""

    from_ms: int
    candles: int


def bars_of(series: Series, length_ms: int, until_ms: int) -> tuple[Bar, ...]:
    """Bars of `length_ms`, counted from 1970, out of what had closed by `until_ms`; the last may be unfinished."""
    bars: list[Bar] = []
    first, end = 0, series.last_closed(until_ms) + 1
    while first < end:
        open_ms = series.open_ms[first] - series.open_ms[first] % length_ms
        after = bisect_left(series.open_ms, open_ms + length_ms, first, end)
        high, low = max(series.highs[first:after]), min(series.lows[first:after])
        bars.append(Bar(open_ms, series.opens[first], high, low, series.closes[after - 1]))
        first = after
    return tuple(bars)


def holes_of(series: Series) -> Sequence[Hole]:
    """Where candles are absent between two that are there."""
    return [
        Hole(before + series.step_ms, (after - before) // series.step_ms - 1)
        for before, after in pairwise(series.open_ms)
        if after - before > series.step_ms
    ]
