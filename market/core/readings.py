"""What the exchange's public data said of a symbol, and when that was known here: what a snapshot may freeze.

A reading is a fact with an instant. A snapshot of `as_of` takes the newest one known by then, unless it is too old or
was refused: then the source is off for this symbol, and the snapshot says so with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from market.core.canonical import utc_text


class Kind(StrEnum):
    """What a reading is about."""

    FILTERS = "filters"
    BOOK = "order_book"
    DAY = "day"
    FUNDING = "funding"
    INTEREST = "open_interest"
    RATIO = "long_short"
    TAKER = "taker"


POSITIONING = (Kind.FUNDING, Kind.INTEREST, Kind.RATIO, Kind.TAKER)
SPOT = (Kind.FILTERS, Kind.BOOK, Kind.DAY)

# How often each is read, and how old it may be. The run that reads is one a minute, so a book misses two at most.
EVERY: Mapping[Kind, timedelta] = {
    Kind.FILTERS: timedelta(minutes=15),
    Kind.BOOK: timedelta(0),
    Kind.DAY: timedelta(minutes=5),
    **dict.fromkeys(POSITIONING, timedelta(minutes=5)),
}
MAX_AGE: Mapping[Kind, timedelta] = {
    Kind.FILTERS: timedelta(hours=1),
    Kind.BOOK: timedelta(minutes=3),
    Kind.DAY: timedelta(minutes=15),
    **dict.fromkeys(POSITIONING, timedelta(minutes=20)),
}
OLDEST = max(MAX_AGE.values())

# What each is called in the list of sources that are off.
NAMES: Mapping[Kind, str] = {
    Kind.BOOK: "order book",
    Kind.DAY: "24 h statistics",
    Kind.FUNDING: "funding rate",
    Kind.INTEREST: "open interest",
    Kind.RATIO: "long/short ratio",
    Kind.TAKER: "taker volume",
}
ALL_POSITIONING = "positioning"


@dataclass(frozen=True, slots=True)
class Reading:
    """`content` is JSON with decimals and instants as text; empty when what came was refused, for the reason given."""

    kind: Kind
    known_at: datetime
    content: Mapping[str, Any]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one symbol: its candles are all there up to `complete_until`; `trouble` says why not later.

    `readings` has the newest of each kind. `from_double` when the exchange double told them.
    """

    complete_until: datetime | None = None
    trouble: str = ""
    readings: Mapping[Kind, Reading] = field(default_factory=dict)
    from_double: bool = False


# (symbols, instant) -> what was known of each by then
Readings = Callable[[Sequence[str], datetime], Mapping[str, Known]]


def why_off(known: Known, kind: Kind, as_of: datetime) -> str:
    """Why the reading of this kind cannot be used at `as_of`, or nothing. One known later than `as_of` raises."""
    reading = known.readings.get(kind)
    if reading is None:
        return "nothing of it is known"
    if reading.known_at > as_of:
        raise ValueError(f"a reading of {utc_text(reading.known_at)} cannot be in a snapshot of {utc_text(as_of)}")
    if as_of - reading.known_at > MAX_AGE[kind]:
        return f"the newest is of {utc_text(reading.known_at)}, older than {MAX_AGE[kind]}"
    return reading.refusal


def why_incomplete(known: Known, as_of: datetime) -> str:
    """Why the candles are not known to be all there up to `as_of`, or nothing."""
    if known.complete_until and known.complete_until >= as_of:
        return ""
    until = f"only up to {utc_text(known.complete_until)}" if known.complete_until else "never yet"
    return f"the exchange was asked for candles {until}" + (f": {known.trouble}" if known.trouble else "")


def why_not_tradable(known: Known, as_of: datetime) -> str:
    """Why the symbol cannot be traded at `as_of` by what the exchange says of it, or nothing."""
    reason = why_off(known, Kind.FILTERS, as_of)
    reading = known.readings.get(Kind.FILTERS)
    if not reason or (reading and reason == reading.refusal):
        return reason
    return f"exchange information: {reason}"
