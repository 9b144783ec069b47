"""Reads of the market."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.db import connection
from django.db.models import Count, Max, Min

from market.core.candles import TIMEFRAME_S, Candles, Series, empty_series
from market.core.readings import OLDEST, Kind, Known, Reading, Readings
from market.core.symbols import Symbol, pick
from market.models import Candle, DataSource, FollowedSeries, ListedSymbol, StoredReading

# Trailing zeros stay in the database: a number comes back as `0.18`, not with eighteen decimals.
_SELECT_CANDLES = """
SELECT symbol, (extract(epoch FROM open_at) * 1000)::bigint,
    trim_scale(open), trim_scale(high), trim_scale(low), trim_scale(close), trim_scale(volume)
FROM market_candle
WHERE timeframe = %(timeframe)s AND symbol = ANY(%(symbols)s)
    AND open_at BETWEEN %(first_open)s AND %(last_open)s
ORDER BY symbol, open_at
"""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which candles of a symbol are stored: how many, and when the first and the last of them opened."""

    first_open: datetime
    last_open: datetime
    candles: int


def stored_candles(timeframe: str) -> Candles:
    """Candles out of the database; a symbol without any in the window comes back with an empty series."""
    length = timedelta(seconds=TIMEFRAME_S[timeframe])

    def candles(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
        found = {symbol: empty_series(symbol, timeframe) for symbol in symbols}
        window = {"first_open": first_close - length, "last_open": last_close - length}
        with connection.cursor() as cursor:
            cursor.execute(_SELECT_CANDLES, {"timeframe": timeframe, "symbols": list(symbols), **window})
            for symbol, rows in groupby(cursor.fetchall(), key=itemgetter(0)):
                _, *columns = zip(*rows, strict=True)
                found[symbol] = Series(symbol, timeframe, *columns)
        return found

    return candles


def loaded(series_by_symbol: Mapping[str, Series]) -> Candles:
    """Candles that are in memory already, for a whole season without a query a week.

    Hands out each series whole, whatever the window: `Series.last_closed` cuts by time. A symbol that was not
    loaded raises `KeyError`.
    """

    def candles(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
        return {symbol: series_by_symbol[symbol] for symbol in symbols}

    return candles


def stored_readings(timeframe: str) -> Readings:
    """Readings out of the database, with how far the candles of this timeframe are known to be complete."""

    def known(symbols: Sequence[str], as_of: datetime) -> dict[str, Known]:
        series = {row.symbol: row for row in FollowedSeries.objects.filter(symbol__in=symbols, timeframe=timeframe)}
        source = DataSource.objects.filter(name="spot").first()
        found: dict[str, dict[Kind, Reading]] = {symbol: {} for symbol in symbols}
        # One older than all may be says no more than one that is absent; a day is for the words.
        rows = StoredReading.objects.filter(
            symbol__in=symbols, known_at__lte=as_of, known_at__gt=as_of - OLDEST - timedelta(days=1)
        )
        for row in rows.order_by("symbol", "kind", "-known_at").distinct("symbol", "kind"):
            found[row.symbol][Kind(row.kind)] = row.value()
        trouble, is_double = (source.trouble, source.is_double) if source else ("", False)
        return {symbol: _known(series.get(symbol), found[symbol], trouble, is_double) for symbol in symbols}

    return known


def _known(series: FollowedSeries | None, found: Mapping[Kind, Reading], trouble: str, is_double: bool) -> Known:
    if series is None:
        return Known(None, trouble, found, is_double)
    return Known(series.complete_until, series.trouble or trouble, found, is_double)


def listed_symbols(names: Iterable[str]) -> Mapping[str, Symbol]:
    """The listed symbols of these names, in the order asked for; `UnknownSymbol` when one is not listed."""
    return pick(names, (row.value() for row in ListedSymbol.objects.all()))


def coverage(symbol: str, timeframe: str) -> Coverage | None:
    """What is stored of a symbol, or None when nothing is."""
    found = Candle.objects.filter(symbol=symbol, timeframe=timeframe).aggregate(
        first=Min("open_at"), last=Max("open_at"), candles=Count("open_at")
    )
    if not found["candles"]:
        return None
    return Coverage(found["first"], found["last"], found["candles"])
