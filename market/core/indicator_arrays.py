"""Indicators of a whole series at once: float64 arrays of shape (n,) in, arrays of shape (n,) out, oldest first.

Each says at candle i what candles 0..i say, and nothing before it has warmed up, as `market.core.warm_up` counts: NaN.
So a series that begins earlier gives the same figures, but for the hundredth that its beginning may weigh. A row with
a NaN in it is no candle: it is passed over and has none itself. A series too short has none at all.
`ValueError` for periods that make no sense.

This is the one home of pandas-ta, in Python alone: TA-Lib is never used, installed or not. The web process imports
neither this nor pandas.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandas_ta_classic as ta
from numpy.typing import NDArray

from market.core.warm_up import at_least, change_candles, ema_candles, macd_candles, rsi_candles, sma_candles

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Macd:
    """`line` is the fast average less the slow one, `signal` its own average, `histogram` what is between the two."""

    line: Floats
    signal: Floats
    histogram: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    lower: Floats
    middle: Floats
    upper: Floats


def sma(values: Floats, period: int) -> Floats:
    """Simple moving average: the mean of the last `period` values."""
    return _over(lambda series: ta.sma(series, period, talib=False), sma_candles(period), values)


def ema(values: Floats, period: int) -> Floats:
    """Exponential moving average: `e + 2 / (period + 1) * (value - e)`, begun with the mean of the first `period`."""
    return _over(lambda series: ta.ema(series, period, talib=False), ema_candles(period), values)


def rsi(closes: Floats, period: int) -> Floats:
    """Wilder's relative strength index, 0..100: `100 * up / (up + down)`, each his average of the moves that way.

    Where nothing ever moved there is none: NaN.
    """
    return _over(lambda series: ta.rsi(series, period, talib=False), rsi_candles(period), closes)


def macd(values: Floats, fast: int, slow: int, signal: int) -> Macd:
    """Moving average convergence divergence: `ema(fast) - ema(slow)`, and the EMA of that over `signal`."""
    if not fast < slow:
        raise ValueError(f"the fast period must be shorter than the slow one, and {fast} is not shorter than {slow}")
    at_least(2, signal)

    def difference(series: pd.Series) -> pd.Series:
        return ta.ema(series, fast, talib=False) - ta.ema(series, slow, talib=False)

    line = _over(difference, ema_candles(slow), values)
    averaged = _over(lambda series: ta.ema(difference(series), signal, talib=False), macd_candles(slow, signal), values)
    return Macd(line, averaged, line - averaged)


def bollinger(values: Floats, period: int, width: float) -> Bands:
    """The simple average, and `width` population deviations (ddof 0) of the same window below and above it."""
    middle, deviation = sma(values, period), _deviation(values, period)
    return Bands(middle - width * deviation, middle, middle + width * deviation)


def atr(highs: Floats, lows: Floats, closes: Floats, period: int) -> Floats:
    """Average true range in quote: Wilder's average of `max(high, close before) - min(low, close before)`."""
    return _over(
        lambda high, low, close: ta.atr(high, low, close, period, talib=False), rsi_candles(period), highs, lows, closes
    )


def volume_zscore(volumes: Floats, period: int) -> Floats:
    """How many population deviations (ddof 0) the newest volume is above the mean of the last `period`.

    The newest is one of them. Where all of them are the same there is none: NaN.
    """
    mean, deviation = sma(volumes, period), _deviation(volumes, period)
    moved = deviation > 1e-9 * np.abs(mean)  # below that it is what rounding leaves of a constant
    score: Floats = np.divide(volumes - mean, deviation, out=np.full(len(volumes), np.nan), where=moved)
    return score


def change(values: Floats, periods: int) -> Floats:
    """Relative change over the last `periods` candles, as a fraction."""
    return _over(lambda series: series / series.shift(periods) - 1, change_candles(periods), values)


def _deviation(values: Floats, period: int) -> Floats:
    return _over(lambda series: ta.stdev(series, period, ddof=0, talib=False), sma_candles(period), values)


def _over(indicator: Callable[..., pd.Series], candles: int, *columns: Floats) -> Floats:
    """The indicator of the rows that are candles, put where they are; without what it says before `candles` of them."""
    is_candle = np.isfinite(columns[0])
    for column in columns[1:]:
        is_candle &= np.isfinite(column)
    there = slice(None) if is_candle.all() else np.flatnonzero(is_candle)
    found = np.full(len(is_candle), np.nan)
    if (count := np.count_nonzero(is_candle)) >= candles:
        said = np.full(count, np.nan)
        said[candles - 1 :] = indicator(*(pd.Series(column[there]) for column in columns)).to_numpy()[candles - 1 :]
        found[there] = said
    return found
