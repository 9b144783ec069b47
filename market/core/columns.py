"""Candles as arrays: one series by itself, or several on one axis of time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The candles of one series, oldest first, as arrays that cannot be written to; prices in quote per base.

    `open_ms` is int64, the others are float64: the nearest to what is stored. For figures and signals, never for money.
    """

    open_ms: NDArray[np.int64]
    opens: NDArray[np.float64]
    highs: NDArray[np.float64]
    lows: NDArray[np.float64]
    closes: NDArray[np.float64]
    volumes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_ms)

    def all(self) -> tuple[NDArray[np.int64 | np.float64], ...]:
        """The six arrays in the order of the fields."""
        return (self.open_ms, self.opens, self.highs, self.lows, self.closes, self.volumes)

    def rows(self, which: slice) -> "Columns":
        """These candles only; the arrays are shared."""
        return Columns(*(column[which] for column in self.all()))  # type: ignore[arg-type]  # in their order


def aligned(series: Mapping[str, Columns]) -> dict[str, Columns]:
    """The same candles on one axis: every symbol gets the `open_ms` at which any of them has a candle.

    Where a symbol has none (not listed yet, a hole of its own) its row is NaN in every column: nothing is filled in.
    Series that are on one axis already are handed back as they are.
    """
    axes = [columns.open_ms for columns in series.values()]
    if all(np.array_equal(axes[0], axis) for axis in axes[1:]):
        return dict(series)
    axis = np.unique(np.concatenate(axes))
    axis.setflags(write=False)
    return {name: _placed(columns, axis) for name, columns in series.items()}


def _placed(columns: Columns, axis: NDArray[np.int64]) -> Columns:
    at = np.searchsorted(axis, columns.open_ms)
    placed = []
    for column in columns.all()[1:]:
        wide = np.full(len(axis), np.nan)
        wide[at] = column
        wide.setflags(write=False)
        placed.append(wide)
    return Columns(axis, *placed)
