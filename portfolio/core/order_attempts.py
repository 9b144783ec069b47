"""Attempts to have an order executed by an exchange that may not answer: their states, and every change allowed.

An attempt is one signed request. It is written before it is sent, sent once, and never sent again; what became of it
is found out by asking. A new attempt exists only when the one before is provably dead, so that at no time two requests
could execute the same order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from market.core.exact import EXACT
from portfolio.core.orders import Side

# How long nothing is concluded from silence. The exchange refuses a request 5 s after its timestamp (and takes one up
# to 1 s ahead), gives up on its matching engine after 10 s, and answers from a copy that may lag: 76 s in all, by
# eight. The margin is what protects: with a lag beyond it, an order that is there looks as if it were not.
QUIET_S = 600
LOOKS_APART_S = 60  # between the two looks that must both find nothing
RESOLVED_AFTER_S = QUIET_S + 2 * LOOKS_APART_S
POLL_S = 60  # between looks at an order that is there and not finished
PATIENT_S = 3600  # between looks after the deadline: without end, and without hurry
ATTEMPTS_MAX = 5
CLOCKS_APART_MS_MAX = 1000
FILTERS_FRESH_S = 3600
DEVIATION_PLACES = Decimal(1).scaleb(-4)
_BPS = Decimal(10_000)
_ATTEMPT_ID = re.compile(r"(oo-([0-9a-f]{12})-([0-9]{5,})-[0-9]{2})-([0-9]{3})-([0-9]{2})")


class AttemptState(StrEnum):
    """`SENDING` is written before anything leaves; `UNKNOWN` may or may not have been executed.

    `ACKNOWLEDGED` can still execute, `ENDED` cannot, and its trades are not all listed yet. `REFUSED` and `NOT_PLACED`
    are proof that it was never placed, by the exchange's word or by its silence. `ABANDONED` ends an order for which
    nothing more will be sent; `WIPED` one whose exchange has forgotten everything.
    """

    SENDING = "sending"
    UNKNOWN = "unknown"
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"
    FILLED = "filled"
    PARTIAL = "partial"
    EXPIRED = "expired"
    REFUSED = "refused"
    NOT_PLACED = "not_placed"
    ABANDONED = "abandoned"
    WIPED = "wiped"


A = AttemptState
BEGINNINGS = frozenset({A.SENDING, A.ABANDONED})  # an order that may not be sent gets one attempt that says why
LIVE = frozenset({A.SENDING, A.UNKNOWN, A.ACKNOWLEDGED, A.ENDED})
EXECUTED = frozenset({A.FILLED, A.PARTIAL})
TERMINAL = frozenset(AttemptState) - LIVE
_ENDS = frozenset({A.FILLED, A.PARTIAL, A.EXPIRED, A.WIPED})

ATTEMPT_TRANSITIONS: Mapping[AttemptState, frozenset[AttemptState]] = {
    A.SENDING: _ENDS | {A.UNKNOWN, A.ACKNOWLEDGED, A.ENDED, A.REFUSED, A.NOT_PLACED, A.ABANDONED},
    A.UNKNOWN: _ENDS | {A.ACKNOWLEDGED, A.ENDED, A.REFUSED, A.NOT_PLACED, A.ABANDONED},
    A.ACKNOWLEDGED: _ENDS | {A.ENDED, A.REFUSED},
    A.ENDED: _ENDS,
    **{state: frozenset() for state in TERMINAL},
}


class Refusal(StrEnum):
    """Why the exchange refused. After `LATE`, `WAIT` and `KEYS` the same order may be tried again, later."""

    FAULTY = "faulty"
    FILTER = "filter"
    DECLINED = "declined"
    LATE = "late"
    WAIT = "wait"
    KEYS = "keys"


PASSING_REFUSALS = frozenset({Refusal.LATE, Refusal.WAIT, Refusal.KEYS})


class UndeclaredChange(ValueError):
    """A change of an attempt that the table above does not list."""


def check_change(old: AttemptState, new: AttemptState) -> None:
    """Raise `UndeclaredChange` unless an attempt in `old` may become `new`."""
    if new not in ATTEMPT_TRANSITIONS[old]:
        raise UndeclaredChange(f"an attempt that is {old} may not become {new}")


def may_be_followed(state: AttemptState, refusal: str) -> bool:
    """Whether this attempt is provably dead in a way that leaves the order to be tried again."""
    return state is A.NOT_PLACED or (state is A.REFUSED and refusal in PASSING_REFUSALS)


def attempt_id(order_id: str, venue_epoch: int, number: int) -> str:
    """The client order id of an attempt: that of the order, the epoch of the venue, the number. Unique for ever.

    At most 36 characters of `[a-zA-Z0-9-]`, for epochs below 1,000 and numbers below 100; more raise `ValueError`.
    """
    if not (0 < venue_epoch < 1_000 and 0 < number < 100):
        raise ValueError(f"no attempt {number} in epoch {venue_epoch} can have an id of its own")
    return f"{order_id}-{venue_epoch:03d}-{number:02d}"


@dataclass(frozen=True, slots=True)
class AttemptName:
    """What the client order id of an attempt says."""

    owner: str
    cycle_number: int
    order_id: str
    epoch: int
    number: int


def attempt_name(client_order_id: str) -> AttemptName | None:
    """The parts of an id that `attempt_id` made; None for any other."""
    found = _ATTEMPT_ID.fullmatch(client_order_id)
    if found is None:
        return None
    order_id, owner, cycle_number, epoch, number = found.groups()
    return AttemptName(owner, int(cycle_number), order_id, int(epoch), int(number))


def deviation_bps(side: Side, reference_price: Decimal, quantity: Decimal, quote_amount: Decimal) -> Decimal:
    """How much worse than at the reference price it was executed on average, in hundredths of a percent."""
    paid = EXACT.subtract(quote_amount, EXACT.multiply(reference_price, quantity))
    worse = paid if side is Side.BUY else -paid
    parts = EXACT.divide(EXACT.multiply(worse, _BPS), EXACT.multiply(reference_price, quantity))
    return parts.quantize(DEVIATION_PLACES, ROUND_HALF_EVEN, context=EXACT)
