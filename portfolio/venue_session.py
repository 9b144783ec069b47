"""A session at the exchange: clocks compared, filters of the hour read, and the exchange known to remember us.

Opened before a batch of orders, with everything slow outside of any transaction. What does not hold is a reason to send
nothing in this batch, never a reason to send something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from market.core.answers import ExchangeError, StayAway
from market.core.exchange_info import NotTradable, listings, market_maxima
from market.core.symbols import Symbol
from portfolio.attempts import EXECUTOR, begin_epoch, current_epoch, halt, tell
from portfolio.core.brokers import OutcomeUnknown
from portfolio.core.order_attempts import CLOCKS_APART_MS_MAX, FILTERS_FRESH_S, QUIET_S
from portfolio.core.orders import Order
from portfolio.core.venue_answers import Outcome
from portfolio.core.venue_fills import VenueOrder, VenueTrade
from portfolio.exchange_models import OrderAttempt
from portfolio.prepared import Given, PreparedObjects
from portfolio.testnet import NoAnswer, stops

_WITNESSES = PreparedObjects(
    lambda: (
        OrderAttempt.objects.filter(
            epoch=Given("epoch"), exchange_order_id__isnull=False, claimed_at__lte=Given("until")
        )
        .select_related("order")
        .order_by("-claimed_at", "-id")[:2]
    )
)


class Exchange(Protocol):
    """What of an account at an exchange is needed to carry orders out; `portfolio/testnet.py` is one."""

    offset_ms: int

    def sync(self) -> int: ...
    def now_ms(self) -> int: ...
    def send(self, payload: str, client_order_id: str) -> Outcome: ...
    def order(self, symbol: str, client_order_id: str) -> VenueOrder | None: ...
    def trades(self, symbol: str, order_id: int) -> tuple[VenueTrade, ...]: ...
    def all_orders(self, symbol: str, from_order_id: int = 0) -> tuple[VenueOrder, ...]: ...
    def cancel(self, symbol: str, client_order_id: str) -> bool: ...
    def exchange_info(self, symbols: Sequence[str]) -> Any: ...


class NoSession(OutcomeUnknown):
    """Nothing can be sent or asked now; the message says why."""


@dataclass(slots=True)
class Session:
    """`epoch` is the exchange's life that we are in; `untradable` are symbols it does not take, and why."""

    exchange: Exchange
    epoch: int
    filters: Mapping[str, Symbol] = field(default_factory=dict)
    untradable: Mapping[str, str] = field(default_factory=dict)
    maxima: Mapping[str, Decimal] = field(default_factory=dict)
    filters_at: datetime | None = None


def open_session(exchange: Exchange, symbols: Sequence[str], now: datetime) -> Session:
    """Compare clocks, read filters, and see whether the exchange still knows what it knew. Raises `NoSession`."""
    try:
        _check_clock(exchange, now)
        session = Session(exchange, current_epoch(now))
        _read_filters(session, symbols, now)
        look_for_a_wipe(session, now)
    except ExchangeError as error:
        note_trouble(error, now)
        raise NoSession(str(error)) from None
    return session


def _check_clock(exchange: Exchange, now: datetime) -> None:
    """A clock that is off by more than a second could make an expired request look alive, or a live one expired."""
    uncertain_ms = exchange.sync()
    if abs(exchange.offset_ms) + uncertain_ms > CLOCKS_APART_MS_MAX:
        sentence = f"the clocks are {exchange.offset_ms} ms apart, give or take {uncertain_ms}; nothing is sent"
        tell("clock", f"{now:%Y-%m-%d}", sentence, now)
        raise NoSession(sentence)


def _read_filters(session: Session, symbols: Sequence[str], now: datetime) -> None:
    content = session.exchange.exchange_info(symbols)
    found, untradable = dict[str, Symbol](), dict[str, str]()
    for name, listed in listings(content).items():
        if isinstance(listed, NotTradable):
            untradable[name] = str(listed)
        else:
            found[name] = listed
    session.maxima = market_maxima(content)
    session.filters, session.untradable, session.filters_at = found, untradable, now


