"""Crash points: where in the steps of a cycle somebody dies, freezes, or is told a lie, and how often that came.

A place is the function of the product in which it happened: inside a transaction, the one whose transaction it is.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from types import FrameType

PRODUCT = ("competition.services.", "portfolio.", "agents.", "market.services")
ASKED_BY_ALL = "portfolio.prepared"  # no place: who asks through it is one
INSIDE, AFTER, UNKNOWN, BETWEEN, FROZEN = "inside", "after", "unknown", "between", "frozen"


def place() -> str:
    """`settling.settle`: the innermost transaction of the product around whoever calls, else its innermost function."""
    frame: FrameType | None = sys._getframe(1)
    nearest = ""
    while frame is not None:
        inner = frame.f_locals.get("func") if frame.f_code.co_name == "inner" else None
        module = getattr(inner, "__module__", "")
        if module.startswith(PRODUCT):
            return f"{module.rpartition('.')[2]}.{inner.__name__}"
        module = frame.f_globals.get("__name__", "")
        if not nearest and module.startswith(PRODUCT) and module != ASKED_BY_ALL:
            nearest = f"{module.rpartition('.')[2]}.{frame.f_code.co_name}"
        frame = frame.f_back
    return nearest


def is_within(function: str) -> bool:
    """Whether a function of the product with this name is at work around whoever calls."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == function and frame.f_globals.get("__name__", "").startswith(PRODUCT):
            return True
        frame = frame.f_back
    return False


@dataclass(frozen=True, slots=True)
class Point:
    """One crash point of the design, and what counts as having hit it: (how, the places)."""

    name: str
    sentence: str
    hits: tuple[tuple[str, tuple[str, ...]], ...]


def _point(name: str, sentence: str, *hits: tuple[str, str]) -> Point:
    return Point(name, sentence, tuple((how, tuple(places.split())) for how, places in hits))


EVENT = "event"
POINTS = (
    _point("K1", "nobody runs when a cycle is due", (EVENT, "outage")),
    _point("K2", "two look at once at what is due", (EVENT, "ticks-together")),
    _point("K3", "dies while the cycle's row is written", (INSIDE, "cycles.open_due"), (UNKNOWN, "cycles.open_due")),
    _point("K4", "dies while the snapshot is taken", (EVENT, "dies-briefing")),
    _point("K5", "there is no market up to the deadline", (EVENT, "no-market")),
    _point(
        "K6", "dies around the writing of briefs", (INSIDE, "cycles._write_briefs"), (AFTER, "cycles._write_briefs")
    ),
    _point("K7", "a message is lost, repeated or late", (EVENT, "message-lost message-twice message-late")),
    _point("K8", "dies around a lease", (INSIDE, "leasing._lease"), (AFTER, "leasing._lease")),
    _point("K9", "a model is silent, garbled, greedy or breaks off", (EVENT, "model")),
    _point("K10", "an answer comes when its time is over", (EVENT, "answer-late")),
    _point("K11", "dies between an answer and its storing", (EVENT, "dies-asking"), (INSIDE, "asking._store")),
    _point("K12", "nobody knows whether an answer was stored", (UNKNOWN, "asking._store asking._judge")),
    _point("K13", "dies at the deadline for replies", (INSIDE, "asking.end_asking"), (UNKNOWN, "asking.end_asking")),
    _point(
        "K14", "dies when the trade prices are frozen", (INSIDE, "trading._store_trade_snapshot trading._void_trading")
    ),
    _point(
        "K15",
        "dies after a phase has ended",
        (AFTER, "asking.end_asking trading._store_trade_snapshot settling.end_trading"),
    ),
    _point("K16", "dies around a turn's settling", (INSIDE, "settling.settle"), (AFTER, "settling.settle")),
    _point("K17", "the window ends with orders unknown", (EVENT, "provisional")),
    _point("K18", "dies when a cycle closes", (INSIDE, "closing.close_cycle"), (AFTER, "closing.close_cycle")),
    _point("K19", "a fill is found after its cycle closed", (EVENT, "settled-late")),
    _point("K21", "the database goes away inside a step", (EVENT, "outage-of-database")),
    _point(
        "C1",
        "dies around the writing of an order",
        (INSIDE, "services._write trading._keep_lease"),
        (AFTER, "services._write"),
        (UNKNOWN, "services._write"),
    ),
    _point("C2", "dies inside the claim of a request", (INSIDE, "attempts.claim")),
    _point("C3", "nobody knows whether a claim was written", (UNKNOWN, "attempts.claim")),
    _point("C4", "dies between claim and sending", (AFTER, "attempts.claim"), (EVENT, "dies-before-sending")),
    _point("C5", "is frozen between claim and sending", (EVENT, "frozen-before-sending")),
    _point("C6", "the request is lost", (EVENT, "request-lost")),
    _point("C7", "the answer is lost", (EVENT, "answer-lost")),
    _point("C8", "the request arrives late", (EVENT, "request-late")),
    _point("C9", "dies between the answer and its record", (EVENT, "dies-after-sending"), (INSIDE, "attempts.change")),
    _point("C10", "dies while trades are booked", (INSIDE, "attempts.book_trades services.record_execution")),
    _point(
        "C11",
        "nobody knows whether trades are booked",
        (UNKNOWN, "attempts.book_trades services.record_execution settling.settle"),
    ),
    _point("C12", "two are at one row at once", (EVENT, "waited")),
    _point("C13", "an order is executed in part", (EVENT, "partial")),
    _point("C14", "trades are listed later than their order", (EVENT, "trades-lag")),
    _point("C15", "the exchange does not answer questions", (EVENT, "read-failed")),
    _point("C16", "the exchange is wiped", (EVENT, "wiped")),
    _point("C17", "the exchange refuses or wants to be left alone", (EVENT, "refused limited")),
    _point("C18", "the clocks are an hour apart", (EVENT, "clock-off")),
)


def hits(counted: Counter[tuple[str, str]]) -> dict[str, int]:
    """How often each crash point was hit, of everything that was counted."""
    return {point.name: sum(_of(point, counted)) for point in POINTS}


def _of(point: Point, counted: Counter[tuple[str, str]]) -> list[int]:
    return [counted[how, where] for how, places in point.hits for where in places]
