"""Holes in candle series, and the dates on which the exchange itself stood still.

A hole is either the exchange's (then it is true, and known by date) or the file's (then the file is no good).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from market.core.candles import Series, from_ms

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outage:
    """Hours without a candle of any symbol on Binance spot; the first would have opened at `start`."""

    start: datetime
    hours: int

    @property
    def end(self) -> datetime:
        return self.start + self.hours * _HOUR


# All holes in hourly candles of 2021-01-01 to 2024-02-29, the same in BTC, ETH, SOL, BNB and ADA for USDT.
# Other years are not covered: their outages have to be accepted by hand.
KNOWN_OUTAGES: tuple[Outage, ...] = (
    Outage(datetime(2021, 2, 11, 4, tzinfo=UTC), hours=1),
    Outage(datetime(2021, 3, 6, 2, tzinfo=UTC), hours=1),
    Outage(datetime(2021, 4, 20, 2, tzinfo=UTC), hours=2),
    Outage(datetime(2021, 4, 25, 5, tzinfo=UTC), hours=3),
    Outage(datetime(2021, 8, 13, 2, tzinfo=UTC), hours=4),
    Outage(datetime(2021, 9, 29, 7, tzinfo=UTC), hours=2),
    Outage(datetime(2023, 3, 24, 13, tzinfo=UTC), hours=1),
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Candles that are absent: the first would open at `start`, the next one present opens at `end`."""

    start: datetime
    end: datetime
    candles: int

    def __str__(self) -> str:
        noun = "candle" if self.candles == 1 else "candles"
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC, {self.candles} {noun}"


def gaps_in(series: Series) -> tuple[Gap, ...]:
    """Every hole between the first and the last candle of `series`, oldest first."""
    step_ms = series.step_ms
    return tuple(
        Gap(from_ms(before + step_ms), from_ms(after), (after - before) // step_ms - 1)
        for before, after in pairwise(series.open_ms)
        if after - before > step_ms
    )


def is_known_outage(gap: Gap) -> bool:
    """Whether one known outage explains the whole gap.

    The hours before and after an outage have a candle because trade stopped and resumed within them: shorter
    candles may be absent for up to an hour more on either side, together with the outage itself.
    """
    return any(
        (outage.start <= gap.start and gap.end <= outage.end)
        or (outage.start - _HOUR < gap.start <= outage.start and outage.end <= gap.end < outage.end + _HOUR)
        for outage in KNOWN_OUTAGES
    )
