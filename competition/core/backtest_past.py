"""The past a backtest is played on: candles that all its symbols have, and the instants at which its agents decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from market.core.columns import Columns

type Rows = NDArray[np.int64]

WARM_UP = 1_000  # candles before the window, for indicators: five times the longest usual span
FRESH_MS = 6 * 3_600_000  # as in a season: an older price is none


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """`market` has one axis of `open_ms`, rows at which every symbol has a candle; those before `start` only warm up.

    `alone` counts the candles left out because another symbol has none at that instant. Nothing is ever filled in.
    """

    market: Mapping[str, Columns]
    step_ms: int
    start: int
    alone: int

    @property
    def open_ms(self) -> Rows:
        return next(iter(self.market.values())).open_ms

    @property
    def close_ms(self) -> Rows:
        """The instants from which each row is known."""
        return self.open_ms + self.step_ms

    def __len__(self) -> int:
        return len(self.open_ms)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Decisions fall due at `at_ms`, on `rows`; they are traded one row later. `missed` had no fresh candle."""

    rows: Rows
    at_ms: Rows
    missed: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Candles that are absent: the first would open at `from_ms`, the next one there is opens at `to_ms`."""

    from_ms: int
    to_ms: int
    candles: int


def past_of(series: Mapping[str, Columns], step_ms: int, first_ms: int, last_ms: int, warm_up: int = WARM_UP) -> Past:
    """The candles that open at or after `first_ms` and close at or before `last_ms`, with `warm_up` before them."""
    cut = {name: _within(columns, first_ms - warm_up * step_ms, last_ms - step_ms) for name, columns in series.items()}
    axis = reduce(_common, (columns.open_ms for columns in cut.values()))
    market = {name: _at(columns, axis) for name, columns in cut.items()}
    alone = sum(len(columns) - len(axis) for columns in cut.values())
    return Past(market, step_ms, int(np.searchsorted(axis, first_ms)), alone)


def holes_in(past: Past) -> list[Hole]:
    """Every hole in the window, oldest first, the one between warm-up and window included."""
    open_ms = past.open_ms[max(past.start - 1, 0) :]
    before = np.flatnonzero(np.diff(open_ms) > past.step_ms)
    return [
        Hole(int(start), int(end), int((end - start) // past.step_ms))
        for start, end in zip(open_ms[before] + past.step_ms, open_ms[before + 1], strict=True)
    ]


def moments_of(past: Past, first_ms: int, last_ms: int, every_ms: int) -> Moments:
    """When decisions fall due: every `every_ms` from the first instant at which a candle of the window is known.

    That is `first_ms` itself when a candle closed just then, else the close of the window's first one. The last moment
    is one that can still be traded before `last_ms`. A moment whose newest candle, or the one to trade at, is
    not fresh is missed.
    """
    close_ms = past.close_ms
    if not len(close_ms):
        return Moments(close_ms, close_ms, 0)
    fresh_ms = max(FRESH_MS, past.step_ms)
    if every_ms == past.step_ms:
        rows = np.arange(int(np.searchsorted(close_ms, first_ms)), len(close_ms) - 1)
        soon = close_ms[rows + 1] - close_ms[rows] <= fresh_ms
        return Moments(rows[soon], close_ms[rows[soon]], int(np.count_nonzero(~soon)))
    begins_ms = first_ms if past.start > 0 and close_ms[past.start - 1] == first_ms else first_ms + past.step_ms
    at_ms = np.arange(begins_ms, last_ms - past.step_ms + 1, every_ms, dtype=np.int64)
    rows = np.searchsorted(close_ms, at_ms, side="right") - 1
    following = close_ms[np.minimum(rows + 1, len(close_ms) - 1)]
    usable = (rows >= 0) & (rows + 1 < len(close_ms))
    usable &= (at_ms - close_ms[rows] <= fresh_ms) & (following - at_ms <= fresh_ms)
    return Moments(rows[usable], at_ms[usable], int(np.count_nonzero(~usable)))


def _within(columns: Columns, first_open_ms: int, last_open_ms: int) -> Columns:
    first = int(np.searchsorted(columns.open_ms, first_open_ms))
    return columns.rows(slice(first, int(np.searchsorted(columns.open_ms, last_open_ms, side="right"))))


def _common(one: Rows, other: Rows) -> Rows:
    return one if np.array_equal(one, other) else np.intersect1d(one, other, assume_unique=True)


def _at(columns: Columns, axis: Rows) -> Columns:
    if len(columns) == len(axis):
        return columns
    found = np.searchsorted(columns.open_ms, axis)
    picked = [column[found] for column in columns.all()]
    for column in picked:
        column.setflags(write=False)
    return Columns(*picked)  # type: ignore[arg-type]  # in their order
