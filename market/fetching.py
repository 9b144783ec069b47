"""What is missing of a symbol's candles is asked of the exchange, checked, and stored page by page.

Whatever interrupts it, what was stored stays, and the next run asks only for what is still missing: it goes on behind
the newest candle, and fills holes in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from market.binance import Binance
from market.core.candles import TIMEFRAME_S, from_ms, to_ms
from market.core.outages import Gap
from market.services import store_candles

# A mark before the window and one behind it make its edges count as holes, too.
_FIND_MISSING = """
WITH marks AS (
    SELECT open_at FROM market_candle
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND open_at BETWEEN %(first)s AND %(last)s
    UNION ALL VALUES (%(first)s - %(step)s), (%(last)s + %(step)s)
), pairs AS (SELECT open_at, lead(open_at) OVER (ORDER BY open_at) AS following FROM marks)
SELECT open_at + %(step)s, following FROM pairs WHERE following - open_at > %(step)s ORDER BY open_at
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Candles of one symbol that open from `first` to `last`, both included and on the grid of the timeframe."""

    symbol: str
    timeframe: str
    first: datetime
    last: datetime

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=TIMEFRAME_S[self.timeframe])

    @property
    def candles(self) -> int:
        return (self.last - self.first) // self.step + 1


def wanted(symbol: str, timeframe: str, start: datetime, closed_by: datetime) -> Wanted | None:
    """The candles that open at or after `start` and close at or before `closed_by`, or None when there is no such."""
    step_ms = TIMEFRAME_S[timeframe] * 1000
    first_ms = -(-to_ms(start) // step_ms) * step_ms
    last_ms = to_ms(closed_by) // step_ms * step_ms - step_ms
    return Wanted(symbol, timeframe, from_ms(first_ms), from_ms(last_ms)) if first_ms <= last_ms else None


def missing(of: Wanted) -> list[Gap]:
    """The holes in what is stored, edges included, oldest first."""
    values: dict[str, Any] = {
        "symbol": of.symbol,
        "timeframe": of.timeframe,
        "first": of.first,
        "last": of.last,
        "step": of.step,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND_MISSING, values)
        return [Gap(start, end, (end - start) // of.step) for start, end in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Fetched:
    """How many candles came and were stored, and the holes the exchange has nothing for though asked twice."""

    new: int
    holes: tuple[Gap, ...]


def fetch_missing(exchange: Binance, of: Wanted, as_of: datetime, told: Callable[[int], object]) -> Fetched:
    """Fetch what is missing, in transactions of a page each. `told` gets the number of candles looked for, in steps.

    Candles that closed after `as_of` are never stored. What is missing afterwards is asked for a second time: only
    what two answers lack is a hole of the exchange, and not of one answer.
    """
    new = sum(_fill(exchange, of, hole, as_of, told) for hole in missing(of))
    new += sum(_fill(exchange, of, hole, as_of, _nobody) for hole in missing(of))
    return Fetched(new, tuple(missing(of)))


def _nobody(candles: int) -> None:
    """For the second look: its candles were counted by the first."""


def _fill(exchange: Binance, of: Wanted, hole: Gap, as_of: datetime, told: Callable[[int], object]) -> int:
    step_ms, end_ms = TIMEFRAME_S[of.timeframe] * 1000, to_ms(hole.end)
    next_ms, new = to_ms(hole.start), 0
    while next_ms < end_ms:
        page = exchange.klines(of.symbol, of.timeframe, next_ms, end_ms - step_ms, as_of)
        if not len(page):
            break
        new += store_candles([page])[0].new
        told((page.close_ms(-1) - next_ms) // step_ms)
        next_ms = page.close_ms(-1)
    told((end_ms - next_ms) // step_ms)
    return new
