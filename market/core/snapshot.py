"""A snapshot is the frozen market input of a cycle: the same for every entry, hashed, and never newer than `as_of`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from market.core.candles import Series, from_ms, to_ms
from market.core.canonical import plain, sha256_of, utc_text
from market.core.indicators import change, rounded, volatility
from market.core.symbols import Symbol

DAYS_SHOWN = 28
HISTORY = timedelta(days=DAYS_SHOWN + 2)  # what a builder must be given before `as_of`, a day of reserve included
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`prices` in quote per base at `as_of`; `missing` maps a symbol without a fresh price to the reason.

    `content` is what is stored, shown and hashed; `sha256` is its hash.
    """

    as_of: datetime
    prices: Mapping[str, Decimal]
    missing: Mapping[str, str]
    content: Mapping[str, Any]
    sha256: str


def build_snapshot(
    as_of: datetime,
    series: Mapping[str, Series],
    symbols: Mapping[str, Symbol],
    source: str,
    max_age: timedelta,
    newer_than: datetime | None = None,
) -> Snapshot:
    """Freeze the market at `as_of` from candles closed at or before it (and after `newer_than`, if that is given).

    A symbol whose newest closed candle is older than `max_age` has no price: it is listed under `missing`, never
    priced at zero or at a stale figure. `max_age` is a day at most, since every row tells the last day's range.
    """
    if max_age > timedelta(days=1):
        raise ValueError(f"a price {max_age} old would say nothing of the last day")
    at_ms = to_ms(as_of)
    rows: dict[str, Any] = {}
    missing: dict[str, str] = {}
    prices: dict[str, Decimal] = {}
    for name, symbol in symbols.items():
        candles = series[name]
        last = candles.last_closed(at_ms)
        reason = _why_unusable(candles, last, at_ms, max_age, newer_than)
        if reason:
            missing[name] = reason
            continue
        prices[name] = candles.closes[last]
        rows[name] = _row(candles, last, at_ms, symbol)
    content = {
        "as_of": utc_text(as_of),
        "source": source,
        "symbols": rows,
        "missing": missing,
        "off": ["order book", "positioning"],
    }
    return Snapshot(as_of, prices, missing, content, sha256_of(content))


def _why_unusable(candles: Series, last: int, at_ms: int, max_age: timedelta, newer_than: datetime | None) -> str:
    if last < 0:
        return "no closed candle"
    if newer_than and candles.close_ms(last) <= to_ms(newer_than):
        return f"no candle closed after {utc_text(newer_than)}"
    age_ms = at_ms - candles.close_ms(last)
    if age_ms > max_age / timedelta(milliseconds=1):
        return f"newest candle closed at {utc_text(from_ms(candles.close_ms(last)))}, older than {max_age}"
    if candles.closes[last] <= 0:
        return f"price {candles.closes[last]} is not a price"
    return ""


def _row(candles: Series, last: int, at_ms: int, symbol: Symbol) -> dict[str, Any]:
    first_of_day = min(candles.last_closed(at_ms - _DAY_MS) + 1, last)  # a price may be a whole day old
    window = slice(first_of_day, last + 1)
    closes = daily_closes(candles, at_ms, DAYS_SHOWN)
    return {
        "price": plain(candles.closes[last]),
        "priced_at": utc_text(from_ms(candles.close_ms(last))),
        "high_24h": plain(max(candles.highs[window])),
        "low_24h": plain(min(candles.lows[window])),
        "volume_24h": plain(sum(candles.volumes[window], Decimal(0))),
        "change_1d": _text(change(closes, 1)),
        "change_7d": _text(change(closes, 7)),
        "change_28d": _text(change(closes, 28)),
        "volatility_28d": _text(volatility(closes, 28)),
        "closes_1d": [plain(close) for close in closes],
        "step": plain(symbol.step),
        "min_notional": plain(symbol.min_notional),
    }


def daily_closes(candles: Series, at_ms: int, days: int) -> Sequence[Decimal]:
    """The close known at `at_ms` and at each of the `days` instants 24 h apart before it, oldest first.

    Where the exchange has a hole, the close known at that instant counts; before the first candle there is none.
    """
    indices = (candles.last_closed(at_ms - day * _DAY_MS) for day in range(days, -1, -1))
    return [candles.closes[index] for index in indices if index >= 0]


def _text(number: Decimal | None) -> str | None:
    return None if number is None else plain(rounded(number))


def snapshot_of(content: Mapping[str, Any], as_of: datetime, sha256: str) -> Snapshot:
    """The snapshot whose stored `content` this is; raises `ValueError` when the content does not have that hash."""
    if sha256_of(content) != sha256:
        raise ValueError(f"snapshot of {utc_text(as_of)} was altered: its content no longer has hash {sha256}")
    prices = {name: Decimal(row["price"]) for name, row in content["symbols"].items()}
    return Snapshot(as_of, prices, content["missing"], content, sha256)
