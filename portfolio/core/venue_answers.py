"""What an answer to an order means. It was placed, refused, there before, or not even looked at; or nobody knows.

An order is refused only when a code of the allow-list below says so in a whole JSON body with a status of 4xx.
Everything else is unknown, however much it looks like a failure: the order may have been executed. Whoever is told
`Unknown` asks for the order by its id after a quiet time, and never sends it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from market.core.answers import parsed_json
from market.core.backoff import retry_after_s
from portfolio.core.venue_fills import ORDER_STATUSES, VenueOrder, venue_order

RATE_LIMITED, BANNED, WAF = 429, 418, 403
USUAL_WAIT_S = {RATE_LIMITED: 60.0, BANNED: 120.0}  # without a Retry-After: a minute of weight; the shortest ban
_TEXT_MAX = 160


class RefusalClass(StrEnum):
    """Why an order was definitely not placed, and what that asks for."""

    FAULTY = "faulty"  # the request itself is wrong, and would be refused again unchanged
    FILTER = "filter"  # the symbol's rules refuse it; it did not reach the matching engine
    LATE = "late"  # its timestamp was outside the window: the clocks differ, or it waited too long
    DECLINED = "declined"  # the matching engine said no: no balance, closed market
    KEYS = "keys"  # key, address or permission: stop everything, and tell somebody


# Codes after which an order was definitely not placed. Of the codes -11xx only those that a request over REST can
# get for its parameters; those of FIX sessions, order lists and other encodings would be a surprise, hence unknown.
# -2010 is not here: its text decides.
REFUSALS: Mapping[int, RefusalClass] = {
    -1013: RefusalClass.FILTER,
    -1021: RefusalClass.LATE,
    -1022: RefusalClass.FAULTY,
    -1100: RefusalClass.FAULTY,
    -1101: RefusalClass.FAULTY,
    -1102: RefusalClass.FAULTY,
    -1103: RefusalClass.FAULTY,
    -1104: RefusalClass.FAULTY,
    -1105: RefusalClass.FAULTY,
    -1106: RefusalClass.FAULTY,
    -1108: RefusalClass.FAULTY,
    -1111: RefusalClass.FAULTY,
    -1112: RefusalClass.DECLINED,
    -1114: RefusalClass.FAULTY,
    -1115: RefusalClass.FAULTY,
    -1116: RefusalClass.FAULTY,
    -1117: RefusalClass.FAULTY,
    -1118: RefusalClass.FAULTY,
    -1121: RefusalClass.FAULTY,
    -1128: RefusalClass.FAULTY,
    -1130: RefusalClass.FAULTY,
    -2014: RefusalClass.KEYS,
    -2015: RefusalClass.KEYS,
}
TO_WAIT = frozenset({-1003, -1015})  # too much weight, too many orders: not looked at
NEW_ORDER_REJECTED = -2010
_THERE_BEFORE = "duplicate order"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The exchange has the order. What it has executed by now is in `order`; the fills come from its trades."""

    order: VenueOrder


@dataclass(frozen=True, slots=True)
class Refused:
    """Definitely not placed. `stops` says that nothing more may be sent until somebody has looked."""

    code: int
    message: str
    kind: RefusalClass

    @property
    def stops(self) -> bool:
        return self.kind is RefusalClass.KEYS


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """An open order has this id: an earlier request arrived after all. Ask for it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not placed, and nothing may be asked for so many seconds."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been placed. `stops` says that nothing more may be sent until somebody has looked."""

    reason: str
    stops: bool = False


Outcome = Acknowledged | Refused | AlreadyThere | Wait | Unknown


def outcome_of(status: int, headers: Mapping[str, str], body: bytes, client_order_id: str) -> Outcome:
    """What the answer to an order means. Header names in small letters; `client_order_id` is the one that was sent."""
    if status in USUAL_WAIT_S:
        return _wait(status, headers)
    content = parsed_json(body)
    if content is None or not isinstance(content.value, dict):
        return _unreadable(status)
    if 200 <= status < 300:
        return _acknowledged(content.value, client_order_id)
    if 400 <= status < 500:
        return _refused(status, headers, content.value)
    return Unknown(f"HTTP {status}: {_said(content.value)}")


def _wait(status: int, headers: Mapping[str, str]) -> Wait:
    told = retry_after_s(headers)
    return Wait(USUAL_WAIT_S[status] if told is None else told)


def _unreadable(status: int) -> Unknown:
    if status == WAF:
        return Unknown("HTTP 403: the exchange's firewall turned the request away", stops=True)
    if status == 401:
        return Unknown("HTTP 401 without a reason", stops=True)
    return Unknown(f"HTTP {status} with a body that is not JSON, or cut off")


def _acknowledged(content: Mapping[str, Any], client_order_id: str) -> Acknowledged | Unknown:
    try:
        order = venue_order(content)
    except ValueError as error:
        return Unknown(f"a good answer that makes no sense: {error}")
    if order.client_order_id != client_order_id:
        return Unknown(f"a good answer about another order, {order.client_order_id[:40]!r}")
    if order.status not in ORDER_STATUSES:
        return Unknown(f"a good answer with the unknown status {order.status[:40]!r}")
    return Acknowledged(order)


def _refused(status: int, headers: Mapping[str, str], content: Mapping[str, Any]) -> Outcome:
    code, text = content.get("code"), _text(content.get("msg"))
    if type(code) is not int or status == WAF:
        return Unknown(f"HTTP {status}: {_said(content)}", stops=status in (401, WAF))
    if code in TO_WAIT:
        return _wait(RATE_LIMITED, headers)
    if code == NEW_ORDER_REJECTED:
        return AlreadyThere() if _THERE_BEFORE in text.lower() else Refused(code, text, RefusalClass.DECLINED)
    if code in REFUSALS:
        return Refused(code, text, REFUSALS[code])
    return Unknown(f"HTTP {status}: {_said(content)}", stops=status == 401)


def _said(content: Mapping[str, Any]) -> str:
    code, text = content.get("code"), _text(content.get("msg"))
    return f"{text or 'no reason given'} (code {str(code)[:20]})"


def _text(said: Any) -> str:
    """Text of the exchange in one line, printable, and short enough to be stored."""
    shown = said if isinstance(said, str) else ""
    return "".join(c if c.isprintable() else " " for c in shown).strip()[:_TEXT_MAX]
