"""What readings add to a snapshot: per symbol the figures that are there, and for all which sources are off and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from market.core.canonical import plain, utc_text
from market.core.depth import OrderBook, mid_price, order_book
from market.core.indicators import rounded
from market.core.readings import ALL_POSITIONING, NAMES, POSITIONING, Kind, Known, why_not_tradable, why_off

_BPS = Decimal(10_000)
_REASON_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Parts:
    """`rows` is what each symbol's row gets beside its candles; `content` what the snapshot itself gets."""

    rows: Mapping[str, Mapping[str, Any]]
    content: Mapping[str, Any]


def parts_of(known: Mapping[str, Known], as_of: datetime, newer_than: datetime | None, *, with_depth: bool) -> Parts:
    """The usable readings of these symbols at `as_of`.

    With `with_depth` a symbol's row has its order book level by level, and its price is the middle of it; such a book
    must be newer than `newer_than`, if that is given. Without, the row has the top of the book.
    """
    off = {name: _off_of(one, as_of, newer_than if with_depth else None) for name, one in known.items()}
    halted = {name: why for name, one in known.items() if (why := why_not_tradable(one, as_of))}
    rows = {name: _row(name, one, off[name], with_depth=with_depth) for name, one in known.items()}
    because = _by_source(off)
    return Parts(rows, {"off": list(because), "off_because": because, "halted": halted})


def recorded_depth(content: Mapping[str, Any]) -> dict[str, OrderBook]:
    """The order books that a snapshot's content holds level by level, by symbol."""
    return {
        name: order_book(row["depth"], name) for name, row in content["symbols"].items() if row.get("depth") is not None
    }


def _off_of(one: Known, as_of: datetime, newer_than: datetime | None) -> dict[Kind, str]:
    """What is off for a symbol, with the reasons."""
    off = {kind: reason for kind in NAMES if (reason := why_off(one, kind, as_of))}
    if newer_than and Kind.BOOK not in off and one.readings[Kind.BOOK].known_at <= newer_than:
        off[Kind.BOOK] = f"the newest is not newer than {utc_text(newer_than)}"
    return off


def _row(name: str, one: Known, off: Mapping[Kind, str], *, with_depth: bool) -> dict[str, Any]:
    row: dict[str, Any] = {}
    there = {kind: reading for kind, reading in one.readings.items() if kind not in off and not reading.refusal}
    if Kind.BOOK in there:
        book = order_book(there[Kind.BOOK].content, name)
        known_at = utc_text(there[Kind.BOOK].known_at)
        if with_depth:
            row |= {"price": plain(mid_price(book)), "priced_at": known_at}
            row["depth"] = {"known_at": known_at, **there[Kind.BOOK].content}
        else:
            row["book"] = {"known_at": known_at, **_top(book)}
    if Kind.DAY in there:
        row["day"] = there[Kind.DAY].content
    positioning = {kind.value: there[kind].content for kind in POSITIONING if kind in there}
    if positioning:
        row["positioning"] = positioning
    return row


def _top(book: OrderBook) -> dict[str, str]:
    """The best prices, the distance between them, and what all recorded levels of each side are worth, in quote."""
    bid, ask = book.bids[0].price, book.asks[0].price
    return {
        "bid": plain(bid),
        "ask": plain(ask),
        "spread_bps": plain(rounded((ask - bid) / mid_price(book) * _BPS)),
        "bids_worth": plain(rounded(sum((level.price * level.quantity for level in book.bids), Decimal(0)))),
        "asks_worth": plain(rounded(sum((level.price * level.quantity for level in book.asks), Decimal(0)))),
    }


# -- Which sources are off --------------------------------------------------------------------------------------------


def _by_source(off: Mapping[str, Mapping[Kind, str]]) -> dict[str, str]:
    """Each source that is off by its name, with the reason; one that is off only for some symbols names them."""
    found: dict[str, str] = {}
    groups: list[tuple[str, Sequence[Kind]]] = [(NAMES[kind], (kind,)) for kind in NAMES if kind not in POSITIONING]
    everywhere = bool(off) and all(kind in one for one in off.values() for kind in POSITIONING)
    groups += [(ALL_POSITIONING, POSITIONING)] if everywhere else [(NAMES[kind], (kind,)) for kind in POSITIONING]
    for source, kinds in groups:
        reasons = {name: one[kinds[0]] for name, one in off.items() if kinds[0] in one}
        if len(reasons) == len(off) and reasons:
            found[source] = _told(reasons)
        else:
            found |= {f"{source} of {name}": reason[:_REASON_CHARACTERS_MAX] for name, reason in reasons.items()}
    return found


def _told(reasons: Mapping[str, str]) -> str:
    """One reason for all, or each symbol's own."""
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))[:_REASON_CHARACTERS_MAX]
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())[:_REASON_CHARACTERS_MAX]
