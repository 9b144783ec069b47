"""What is written about attempts, each in one transaction: claimed before anything is sent, changed along the table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from market.core.symbols import Symbol
from portfolio.core.book import Book, fill_journal, fold
from portfolio.core.brokers import OutcomeUnknown
from portfolio.core.order_attempts import (
    LIVE,
    AttemptState,
    Refusal,
    attempt_id,
    check_change,
    deviation_bps,
    may_be_followed,
)
from portfolio.core.orders import Execution, OrderState, Side
from portfolio.exchange_models import ExchangeTrade, Incident, OrderAttempt, TradingHalt, VenueEpoch
from portfolio.models import Fill, Journal, Order, Portfolio
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.queries import book_of

A = AttemptState
EXECUTOR = "the executor"
_LAST = PreparedObjects(lambda: OrderAttempt.objects.filter(order=Given("order")).order_by("-number")[:1])
_LIVE_OF_PORTFOLIO = PreparedObjects(
    lambda: (
        OrderAttempt.objects.filter(order__portfolio=Given("portfolio"), state__in=LIVE)
        .select_related("order")
        .order_by("-order__cycle_number", "-id")
    )
)
_NEWEST_HALT = PreparedObjects(lambda: TradingHalt.objects.order_by("-id")[:1])
_NEWEST_EPOCH = Prepared(lambda: VenueEpoch.objects.order_by("-number").values_list("number")[:1])


class Superseded(OutcomeUnknown):
    """Another process has been at this order meanwhile; look again."""


class Halted(OutcomeUnknown):
    """The kill switch is thrown: nothing new is sent."""


class Frozen(OutcomeUnknown):
    """An earlier order of this portfolio in this symbol is not resolved."""


class BeyondTheLedger(Exception):
    """The order would spend what its own portfolio does not hold, whatever the account has."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is about to be sent: the payload with the instant in it, and the most in quote that buying can take."""

    payload: str
    timestamp_ms: int
    recv_window_ms: int
    cost_max: Decimal


def last_attempt(order: Order) -> OrderAttempt | None:
    last = _LAST.first(order=order.id)
    if last is not None:
        last.order = order
    return last


def is_conclusive(row: OrderAttempt) -> bool:
    """Whether the order ends with this attempt."""
    return not row.is_live and not may_be_followed(A(row.state), row.refusal)


def live_attempts(portfolio_id: int) -> Mapping[str, OrderAttempt]:
    """Attempts of a portfolio whose outcome is not known, by symbol."""
    return {row.order.symbol: row for row in _LIVE_OF_PORTFOLIO.all(portfolio=portfolio_id)}


def next_id(order: Order, epoch: int) -> tuple[int, str]:
    """Number and client order id of the attempt that would come next."""
    last = last_attempt(order)
    number = last.number + 1 if last else 1
    return number, attempt_id(order.client_order_id, epoch, number)


