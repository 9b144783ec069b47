"""What the status page tells of the market data: how fresh each series is, and how asking the exchange went."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from competition.pages.figures import Moment, moment, relative
from competition.pages.text import detail
from market.core.candles import TIMEFRAME_S
from market.models import DataSource, FollowedSeries

LATE_AFTER = timedelta(minutes=5)  # without a run that came through; one is due every minute
FOLLOWED_WITHIN = timedelta(days=1)  # a series nobody has followed since is no news
CLOCKS_APART_MS = 1000


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One data service: when it last answered, what it was asked, and what is wrong in words."""

    name: str
    answered_at: Moment | None
    age: str
    is_late: bool
    requests: int
    weight: str
    trouble: str


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """One series of candles. It is stale when its newest candle is older than two of them."""

    symbol: str
    timeframe: str
    newest_close: Moment | None
    age: str
    is_stale: bool
    gaps: int
    trouble: str


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """`mode` is what MARKET_DATA says; `troubles` are sentences for the headline."""

    mode: str
    is_fetched: bool
    is_double: bool
    sources: tuple[SourceStatus, ...]
    series: tuple[SeriesStatus, ...]
    troubles: tuple[str, ...]


def market_status(now: datetime) -> MarketStatus:
    """Everything about market data: two queries."""
    rows = list(DataSource.objects.order_by("-name"))
    followed = FollowedSeries.objects.filter(followed_at__gt=now - FOLLOWED_WITHIN)
    is_fetched = settings.MARKET_DATA == "binance"
    return MarketStatus(
        mode=settings.MARKET_DATA,
        is_fetched=is_fetched,
        is_double=any(row.is_double for row in rows),
        sources=tuple(_source(row, now) for row in rows),
        series=tuple(_series(row, now) for row in followed.order_by("symbol", "timeframe")),
        troubles=tuple(_troubles(rows, now)) if is_fetched else (),
    )


def _source(row: DataSource, now: datetime) -> SourceStatus:
    return SourceStatus(
        name=row.name,
        answered_at=moment(row.answered_at) if row.answered_at else None,
        age=relative(row.answered_at, now) if row.answered_at else "never",
        is_late=_is_late(row, now),
        requests=row.requests,
        weight=f"{row.weight_used:,} of {row.weight_limit:,}",
        trouble=detail(row.trouble or _clocks(row)),
    )


def _is_late(row: DataSource, now: datetime) -> bool:
    return row.answered_at is None or now - row.answered_at > LATE_AFTER


def _clocks(row: DataSource) -> str:
    """That the clocks are apart, if they are; a candle counts as closed by the exchange's."""
    offset_ms = row.clock_offset_ms or 0
    if abs(offset_ms) <= CLOCKS_APART_MS:
        return ""
    return f"Its clock is {abs(offset_ms) / 1000:.1f} s {'ahead of' if offset_ms > 0 else 'behind'} ours: run NTP here."


def _series(row: FollowedSeries, now: datetime) -> SeriesStatus:
    oldest = now - 2 * timedelta(seconds=TIMEFRAME_S[row.timeframe])
    return SeriesStatus(
        symbol=row.symbol,
        timeframe=row.timeframe,
        newest_close=moment(row.newest_close) if row.newest_close else None,
        age=relative(row.newest_close, now) if row.newest_close else "none yet",
        is_stale=row.newest_close is None or row.newest_close < oldest,
        gaps=len(row.holes),
        trouble=detail(row.trouble),
    )


def _troubles(rows: list[DataSource], now: datetime) -> Iterator[str]:
    if not rows:
        yield "The market was never fetched: start the worker of the queue market."
    for row in rows:
        if _is_late(row, now):
            since = f"not been read since {moment(row.answered_at).text} UTC" if row.answered_at else "never been read"
            yield f"Market data of {row.name} have {since}. {detail(row.trouble)}".strip()
