"""How processes come to a testnet broker: with keys and a session on first use, without keys, or after the window."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from portfolio import attempts
from portfolio.core.brokers import OutcomeUnknown
from portfolio.core.orders import Execution, Order, OrderState
from portfolio.core.terms import VENUE, WINDOW_OVER, Terms
from portfolio.models import Order as OrderRow
from portfolio.restoring import Turns, recover
from portfolio.testnet_broker import TestnetBroker, why_too_late
from portfolio.venue_session import Exchange, NoSession, open_session


class Connection(Exchange, Protocol):
    def close(self) -> None: ...


# an account at the exchange, or None for a process that has no keys
Connect = Callable[[], Connection | None]


class TestnetDesk:
    """A broker that opens its session with the first order that needs one, and closes it with the `with` around it."""

    __test__ = False
    venue = VENUE

    def __init__(self, connect: Connect, terms: Terms, turns: Turns, clock: Callable[[], datetime]) -> None:
        self._connect = connect
        self._terms = terms
        self._turns = turns
        self._clock = clock
        self._connection: Connection | None = None
        self._broker: TestnetBroker | None = None
        self._why_not: OutcomeUnknown | None = None

    def __enter__(self) -> "TestnetDesk":
        return self

    def __exit__(self, *error: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def place(self, order: Order) -> Execution:
        return self.pursue(OrderRow.objects.get(client_order_id=order.client_order_id))

    def pursue(self, row: OrderRow) -> Execution:
        """Take an order as far as it goes now; `OutcomeUnknown` while its end is not known, or nobody can be asked."""
        last = attempts.last_attempt(row)
        if last is not None and attempts.is_conclusive(last):
            return attempts.execution_on_record(row, last)  # without the exchange
        now = self._clock()
        if now >= self._terms.deadline and not (last and last.is_live):
            attempts.give_up(row, attempts.current_epoch(now), why_too_late(WINDOW_OVER), now)
            return self.pursue(row)
        if last is not None and last.is_live and last.due_at is not None and last.due_at > now:
            raise OutcomeUnknown(f"{last.client_order_id} is {last.state}; asked for at {last.due_at:%H:%M:%S} UTC")
        return self._opened().pursue(row)

    def look_around(self) -> None:
        """Open the session before anything is planned: what it finds of a record that was put back moves the books.

        What keeps it from opening is told to the first order.
        """
        with suppress(OutcomeUnknown):
            self._opened()

    def _opened(self) -> TestnetBroker:
        """The broker; what keeps it from opening keeps the whole batch back."""
        if self._why_not is not None:
            raise self._why_not
        if self._broker is None:
            try:
                self._broker = self._open()
            except OutcomeUnknown as why_not:
                self._why_not = why_not
                raise
        return self._broker

    def _open(self) -> TestnetBroker:
        self._connection = self._connect()
        if self._connection is None:
            raise NoSession("it is left to a process that has the keys of the exchange")
        session = open_session(self._connection, list(self._terms.symbols), self._clock())
        recover(session, self._terms.symbols, self._turns, self._clock())
        return TestnetBroker(session, self._terms, self._clock)


class ClosedTestnetBroker:
    """After the trade window, without asking the exchange: what was never sent expires; the rest is not known yet."""

    venue = VENUE

    def __init__(self, reason: str, clock: Callable[[], datetime]) -> None:
        self._reason = reason
        self._clock = clock

    def place(self, order: Order) -> Execution:
        """The end of an order, `EXPIRED` if nothing is under way; an execution that is `NEW` is not known yet."""
        row = OrderRow.objects.get(client_order_id=order.client_order_id)
        now = self._clock()
        attempts.give_up(row, attempts.current_epoch(now), why_too_late(self._reason), now)
        last = attempts.last_attempt(row)
        assert last is not None
        if last.is_live:
            return Execution(order, OrderState.NEW, reason=f"the outcome of {last.client_order_id} is not known")
        return attempts.execution_on_record(row, last)
