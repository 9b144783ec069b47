"""Writes to the ledger. Everything is posted whole or not at all, once, and in the order of the hash chain."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from portfolio.core.book import GENESIS, BrokenLedger, Journal, checked, journal_hash
from portfolio.core.brokers import Broker
from portfolio.core.order_attempts import EXECUTED, LIVE
from portfolio.core.orders import FINAL_ORDER_STATES, Execution, Order, OrderState
from portfolio.exchange_models import OrderAttempt
from portfolio.models import Fill as FillRow
from portfolio.models import Journal as JournalRow
from portfolio.models import Order as OrderRow
from portfolio.models import Portfolio, Valuation
from portfolio.models import Posting as PostingRow
from portfolio.prepared import Given, PreparedObjects

_ORDERS_OF_A_WEEK = PreparedObjects(
    lambda: OrderRow.objects.filter(portfolio=Given("portfolio"), cycle_number=Given("number"))
)
_LAST_JOURNAL = PreparedObjects(
    lambda: JournalRow.objects.filter(portfolio=Given("portfolio")).order_by("-sequence")[:1]
)


def post(portfolio: Portfolio, journals: Sequence[Journal]) -> None:
    """Append journals to a portfolio's chain. Needs a transaction; holds the portfolio's lock until it ends.

    Raises `BrokenLedger` for a journal that does not balance or would lose digits, `IntegrityError` for one whose
    key is posted already.
    """
    Portfolio.objects.select_for_update().get(id=portfolio.id)
    last = _LAST_JOURNAL.first(portfolio=portfolio.id)
    write_chain(portfolio, journals, last.sequence if last else 0, last.hash if last else GENESIS)


def write_chain(portfolio: Portfolio, journals: Sequence[Journal], sequence: int, head: str) -> None:
    """Write `journals` behind the chain's `head`, which is journal number `sequence`."""
    rows = []
    for number, journal in enumerate(journals, start=sequence + 1):
        head = journal_hash(head, checked(journal))
        rows.append(
            JournalRow(
                portfolio=portfolio,
                sequence=number,
                key=journal.key,
                kind=journal.kind.value,
                at=journal.at,
                reason=journal.reason,
                hash=head,
            )
        )
    JournalRow.objects.bulk_create(rows)
    PostingRow.objects.bulk_create(
        PostingRow(
            journal=row,
            portfolio=portfolio,
            position=position,
            account=posting.account.value,
            asset=posting.asset,
            amount=posting.amount,
        )
        for row, journal in zip(rows, journals, strict=True)
        for position, posting in enumerate(journal.postings)
    )


def value_at(portfolio: Portfolio, cycle_number: int, at: datetime, value: Decimal) -> None:
    """Record what a portfolio was worth when a cycle was settled; cycle 0 is the start."""
    Valuation.objects.create(portfolio=portfolio, cycle_number=cycle_number, at=at, value=value)


class LeaseLost(Exception):
    """Another process has taken the turn over, or it has ended: whoever learns this stops, and touches nothing."""


class RecordingBroker:
    """A broker that remembers: each order is on record before it is placed.

    An order that has ended is answered from the record, so a turn interrupted anywhere is finished by running it
    again: it plans the same orders under the same ids and goes on behind the last one that ended. `still_mine` is
    asked before anything is written or placed; it says whether the caller holds the turn, and renews its lease.
    """

    def __init__(
        self, broker: Broker, portfolio: Portfolio, cycle_number: int, still_mine: Callable[[], bool] = lambda: True
    ) -> None:
        self._broker = broker
        self._still_mine = still_mine
        self._portfolio = portfolio
        self._cycle_number = cycle_number
        rows = _ORDERS_OF_A_WEEK.all(portfolio=portfolio.id, number=cycle_number)
        self._on_record = {row.client_order_id: row for row in rows}

    @property
    def venue(self) -> str:
        return self._broker.venue

    def place(self, order: Order) -> Execution:
        """The recorded end of this order, or its end now.

        Raises `OutcomeUnknown` as the inner broker does, `LeaseLost` when the turn is no longer the caller's.
        """
        row = self._on_record.get(order.client_order_id)
        if row is None:
            row = self._write(order)
        elif row.state not in FINAL_ORDER_STATES:
            self._check_mine()
        if row.value() != order:
            raise BrokenLedger(f"order {order.client_order_id} is on record as {row}, and now planned as {order}")
        if row.state in FINAL_ORDER_STATES:
            return row.execution()
        return record_execution(row, self._broker.place(order), self.venue)

    def _write(self, order: Order) -> OrderRow:
        """The order's row, committed before anything is placed; that of another process when it was first."""
        row = order_row(self._portfolio, self._cycle_number, Execution(order, OrderState.NEW))
        try:
            with transaction.atomic():
                self._check_mine()
                row.save(force_insert=True)
        except IntegrityError:
            return OrderRow.objects.get(client_order_id=order.client_order_id)
        return row

    def _check_mine(self) -> None:
        if not self._still_mine():
            raise LeaseLost(f"{self._portfolio.key}, cycle {self._cycle_number}")


def end_open_orders(portfolio: Portfolio, cycle_number: int, reason: str) -> int:
    """Let the orders of a turn that will not be carried on expire; returns how many of its orders were executed.

    One that an exchange may have executed does not: it ends when the exchange says how. What was executed stays on
    record and is posted nowhere: somebody has to look at it.
    """
    orders = OrderRow.objects.filter(portfolio=portfolio, cycle_number=cycle_number)
    may_be_executed = OrderAttempt.objects.filter(order=OuterRef("pk"), state__in=[*LIVE, *EXECUTED])
    unsent = orders.filter(~Exists(may_be_executed), state=OrderState.NEW.value)
    unsent.update(state=OrderState.EXPIRED.value, reason=reason[:200])
    return orders.filter(fills__isnull=False).distinct().count()


@transaction.atomic
def record_execution(row: OrderRow, execution: Execution, venue: str) -> Execution:
    """Add the end of an order to its row; when another process was first, that one's record counts.

    An execution that is `NEW` still is not known, and leaves the row as it is.
    """
    if execution.state is OrderState.NEW:
        return execution
    is_new = OrderRow.objects.filter(id=row.id, state=OrderState.NEW)
    if not is_new.update(state=execution.state.value, reason=execution.reason):
        row.refresh_from_db()
        return row.execution()
    FillRow.objects.bulk_create(fill_rows(row, execution, venue))
    return execution


def fill_rows(row: OrderRow, execution: Execution, venue: str) -> list[FillRow]:
    """The fills of an execution as unsaved rows."""
    return [
        FillRow(
            order=row,
            venue=venue,
            symbol=fill.symbol,
            trade_id=fill.trade_id,
            quantity=fill.quantity,
            price=fill.price,
            quote_amount=fill.quote_amount,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            at=fill.at,
        )
        for fill in execution.fills
    ]


def order_row(portfolio: Portfolio, cycle_number: int, execution: Execution) -> OrderRow:
    """An order, ended or new, as an unsaved row."""
    order = execution.order
    return OrderRow(
        portfolio=portfolio,
        cycle_number=cycle_number,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side.value,
        quantity=order.quantity,
        reference_price=order.reference_price,
        state=OrderState(execution.state).value,
        reason=execution.reason,
    )
