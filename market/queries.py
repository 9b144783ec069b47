"""Reads of the market."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.db import connection
from django.db.models import Count, Max, Min

from market.core.candles import TIMEFRAME_S, Candles, Series, empty_series
from market.core.symbols import Symbol, pick
from market.models import Candle, ListedSymbol

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
