"""Candles as columns. A candle is known at its close and not one millisecond earlier."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

TIMEFRAME_S = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14_400, "1d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 in UTC, cut (not rounded) to the millisecond."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; every instant here is UTC-aware")
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    seconds, rest = divmod(milliseconds, 1000)  # a fraction of a float would be off by microseconds one day
    at = datetime.fromtimestamp(seconds, UTC)
    return at.replace(microsecond=rest * 1000) if rest else at


@dataclass(frozen=True, slots=True)
class Series:
    """The candles of one symbol, oldest first: `open_ms[i]` is when candle i opened, prices in quote per base.

    All columns have the same length; `open_ms` rises strictly. Holes of the exchange are simply absent.
    """

    symbol: str
    timeframe: str
    open_ms: Sequence[int]
    opens: Sequence[Decimal]
    highs: Sequence[Decimal]
    lows: Sequence[Decimal]
    closes: Sequence[Decimal]
    volumes: Sequence[Decimal]

    def __len__(self) -> int:
        return len(self.open_ms)

    @property
    def step_ms(self) -> int:
        return TIMEFRAME_S[self.timeframe] * 1000

    def close_ms(self, index: int) -> int:
        """The instant from which candle `index` is known: its open plus the timeframe."""
        return self.open_ms[index] + self.step_ms

    def last_closed(self, at_ms: int) -> int:
        """Index of the newest candle closed at or before `at_ms`, or -1 when there is none."""
        return bisect_right(self.open_ms, at_ms - self.step_ms) - 1


def empty_series(symbol: str, timeframe: str) -> Series:
    return Series(symbol, timeframe, (), (), (), (), (), ())


# (symbols, first close wanted, last close wanted) -> the candles closed within, by symbol
Candles = Callable[[Sequence[str], datetime, datetime], dict[str, Series]]
