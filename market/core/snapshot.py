"""A snapshot is the frozen market input of a cycle: the same for every entry, hashed, and never newer than `as_of`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from market.core.candles import Series, from_ms, to_ms
from market.core.canonical import plain, sha256_of, utc_text
from market.core.depth import OrderBook
from market.core.indicators import change, rounded, volatility
from market.core.readings import Known, why_incomplete
from market.core.snapshot_parts import parts_of, recorded_depth
from market.core.symbols import Symbol

DAYS_SHOWN = 28
FROM_DOUBLE = "exchange double"  # the source that a snapshot names when its readings came from one
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

    @property
    def halted(self) -> Mapping[str, str]:
        """Symbols that have a price and cannot be traded now, with what the exchange says."""
        found: Mapping[str, str] = self.content.get("halted", {})
        return found

    @property
    def depth(self) -> Mapping[str, OrderBook]:
        """The recorded order books, by symbol; only snapshots to trade at have any."""
        return recorded_depth(self.content)


def build_snapshot(
    as_of: datetime,
    series: Mapping[str, Series],
    symbols: Mapping[str, Symbol],
    source: str,
    max_age: timedelta,
    newer_than: datetime | None = None,
    known: Mapping[str, Known] | None = None,
) -> Snapshot:
    """Freeze the market at `as_of` from candles closed at or before it (and after `newer_than`, if that is given).

    With `known`, what the exchange's other data said by then is frozen with it; then a symbol whose candles were not
    yet asked for up to `as_of` has no price either. A snapshot with `newer_than` is one to trade at: it holds the
    order books level by level, and where there is one its middle is the price.

    A symbol whose newest closed candle is older than `max_age` has no price: it is listed under `missing`, never
    priced at zero or at a stale figure. `max_age` is a day at most, since every row tells the last day's range.
    """
    if max_age > timedelta(days=1):
        raise ValueError(f"a price {max_age} old would say nothing of the last day")
    parts = None if known is None else parts_of(known, as_of, newer_than, with_depth=newer_than is not None)
    rows: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, symbol in symbols.items():
        reason = why_incomplete(known[name], as_of) if known else ""
        reason = reason or _why_unusable(series[name], to_ms(as_of), max_age, newer_than)
        if reason:
            missing[name] = reason
        else:
            rows[name] = {**_row(series[name], to_ms(as_of), symbol), **(parts.rows[name] if parts else {})}
    if known and any(one.from_double for one in known.values()):
        source = FROM_DOUBLE
    content = {
        "as_of": utc_text(as_of),
        "source": source,
        "symbols": rows,
        "missing": missing,
        **(parts.content if parts else {"off": ["order book", "positioning"]}),
    }
    prices = {name: Decimal(row["price"]) for name, row in rows.items()}
    return Snapshot(as_of, prices, missing, content, sha256_of(content))


def _why_unusable(candles: Series, at_ms: int, max_age: timedelta, newer_than: datetime | None) -> str:
    last = candles.last_closed(at_ms)
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


def _row(candles: Series, at_ms: int, symbol: Symbol) -> dict[str, Any]:
    last = candles.last_closed(at_ms)
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
