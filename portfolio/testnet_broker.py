"""Orders carried out on the spot testnet, each at most once, whatever line, exchange and process do meanwhile.

    claim     the attempt is committed with its id, its instant and the bytes to send; when that raises, nothing is sent
    send      exactly these bytes, once; nobody else ever sends them, and after 5 s the exchange refuses them itself
    record    what the exchange said; anything but a refusal that it is known to mean leaves the attempt unknown
    look      after a quiet time, ask for the id: what is there is followed to its end, and what was not found twice and
              is not listed was never placed, which alone allows another attempt
    book      its trades, once they add up to what was executed

Every call takes an order as far as it goes now and raises `OutcomeUnknown` while the end is not known. So it may be
called by anybody, at any time, any number of times.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from market.core.answers import ExchangeError
from portfolio import attempts
from portfolio.attempts import BeyondTheLedger, Request, change, postpone, tell
from portfolio.core.brokers import OutcomeUnknown
from portfolio.core.order_attempts import (
    ATTEMPTS_MAX,
    LOOKS_APART_S,
    PATIENT_S,
    POLL_S,
    AttemptState,
    Refusal,
    may_be_followed,
)
from portfolio.core.orders import Execution, Order
from portfolio.core.terms import VENUE, WINDOW_OVER, Terms
from portfolio.core.venue_answers import Acknowledged, AlreadyThere, Outcome, Unknown, Wait
from portfolio.core.venue_answers import Refused as OrderRefused
from portfolio.core.venue_fields import Nonsense
from portfolio.core.venue_fills import NotYet, VenueOrder, execution_of
from portfolio.core.venue_orders import RECV_WINDOW_MS, limit_order, market_order, payload_of, worst_price
from portfolio.exchange_models import OrderAttempt
from portfolio.models import Order as OrderRow
from portfolio.restoring import is_there_already, why_its_week_is_over
from portfolio.venue_session import (
    Session,
    begin_next,
    look_for_a_wipe,
    note_trouble,
    remembers,
    stop_everything,
    wait_s,
    why_not_sendable,
)

logger = logging.getLogger(__name__)
A = AttemptState
ONE_MS = timedelta(milliseconds=1)


def why_too_late(reason: str) -> str:
    """Why an order was never sent when its time is over: what kept it back, if something did."""
    halt = attempts.standing_halt()
    return f"never sent: trading was halted: {halt.reason}" if halt else f"never sent: {reason}"


class TestnetBroker:
    """Fills orders on the testnet, within an open `session`, by `clock`."""

    __test__ = False

    def __init__(self, session: Session, terms: Terms, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._terms = terms
        self._clock = clock

    @property
    def venue(self) -> str:
        return VENUE

    def place(self, order: Order) -> Execution:
        """The end of an order that is on record; `OutcomeUnknown` while nobody knows it."""
        return self.pursue(OrderRow.objects.get(client_order_id=order.client_order_id))

    def pursue(self, row: OrderRow) -> Execution:
        """Take an order as far as it goes now, and return its end."""
        last = attempts.last_attempt(row)
        if last is not None and last.is_live:
            self._follow(row, last)
        elif last is None or may_be_followed(A(last.state), last.refusal):
            self._begin(row, last)
        last = attempts.last_attempt(row)
        if last is None or last.is_live or may_be_followed(A(last.state), last.refusal):
            raise OutcomeUnknown(f"{last or row.client_order_id}")
        return attempts.execution_on_record(row, last)

    # -- A new attempt ----------------------------------------------------------------------------

    def _begin(self, row: OrderRow, last: OrderAttempt | None) -> None:
        now = self._clock()
        refusal = self._why_never(row, last, now)
        if refusal:
            attempts.give_up(row, self._session.epoch, refusal, now)
            return
        if last is not None and last.due_at is not None and last.due_at > now:
            raise OutcomeUnknown(f"{last.client_order_id} is {last.state}; again from {last.due_at:%H:%M:%S} UTC on")
        if until := attempts.paused_until(now):
            raise OutcomeUnknown(f"the exchange wants to be left alone until {until:%H:%M:%S} UTC")
        try:
            attempt = self._claim(row)
        except BeyondTheLedger as beyond:
            attempts.give_up(row, self._session.epoch, f"never sent: {beyond}", now)
            return
        self._record(attempt, self._send(attempt))

    def _send(self, attempt: OrderAttempt) -> Outcome:
        if is_there_already(attempt.client_order_id):
            return AlreadyThere()
        return self._session.exchange.send(attempt.payload, attempt.client_order_id)

    def _why_never(self, row: OrderRow, last: OrderAttempt | None, now: datetime) -> str:
        """Why nothing is ever sent (again) for an order; nothing when it may be."""
        if now >= self._terms.deadline:
            return f"{last.reason}; no time for another attempt" if last else why_too_late(WINDOW_OVER)
        if last is not None and last.number >= ATTEMPTS_MAX:
            return f"given up after {last.number} attempts; the last one: {last.reason}"
        reason = why_its_week_is_over(row) or why_not_sendable(self._session, row.value(), now)
        return f"never sent: {reason}" if reason else ""

    def _claim(self, row: OrderRow) -> OrderAttempt:
        """At the instant of the request: from then on the exchange could take it, however long ago we began.

        So nothing that may take its time lies between the look at the clock and the request's stamp.
        """
        epoch = self._session.epoch
        number, client_id = attempts.next_id(row, epoch)
        now = self._clock()
        if now >= self._terms.deadline:
            raise OutcomeUnknown(f"{row.client_order_id}: {WINDOW_OVER} before it could be sent")
        request = self._request(row.value(), client_id)
        return attempts.claim(row, number, epoch, request, self._terms.symbols, now, self._terms.quiet_s)

    def _request(self, order: Order, client_id: str) -> Request:
        stamp = self._session.exchange.now_ms()
        slippage_bps, tick = self._terms.slippage_bps, self._session.filters[order.symbol].tick
        if slippage_bps is None:
            params, cost_max = market_order(order, client_id, stamp), order.quantity * order.reference_price
        else:
            worst = worst_price(order.side, order.reference_price, slippage_bps, tick)
            params, cost_max = limit_order(order, client_id, stamp, worst), order.quantity * worst
        return Request(payload_of(params), stamp, RECV_WINDOW_MS, cost_max)

    # -- What the exchange said -------------------------------------------------------------------

    def _record(self, row: OrderAttempt, outcome: Outcome) -> None:
        now = self._clock()
        match outcome:
            case Acknowledged(found):
                self._found(row, found)
            case OrderRefused():
                change(
                    row, A.REFUSED, f"{outcome.message} ({outcome.code})", now, refusal=outcome.kind.value, due_at=now
                )
                if outcome.stops:
                    stop_everything(f"the exchange refuses the key ({outcome.code})", now)
            case Wait(seconds):
                due_at = now + timedelta(seconds=seconds)
                change(row, A.REFUSED, "too many requests", now, refusal=Refusal.WAIT.value, due_at=due_at)
            case AlreadyThere():
                change(row, A.UNKNOWN, "an order of this id is there already", now, due_at=now)
            case Unknown(reason, stops):
                change(row, A.UNKNOWN, reason, now)
                if stops:
                    stop_everything(reason, now)

    def _found(self, row: OrderAttempt, found: VenueOrder) -> None:
        """The exchange has it: note as what, and book it if it has ended."""
        now = self._clock()
        values = {"exchange_order_id": found.order_id, "not_found_at": None, "executed": found.executed}
        if row.exchange_order_id is None:
            values["epoch"] = self._epoch_of(row, found, now)
        if found.is_open:
            due_at = now + timedelta(seconds=POLL_S)
            if row.state in (A.ACKNOWLEDGED, A.ENDED):  # an end that was seen stands: this is an older copy
                postpone(row, due_at, not_found_at=None)
            else:
                change(row, A.ACKNOWLEDGED, found.status, now, due_at=due_at, **values)
            raise OutcomeUnknown(f"{row.client_order_id} is {found.status}")
        if row.state != A.ENDED:
            change(row, A.ENDED, found.status, now, due_at=now, **values)
        self._book(row, found)

    def _epoch_of(self, row: OrderAttempt, found: VenueOrder, now: datetime) -> int:
        """The epoch in which it was found: an order id that is taken, or went down, comes from a wiped exchange."""
        known = OrderAttempt.objects.filter(epoch=self._session.epoch, order__symbol=found.symbol).exclude(id=row.id)
        long_before = row.claimed_at - timedelta(seconds=self._terms.quiet_s)
        later = known.filter(exchange_order_id__gt=found.order_id, claimed_at__lte=long_before)
        if known.filter(exchange_order_id=found.order_id).exists() or later.exists():
            begin_next(self._session, f"it counts orders anew, at {found.order_id}", now)
        return self._session.epoch

    def _book(self, row: OrderAttempt, found: VenueOrder) -> None:
        now = self._clock()
        try:
            trades = self._session.exchange.trades(found.symbol, found.order_id) if found.executed else ()
            end = execution_of(row.order.value(), found, trades, row.epoch, row.client_order_id)
        except ExchangeError as error:
            self._later(row, error)
        except Nonsense as nonsense:
            tell("nonsense", row.client_order_id, str(nonsense), now)
            postpone(row, now + timedelta(seconds=self._pause_s(now)))
            raise OutcomeUnknown(f"{row.client_order_id}: {nonsense}") from None
        if isinstance(end, NotYet):
            postpone(row, now + timedelta(seconds=self._pause_s(now)))
            raise OutcomeUnknown(f"{row.client_order_id}: {end.reason}")
        attempts.book_trades(row, end, now)

    # -- Looking for what nobody answered for -------------------------------------------------------

    def _follow(self, order: OrderRow, row: OrderAttempt) -> None:
        now = self._clock()
        if row.due_at is not None and row.due_at > now:
            raise OutcomeUnknown(f"{row.client_order_id} is {row.state}; asked for at {row.due_at:%H:%M:%S} UTC")
        try:
            found = self._session.exchange.order(order.symbol, row.client_order_id)
            if found is not None and found.is_open and now >= self._terms.deadline:
                self._session.exchange.cancel(order.symbol, row.client_order_id)
                found = self._session.exchange.order(order.symbol, row.client_order_id)
            if found is None:
                found = self._not_found(order, row, now)
        except ExchangeError as error:
            self._later(row, error)
        if found is not None:
            self._found(row, found)

    def _not_found(self, order: OrderRow, row: OrderAttempt, now: datetime) -> VenueOrder | None:
        """Silence is no proof: two looks with a pause, the list of all orders, and an exchange that remembers.

        Nor is it one of a wipe, for an order that was acknowledged, as long as a copy of its records may lag behind.
        """
        if row.exchange_order_id is not None and now < row.claimed_at + timedelta(seconds=self._terms.quiet_s):
            postpone(row, now + timedelta(seconds=self._pause_s(now)))
            raise OutcomeUnknown(f"{row.client_order_id} was acknowledged, and is not shown yet")
        if row.not_found_at is None:
            postpone(row, now + timedelta(seconds=LOOKS_APART_S), not_found_at=now)
            raise OutcomeUnknown(f"{row.client_order_id} was not found, and is looked for once more")
        listed = self._listed(order, row)
        if listed is not None:
            return listed
        look_for_a_wipe(self._session, now)
        if row.exchange_order_id is not None:
            self._gone(row, now)
        elif row.epoch != self._session.epoch:
            self._wiped(row, now)
        elif remembers(self._session, row.claimed_at):
            change(row, A.NOT_PLACED, "looked for twice and not listed: it was never placed", now, due_at=now)
        else:
            reason = "not found, and nothing is left that would show that the exchange was not wiped"
            change(row, A.ABANDONED, reason, now, due_at=None)
        return None

    def _listed(self, order: OrderRow, row: OrderAttempt) -> VenueOrder | None:
        """The order in the list of all orders from the last one before it on, page by page."""
        before = OrderAttempt.objects.filter(
            order__symbol=order.symbol, epoch=self._session.epoch, claimed_at__lt=row.claimed_at
        ).exclude(exchange_order_id=None)
        # One claimed long before was placed before, so it has a lower number; a recent one may have overtaken it.
        before = before.filter(claimed_at__lte=row.claimed_at - timedelta(seconds=self._terms.quiet_s))
        first = before.order_by("-exchange_order_id").values_list("exchange_order_id", flat=True).first() or 0
        while page := self._session.exchange.all_orders(order.symbol, first):
            for found in page:
                if found.client_order_id == row.client_order_id:
                    return found
            first = page[-1].order_id + 1
        return None

    def _gone(self, row: OrderAttempt, now: datetime) -> None:
        """It was there. Either the exchange has forgotten everything, or somebody has to look."""
        since = row.claimed_at - ONE_MS
        if row.epoch != self._session.epoch or not remembers(self._session, since):
            others = OrderAttempt.objects.filter(epoch=row.epoch, exchange_order_id__isnull=False).exclude(id=row.id)
            if row.epoch == self._session.epoch and not others.exists():
                begin_next(self._session, f"it no longer knows {row.client_order_id}", now)
            self._wiped(row, now)
            return
        tell("lost", row.client_order_id, "the exchange had acknowledged this order and no longer knows it", now)
        postpone(row, now + timedelta(seconds=PATIENT_S))
        raise OutcomeUnknown(f"{row.client_order_id} was acknowledged and is gone")

    def _wiped(self, row: OrderAttempt, now: datetime) -> None:
        change(row, A.WIPED, "the testnet was wiped before its outcome was known", now, due_at=None)
        tell("order", row.client_order_id, "the testnet was wiped before the outcome of this order was known", now)

    def _later(self, row: OrderAttempt, error: ExchangeError) -> NoReturn:
        now = self._clock()
        note_trouble(error, now)
        postpone(row, now + timedelta(seconds=wait_s(error, self._pause_s(now))))
        raise OutcomeUnknown(f"{row.client_order_id} cannot be asked for: {error}") from None

    def _pause_s(self, now: datetime) -> int:
        return POLL_S if now < self._terms.deadline else PATIENT_S
