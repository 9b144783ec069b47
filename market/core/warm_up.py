"""How many candles an indicator must have seen before it says anything: without it, of what `period` candles tell.

What looks back without end has warmed up when where it began weighs less than a hundredth. `ValueError` for a period
that makes no sense.
"""

import math

BEGINNING_WEIGHS_AT_MOST = 0.01


def sma_candles(period: int) -> int:
    """Of a simple average; so of bands, deviations and scores over a window."""
    at_least(2, period)
    return period


def ema_candles(period: int) -> int:
    return sma_candles(period) + _settling(2 / (period + 1))


def rsi_candles(period: int) -> int:
    """So of the average true range: both need a candle before the first, and settle as Wilder's average does."""
    return sma_candles(period) + 1 + _settling(1 / period)


def macd_candles(slow: int, signal: int) -> int:
    """Of the signal; the line needs as many as the slow average."""
    return ema_candles(slow) + ema_candles(signal) - 1


def change_candles(periods: int) -> int:
    at_least(1, periods)
    return periods + 1


def at_least(least: int, period: int) -> None:
    """Raises `ValueError` when the period is shorter than that."""
    if period < least:
        raise ValueError(f"a period is {least} candles or more, and {period} is not")


def _settling(alpha: float) -> int:
    """Steps after which `(1 - alpha)^steps`, the weight of the beginning, is small enough."""
    return math.ceil(math.log(BEGINNING_WEIGHS_AT_MOST) / math.log(1 - alpha))
