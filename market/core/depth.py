"""The order book as the exchange shows it, and the statistics of the last day; refused when they make no sense."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from market.core.answers import Unusable
from market.core.candles import from_ms
from market.core.canonical import plain, utc_text
from market.core.exact import EXACT

_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,18})?", re.ASCII)
_LEVELS_MAX = 5000
_STATISTICS = ("priceChangePercent", "lastPrice", "highPrice", "lowPrice", "volume", "quoteVolume")


@dataclass(frozen=True, slots=True)
class Level:
    """What is offered at one price: quantity in base, price in quote per base; both above zero."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Both sides, best price first, neither empty; the best bid is below the best ask."""

    symbol: str
    bids: Sequence[Level]
    asks: Sequence[Level]


def order_book(content: Any, symbol: str) -> OrderBook:
    """The book in an answer of /depth; `Unusable` when a side is empty, crossed, out of order or not numbers."""
    if not isinstance(content, dict):
        raise Unusable(f"The order book of {symbol} is not one.")
    bids, asks = (_side(symbol, side, content.get(side)) for side in ("bids", "asks"))
    if any(better.price <= worse.price for better, worse in pairwise(bids)):
        raise Unusable(f"The bids of {symbol} are not in falling order.")
    if any(better.price >= worse.price for better, worse in pairwise(asks)):
        raise Unusable(f"The asks of {symbol} are not in rising order.")
    if bids[0].price >= asks[0].price:
        raise Unusable(f"The order book of {symbol} is crossed: bid {bids[0].price}, ask {asks[0].price}.")
    return OrderBook(symbol, bids, asks)


def _side(symbol: str, side: str, rows: Any) -> tuple[Level, ...]:
    if not isinstance(rows, list) or not 0 < len(rows) <= _LEVELS_MAX:
        raise Unusable(f"The order book of {symbol} has no {side}.")
    levels = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 2:
            raise Unusable(f"The {side} of {symbol} are not pairs of price and quantity.")
        level = Level(_number(symbol, f"price in {side}", row[0]), _number(symbol, f"quantity in {side}", row[1]))
        if level.price <= 0 or level.quantity <= 0:
            raise Unusable(f"The {side} of {symbol} have a price or a quantity that is not above zero.")
        levels.append(level)
    return tuple(levels)


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """The 24 hours up to `until`: prices in quote per base, change in percent, volumes in base and in quote."""

    symbol: str
    until: datetime
    change_pct: Decimal
    last: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    quote_volume: Decimal


def day_statistics(content: Any, symbol: str) -> DayStatistics:
    """The statistics in an answer of /ticker/24hr; `Unusable` when they are of another symbol or no statistics."""
    if not isinstance(content, dict) or content.get("symbol") != symbol:
        raise Unusable(f"The statistics are not those of {symbol}.")
    closed = content.get("closeTime")
    if type(closed) is not int or not 0 < closed < 10**13:
        raise Unusable(f"The statistics of {symbol} have no closeTime in milliseconds.")
    numbers = {field: _number(symbol, field, content.get(field)) for field in _STATISTICS}
    found = DayStatistics(symbol, from_ms(closed), *numbers.values())
    if not 0 < found.low <= found.last <= found.high or found.volume < 0 or found.quote_volume < 0:
        raise Unusable(
            f"The statistics of {symbol} do not agree: low {found.low}, last {found.last}, high {found.high}."
        )
    return found


def _number(symbol: str, what: str, value: Any) -> Decimal:
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
        raise Unusable(f"{symbol} has a {what} that is no decimal number as text: {str(value)[:40]!r}.")
    return Decimal(value)


# -- As a reading, and back ------------------------------------------------------------------------------------------


def depth_content(book: OrderBook) -> dict[str, list[list[str]]]:
    """Both sides as pairs of price and quantity, numbers as text: what is stored and frozen."""
    return {
        "bids": [[plain(level.price), plain(level.quantity)] for level in book.bids],
        "asks": [[plain(level.price), plain(level.quantity)] for level in book.asks],
    }


def mid_price(book: OrderBook) -> Decimal:
    """Half-way between the best bid and the best ask, with every digit."""
    return EXACT.divide(EXACT.add(book.bids[0].price, book.asks[0].price), Decimal(2))


def day_content(day: DayStatistics) -> dict[str, str]:
    """The statistics as JSON; `quote_volume` is turnover in quote."""
    return {
        "until": utc_text(day.until),
        "change_pct": plain(day.change_pct),
        "last": plain(day.last),
        "high": plain(day.high),
        "low": plain(day.low),
        "volume": plain(day.volume),
        "quote_volume": plain(day.quote_volume),
    }