def why_not_sendable(session: Session, order: Order, now: datetime) -> str:
    """Why the exchange would not take an order, by its filters of the hour; nothing when it would.

    Raises `NoSession` when they are older than that: what they say may no longer hold.
    """
    if session.filters_at is None or now - session.filters_at > timedelta(seconds=FILTERS_FRESH_S):
        raise NoSession("the exchange's filters are older than an hour")
    symbol = session.filters.get(order.symbol)
    if symbol is None:
        return session.untradable.get(order.symbol, f"the exchange does not list {order.symbol}")
    quantity = order.quantity
    if quantity < symbol.min_quantity or quantity % symbol.step:
        return f"{quantity.normalize():f} is not a quantity of {order.symbol}: steps of {symbol.step.normalize():f}"
    most = min(symbol.max_quantity, session.maxima.get(order.symbol, symbol.max_quantity))
    if quantity > most:
        return f"{quantity.normalize():f} {order.symbol} is more than the {most.normalize():f} of one order"
    if quantity * order.reference_price < symbol.min_notional:
        return f"below the exchange's minimum notional of {symbol.min_notional.normalize():f}"
    return ""


def note_trouble(error: ExchangeError, now: datetime) -> None:
    """After a refused key nothing more is sent until somebody has looked: every further try could end in a ban."""
    if stops(error):
        stop_everything(str(error), now)


def stop_everything(reason: str, now: datetime) -> None:
    """Throw the kill switch and raise an alarm."""
    halt(f"stopped by itself: {reason}", EXECUTOR, now)
    tell("stopped", f"{now:%Y-%m-%d %H:%M}", reason, now)


def wait_s(error: ExchangeError, usual_s: int) -> float:
    """After how many seconds to ask again: what the exchange named, if that is longer."""
    named = error.after_s if isinstance(error, NoAnswer) else error.seconds if isinstance(error, StayAway) else None
    return max(named or 0.0, float(usual_s))


def what_to_do(error: ExchangeError) -> str:
    """What an operator can do about a question that got no answer, in a sentence."""
    if stops(error):
        return (
            "Give the executor the BINANCE_API_KEY and BINANCE_API_SECRET of an account there that may trade from its "
            "address, and start it again."
        )
    if isinstance(error, NoAnswer):
        return f"Ask again in {error.after_s:.0f} s." if error.after_s else "Ask again in a few minutes."
    if isinstance(error, StayAway):
        return "Ask again after that."
    return "Asking again is not likely to help; see what it says."


# -- Does the exchange remember? -------------------------------------------------------------------------------------


def witnesses(epoch: int, until: datetime) -> list[OrderAttempt]:
    """The last attempts sent in an epoch up to an instant of which the exchange has told us."""
    return _WITNESSES.all(epoch=epoch, until=until)


def is_there(exchange: Exchange, row: OrderAttempt) -> bool:
    """Whether the exchange knows an attempt by its id, or lists it. May raise `ExchangeError`."""
    symbol = row.order.symbol
    if exchange.order(symbol, row.client_order_id) is not None:
        return True
    listed = exchange.all_orders(symbol, row.exchange_order_id or 0)
    return any(found.client_order_id == row.client_order_id for found in listed)


def look_for_a_wipe(session: Session, now: datetime) -> None:
    """Begin another epoch when what the exchange told us of is gone. May raise `ExchangeError`."""
    known = witnesses(session.epoch, now - timedelta(seconds=QUIET_S))  # no copy of its records lags that far behind
    if known and not any(is_there(session.exchange, row) for row in known):
        begin_next(session, f"the exchange no longer knows {known[0].client_order_id}", now)


def begin_next(session: Session, reason: str, now: datetime) -> None:
    session.epoch = begin_epoch(session.epoch + 1, reason, now)
    tell("wiped", f"epoch {session.epoch}", f"The exchange was wiped: {reason}. Seasons go on from our ledger.", now)


def remembers(session: Session, since: datetime) -> bool:
    """Whether something shows that the exchange was not wiped since an instant; without a witness nothing does.

    Only what is older than that can: a younger order may have come after a wipe. May raise `ExchangeError`.
    """
    return any(is_there(session.exchange, row) for row in witnesses(session.epoch, since))
