"""Readings are taken and appended: each with the instant it was known, and what cannot be used with the reason."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Max, Q

from market.binance import Binance
from market.core.answers import INVALID_SYMBOL, ExchangeError, Refused, Unusable
from market.core.depth import day_content, depth_content
from market.core.exchange_info import NotTradable
from market.core.readings import EVERY, OLDEST, POSITIONING, Kind
from market.core.symbols import Symbol, symbols_content
from market.following import STOPS
from market.futures import Futures
from market.listing import NewerFilters, list_symbols
from market.models import StoredReading

logger = logging.getLogger(__name__)

LEVELS = 50  # of each side: what a portfolio of this size can reach, in 3 kB
# Long enough for a cycle to freeze what it needs; the database refuses to delete anything younger than two days.
KEPT: Mapping[Kind, timedelta] = {kind: timedelta(days=3 if kind is Kind.BOOK else 90) for kind in Kind}
_SLACK = timedelta(seconds=5)  # a run that begins a moment early does not skip its reading
_REFUSAL_CHARACTERS_MAX = 300

Clock = Callable[[], datetime]
Took = Symbol | NotTradable | ExchangeError


def due(symbols: Collection[str], kinds: Iterable[Kind], now: datetime) -> dict[Kind, list[str]]:
    """Which symbols have to be read now, for each kind, in the order given."""
    since = now - max(OLDEST, *EVERY.values())
    rows = StoredReading.objects.filter(symbol__in=symbols, known_at__gt=since).values("symbol", "kind")
    newest = {(row["symbol"], row["kind"]): row["at"] for row in rows.annotate(at=Max("known_at"))}
    return {
        kind: [
            symbol
            for symbol in symbols
            if (at := newest.get((symbol, kind.value))) is None or now - at >= EVERY[kind] - _SLACK
        ]
        for kind in kinds
    }


def read_spot(exchange: Binance, symbols: Sequence[str], clock: Clock) -> int:
    """Take what is due of filters, order books and statistics; how many readings. What stops all is raised."""
    waiting = due(symbols, (Kind.FILTERS, Kind.BOOK, Kind.DAY), clock())
    return (
        read_filters(exchange, waiting[Kind.FILTERS], clock)
        + _read(Kind.BOOK, waiting[Kind.BOOK], lambda name: depth_content(exchange.order_book(name, LEVELS)), clock)
        + _read(Kind.DAY, waiting[Kind.DAY], lambda name: day_content(exchange.day_statistics(name)), clock)
    )


def read_futures(exchange: Futures, symbols: Sequence[str], clock: Clock) -> int:
    """Take what is due of the crowd's positioning; how many readings. What stops all is raised."""
    waiting = due(symbols, POSITIONING, clock())
    taken = 0
    for kind in POSITIONING:
        taken += _read(kind, waiting[kind], partial(exchange.positioning, kind), clock)
    return taken


def _read(kind: Kind, symbols: Iterable[str], ask: Callable[[str], Mapping[str, Any]], clock: Clock) -> int:
    taken = 0
    for symbol in symbols:
        try:
            content, refusal = ask(symbol), ""
        except STOPS:
            raise
        except ExchangeError as error:
            content, refusal = {}, str(error)
        _append(symbol, kind, clock(), content, refusal)
        taken += 1
    return taken


def _append(symbol: str, kind: Kind, known_at: datetime, content: Mapping[str, Any], refusal: str) -> None:
    StoredReading.objects.create(
        symbol=symbol,
        kind=kind.value,
        known_at=known_at,
        content=dict(content),
        refusal=refusal[:_REFUSAL_CHARACTERS_MAX],
    )


def read_filters(exchange: Binance, symbols: Sequence[str], clock: Clock) -> int:
    """Take the exchange information of these symbols; those that can be traded are listed with it under its date."""
    if not symbols:
        return 0
    found = _information(exchange, symbols)
    known_at = clock()
    for name, one in found.items():
        content = symbols_content([one])[0] if isinstance(one, Symbol) else {}
        _append(name, Kind.FILTERS, known_at, content, "" if isinstance(one, Symbol) else str(one))
    try:
        for listing in list_symbols([one for one in found.values() if isinstance(one, Symbol)], known_at.date()):
            if listing.changes:
                logger.info("filters changed: %s", listing)
    except NewerFilters as newer:
        logger.warning("%s", newer)
    return len(found)


def _information(exchange: Binance, symbols: Sequence[str]) -> dict[str, Took]:
    """Each symbol with its filters, or why it has none. One that is unknown or garbled does not take others along."""
    try:
        return dict(exchange.exchange_information(symbols))
    except (Refused, Unusable) as error:
        if len(symbols) > 1:
            return {name: one for symbol in symbols for name, one in _information(exchange, [symbol]).items()}
        is_unknown = isinstance(error, Refused) and error.code == INVALID_SYMBOL
        return {symbols[0]: ExchangeError(f"The exchange does not know {symbols[0]}.") if is_unknown else error}


def forget_old(symbols: Collection[str], now: datetime) -> None:
    """Delete readings that no snapshot can want any more; what a snapshot froze is in the snapshot."""
    too_old = Q.create([Q(kind=kind.value, known_at__lt=now - kept) for kind, kept in KEPT.items()], connector=Q.OR)
    StoredReading.objects.filter(too_old, symbol__in=symbols).delete()
