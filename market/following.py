"""Series that are kept current: what they lack up to the newest closed candle is asked for, known holes apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from market.binance import Binance
from market.core.answers import ExchangeError, RegionBlocked, StayAway, Unavailable
from market.core.candles import TIMEFRAME_S
from market.core.canonical import utc_text
from market.core.outages import Gap
from market.fetching import fetch_missing, missing, wanted
from market.models import Candle, FollowedSeries
from market.services import StoredOtherwiseError

STOPS = (RegionBlocked, StayAway, Unavailable)  # no use asking for anything else
HOLES_ASKED_EVERY = timedelta(hours=1)
TROUBLE_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Follow:
    """A series to keep current, from candles that open at `since` on."""

    symbol: str
    timeframe: str
    since: datetime


def follow_series(exchange: Binance, follows: Iterable[Follow], closed_by: datetime, now: datetime) -> int:
    """Fetch what each series lacks, and note up to when it is complete; returns how many candles are new.

    The notes are written together at the end, so that nobody takes half a run for a market in which some symbols are
    missing. What is wrong with one series is its trouble, and the others go on; whatever stops all is raised.
    """
    kept = {(row.symbol, row.timeframe): row for row in FollowedSeries.objects.all()}
    rows, new = [], 0
    for one in follows:
        row = kept.get((one.symbol, one.timeframe)) or FollowedSeries(symbol=one.symbol, timeframe=one.timeframe)
        row.followed_at = now
        row.trouble = ""
        try:
            new += _fetch(exchange, one, row, closed_by, now)
            row.complete_until = closed_by
        except STOPS:
            raise
        except (ExchangeError, StoredOtherwiseError) as error:
            row.trouble = str(error)[:TROUBLE_CHARACTERS_MAX]
        newest = Candle.objects.filter(symbol=one.symbol, timeframe=one.timeframe).aggregate(at=Max("open_at"))["at"]
        row.newest_close = newest and newest + timedelta(seconds=TIMEFRAME_S[one.timeframe])
        rows.append(row)
    FollowedSeries.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["symbol", "timeframe"],
        update_fields=["complete_until", "newest_close", "holes", "holes_asked_at", "trouble", "followed_at"],
    )
    return new


def _fetch(exchange: Binance, one: Follow, row: FollowedSeries, closed_by: datetime, now: datetime) -> int:
    span = wanted(one.symbol, one.timeframe, one.since, closed_by)
    if span is None:
        return 0
    lacking = _as_json(missing(span))
    is_due = row.holes_asked_at is None or now - row.holes_asked_at >= HOLES_ASKED_EVERY
    if all(hole in row.holes for hole in lacking) and not (lacking and is_due):
        row.holes = lacking
        return 0
    fetched = fetch_missing(exchange, span, closed_by, lambda candles: None)
    row.holes, row.holes_asked_at = _as_json(fetched.holes), now
    return fetched.new


def _as_json(holes: Iterable[Gap]) -> list[list[str]]:
    return [[utc_text(hole.start), utc_text(hole.end)] for hole in holes]