@transaction.atomic
def claim(
    order: Order, number: int, epoch: int, request: Request, symbols: Mapping[str, Symbol], now: datetime, quiet_s: int
) -> OrderAttempt:
    """Write an attempt that its caller, and nobody else, shall send as soon as this has committed.

    Raises `Halted`, `Frozen` or `Superseded` when nothing may be sent now, `BeyondTheLedger` when never. When the
    commit itself raises, nobody knows whether the row is there: then nothing may be sent.
    """
    portfolio = Portfolio.objects.select_for_update().get(id=order.portfolio_id)
    halt = standing_halt()
    if halt is not None:
        raise Halted(f"trading is halted: {halt.reason}")
    last = last_attempt(order)
    if (last.number if last else 0) != number - 1:
        raise Superseded(f"{order.client_order_id} has another attempt already")
    if last is not None and not may_be_followed(A(last.state), last.refusal):
        raise Superseded(f"{last.client_order_id} is {last.state}")
    if last is not None and last.changed_at > now:
        raise Superseded(f"{last.client_order_id} came to its end later than this attempt began")
    waiting = live_attempts(portfolio.id).get(order.symbol)
    if waiting is not None:
        raise Frozen(f"{order.symbol} is frozen: {waiting.client_order_id} is not resolved")
    order.refresh_from_db()
    if order.state == OrderState.NEW:
        _check_ledger(order, request, symbols)
    row = OrderAttempt(
        order=order,
        number=number,
        epoch=epoch,
        client_order_id=attempt_id(order.client_order_id, epoch, number),
        claimed_at=now,
        changed_at=now,
        due_at=now + timedelta(seconds=quiet_s),
        payload=request.payload,
        timestamp_ms=request.timestamp_ms,
        recv_window_ms=request.recv_window_ms,
        state=A.SENDING.value,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Superseded(f"{row.client_order_id} was claimed by another process") from None
    return row


def _check_ledger(order: Order, request: Request, symbols: Mapping[str, Symbol]) -> None:
    """A portfolio is a ledger of its own: what others have in the same account is not its to sell or to spend."""
    symbol, book = symbols[order.symbol], available(order.portfolio_id, order.cycle_number, symbols)
    asset, needed = (symbol.base, order.quantity) if order.side == Side.SELL else (symbol.quote, request.cost_max)
    if book.of(asset) < needed:
        raise BeyondTheLedger(f"{needed.normalize():f} {asset} wanted, and its ledger has {book.of(asset):f}")


def available(portfolio_id: int, cycle_number: int, symbols: Mapping[str, Symbol]) -> Book:
    """What a portfolio holds with this cycle's fills, posted or not, without what orders under way may still take."""
    unposted = Fill.objects.filter(order__portfolio=portfolio_id, order__cycle_number=cycle_number)
    unposted = unposted.select_related("order")
    posted = set(Journal.objects.filter(portfolio=portfolio_id).values_list("key", flat=True))
    journals = [fill_journal(fill.value(), symbols[fill.symbol]) for fill in unposted]
    book = fold([journal for journal in journals if journal.key not in posted], book_of(portfolio_id))
    balances = dict(book.balances)
    for asset, amount in reserved(portfolio_id, symbols).items():
        balances[asset] = balances.get(asset, Decimal(0)) - amount
    return Book(balances)


def reserved(portfolio_id: int, symbols: Mapping[str, Symbol]) -> dict[str, Decimal]:
    """What orders that are written, sent and not resolved may still take, by asset."""
    amounts: dict[str, Decimal] = {}
    for row in live_attempts(portfolio_id).values():
        if row.order.state != OrderState.NEW:
            continue  # proof only: the ledger has it already
        asset, amount = worst_of(row.order, symbols[row.order.symbol])
        amounts[asset] = amounts.get(asset, Decimal(0)) + amount
    return amounts


def worst_of(order: Order, symbol: Symbol) -> tuple[str, Decimal]:
    """The asset that an order takes, and the most it can take of it by the last request that was sent for it."""
    if order.side == Side.SELL:
        return symbol.base, order.quantity
    last = last_attempt(order)
    price = dict(part.split("=", 1) for part in last.payload.split("&") if part).get("price") if last else None
    return symbol.quote, order.quantity * (Decimal(price) if price else order.reference_price)


@transaction.atomic
def change(row: OrderAttempt, state: AttemptState, reason: str, now: datetime, **values: Any) -> None:
    """Bring an attempt into another state. Raises `Superseded` when it is no longer in the one it is known in."""
    check_change(A(row.state), state)
    given = {"state": state.value, "reason": reason[:300], "changed_at": now, **values}
    if not OrderAttempt.objects.filter(id=row.id, state=row.state).update(**given):
        raise Superseded(f"{row.client_order_id} is no longer {row.state}")
    for name, value in given.items():
        setattr(row, name, value)


def postpone(row: OrderAttempt, due_at: datetime, **values: Any) -> None:
    """Look at a live attempt again later."""
    OrderAttempt.objects.filter(id=row.id, state=row.state).update(due_at=due_at, **values)


@transaction.atomic
def give_up(order: Order, epoch: int, reason: str, now: datetime) -> None:
    """One last attempt that is never sent and says why. Nothing, when there is one that may not be followed."""
    Portfolio.objects.select_for_update().get(id=order.portfolio_id)
    last = last_attempt(order)
    if last is not None and not may_be_followed(A(last.state), last.refusal):
        return
    number, client_id = next_id(order, epoch)
    OrderAttempt.objects.create(
        order=order,
        number=number,
        epoch=epoch,
        client_order_id=client_id,
        claimed_at=now,
        changed_at=now,
        state=A.ABANDONED.value,
        reason=reason[:300],
    )


@transaction.atomic
def book_trades(row: OrderAttempt, execution: Execution, now: datetime) -> None:
    """Write the trades of an attempt with its end, together or not at all."""
    fills = execution.fills
    executed = sum((fill.quantity for fill in fills), Decimal(0))
    moved = sum((fill.quote_amount for fill in fills), Decimal(0))
    order = row.order
    values: dict[str, Any] = {"executed": executed, "quote_amount": moved, "due_at": None}
    if fills:
        values["deviation_bps"] = deviation_bps(Side(order.side), order.reference_price, executed, moved)
    if execution.state is OrderState.REJECTED:
        change(row, A.REFUSED, execution.reason, now, refusal=Refusal.DECLINED.value, **values)
    else:
        change(row, A(execution.state.value), execution.reason, now, **values)
    ExchangeTrade.objects.bulk_create(
        ExchangeTrade(
            attempt=row,
            symbol=fill.symbol,
            trade_id=fill.trade_id,
            quantity=fill.quantity,
            price=fill.price,
            quote_amount=fill.quote_amount,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            at=fill.at,
        )
        for fill in fills
    )


def execution_on_record(order: Order, row: OrderAttempt) -> Execution:
    """The end of an order by the end of its last attempt."""
    trades: Iterable[ExchangeTrade] = row.trades.order_by("id")
    fills = tuple(trade.fill(order.client_order_id, Side(order.side)) for trade in trades)
    state = A(row.state)
    if state in (A.FILLED, A.PARTIAL):
        return Execution(order.value(), OrderState(state.value), fills, row.reason[:200])
    ended = OrderState.REJECTED if state is A.REFUSED else OrderState.EXPIRED
    return Execution(order.value(), ended, reason=row.reason[:200])


# -- The switch, the epochs, and what somebody has to look at --------------------------------------------------------


def standing_halt() -> TradingHalt | None:
    """The kill switch if it is thrown."""
    newest = _NEWEST_HALT.first()
    return newest if newest is not None and newest.halted else None


def halt(reason: str, who: str, now: datetime) -> None:
    """Throw the kill switch, unless it is thrown already."""
    if standing_halt() is None:
        TradingHalt.objects.create(at=now, halted=True, reason=reason[:200], who=who)


def tell(kind: str, subject: str, sentence: str, now: datetime) -> None:
    """Raise an alarm, once for each kind and subject."""
    Incident.objects.get_or_create(kind=kind, subject=subject[:80], defaults={"at": now, "sentence": sentence[:300]})


def paused_until(now: datetime) -> datetime | None:
    """Until when the exchange told us to wait; None when it did not, or that is over."""
    rows = OrderAttempt.objects.filter(refusal=Refusal.WAIT.value, due_at__gt=now)
    return rows.order_by("-due_at").values_list("due_at", flat=True).first()


def current_epoch(now: datetime) -> int:
    """The number of the venue's epoch; the first begins when it is asked for."""
    newest = _NEWEST_EPOCH.rows()
    return newest[0][0] if newest else begin_epoch(1, "the first order, or the first look at the account", now)


def begin_epoch(number: int, reason: str, now: datetime) -> int:
    """Begin this epoch, unless it has begun; its number."""
    VenueEpoch.objects.get_or_create(number=number, defaults={"began_at": now, "reason": reason[:300]})
    return number
