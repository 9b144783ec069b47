"""What the exchange says of an order and of its trades, as the end of an order and its fills.

The answer about an order has neither fills nor fees, and its trades may appear later than its sums: so nothing is
booked until the trades add up to what the order says was executed. Fills are what changed the account: the base as
traded, the fee in whatever asset it was taken, and of the quote the order's total, which the exchange cuts to 8 places.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from market.core.candles import from_ms
from market.core.exact import EXACT, exact_sum
from portfolio.core.orders import Execution, Fill, Order, OrderState, Side
from portfolio.core.venue_fields import Nonsense, amount_of, mapping_of, number_of, whole_of, word_of

OPEN_STATUSES = frozenset({"NEW", "PENDING_NEW", "PARTIALLY_FILLED", "PENDING_CANCEL"})
CLOSED_STATUSES = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})
ORDER_STATUSES = OPEN_STATUSES | CLOSED_STATUSES

_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_QUOTE_PLACES = Decimal(1).scaleb(-8)
_AT_MOST_MS = 10**13


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the exchange tells it. `quote_total` is None where it has none; `why` is its reason for an expiry."""

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    status: str
    ordered: Decimal
    executed: Decimal
    quote_total: Decimal | None
    why: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """One trade of an order; `fee` in `fee_asset`, at an instant in UTC."""

    trade_id: int
    order_id: int
    symbol: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NotYet:
    """The order cannot be booked now, and why. Ask again later."""

    reason: str


def venue_order(content: Any) -> VenueOrder:
    """The answer to an order, or to a question about one. Raises `Nonsense`."""
    row = mapping_of(content, "an order")
    quote_total = number_of(row, "cummulativeQuoteQty")  # the exchange's own spelling
    side = row.get("side")
    if side not in _SIDES:
        raise Nonsense(f"an order of side {str(side)[:20]!r}")
    return VenueOrder(
        order_id=whole_of(row, "orderId"),
        client_order_id=word_of(row, "clientOrderId"),
        symbol=word_of(row, "symbol"),
        side=_SIDES[str(side)],
        status=word_of(row, "status"),
        ordered=amount_of(row, "origQty"),
        executed=amount_of(row, "executedQty"),
        quote_total=None if quote_total < 0 else quote_total,
        why=str(row.get("expiryReason") or "")[:60],
    )


def venue_trades(content: Any) -> tuple[VenueTrade, ...]:
    """The rows of myTrades, oldest first. Raises `Nonsense`, also when a trade is there twice."""
    if not isinstance(content, list):
        raise Nonsense("trades that are no list")
    trades = sorted((_trade(row) for row in content), key=lambda trade: trade.trade_id)
    if len({trade.trade_id for trade in trades}) != len(trades):
        raise Nonsense("the same trade is listed twice")
    return tuple(trades)


def execution_of(
    order: Order, found: VenueOrder, trades: Sequence[VenueTrade], venue_epoch: int, client_order_id: str = ""
) -> Execution | NotYet:
    """The end of `order`, or `NotYet` while it is open or its trades do not add up to what it says was executed.

    `found` must be the order asked for, under `client_order_id` if the attempt had another id than the order, else
    `Nonsense` is raised. Trade ids begin with the venue's epoch, because a wiped testnet counts from 1 again.
    """
    _check_is_it(order, found, client_order_id or order.client_order_id)
    if found.is_open:
        return NotYet(f"the order is {found.status}, with {found.executed} of {found.ordered} executed")
    own = [trade for trade in trades if trade.order_id == found.order_id and trade.symbol == found.symbol]
    traded = exact_sum(trade.quantity for trade in own)
    if traded != found.executed:
        return NotYet(f"trades of {traded} are listed, and {found.executed} was executed")
    amounts = quote_amounts(own, found.quote_total)
    if amounts is None:
        return NotYet(f"the trades' amounts do not add up to the order's {found.quote_total}")
    fills = tuple(_fill(order, trade, amount, venue_epoch) for trade, amount in zip(own, amounts, strict=True))
    return Execution(order, _state(found), fills, _reason(found))


def quote_amounts(trades: Iterable[VenueTrade], total: Decimal | None) -> list[Decimal] | None:
    """What each trade moved in quote: the steps of the running total, cut to 8 places as the exchange cuts it.

    The last one ends at `total` where it is given. None when that is further off than one cut for each trade.
    """
    amounts, running, before = [], Decimal(0), Decimal(0)
    for trade in trades:
        running = EXACT.add(running, EXACT.multiply(trade.price, trade.quantity))
        cut = running.quantize(_QUOTE_PLACES, rounding=ROUND_DOWN, context=EXACT)
        amounts.append(cut - before)
        before = cut
    rest = Decimal(0) if total is None else total - before
    if abs(rest) > _QUOTE_PLACES * len(amounts):
        return None
    if amounts:
        amounts[-1] += rest
    return None if any(amount < 0 for amount in amounts) else amounts


def _check_is_it(order: Order, found: VenueOrder, client_order_id: str) -> None:
    wanted = (client_order_id, order.symbol, order.side, order.quantity)
    if (found.client_order_id, found.symbol, found.side, found.ordered) != wanted:
        raise Nonsense(
            f"asked for {client_order_id}, {order.side} {order.quantity} {order.symbol}, and told of "
            f"{found.client_order_id}, {found.side} {found.ordered} {found.symbol}"
        )
    if found.status not in ORDER_STATUSES:
        raise Nonsense(f"the unknown status {found.status}")
    if found.executed > found.ordered:
        raise Nonsense(f"{found.executed} was executed of {found.ordered} ordered")
    if (found.status == "FILLED" and found.executed != found.ordered) or (
        found.status == "REJECTED" and found.executed
    ):
        raise Nonsense(f"the order is {found.status}, and {found.executed} of {found.ordered} was executed")


def _state(found: VenueOrder) -> OrderState:
    if found.status == "REJECTED":
        return OrderState.REJECTED
    if found.executed == 0:
        return OrderState.EXPIRED
    return OrderState.FILLED if found.executed == found.ordered else OrderState.PARTIAL


def _reason(found: VenueOrder) -> str:
    if found.executed == found.ordered:
        return ""
    return f"the exchange says {found.status}" + (f": {found.why}" if found.why else "")


def _fill(order: Order, trade: VenueTrade, quote_amount: Decimal, venue_epoch: int) -> Fill:
    return Fill(
        trade_id=f"{venue_epoch}-{trade.trade_id}",
        client_order_id=order.client_order_id,
        symbol=trade.symbol,
        side=order.side,
        quantity=trade.quantity,
        price=trade.price,
        quote_amount=quote_amount,
        fee=trade.fee,
        fee_asset=trade.fee_asset,
        at=trade.at,
    )


def _trade(content: Any) -> VenueTrade:
    row = mapping_of(content, "a trade")
    at_ms = whole_of(row, "time")
    if at_ms >= _AT_MOST_MS:
        raise Nonsense(f"a trade at {at_ms} ms")
    trade = VenueTrade(
        trade_id=whole_of(row, "id"),
        order_id=whole_of(row, "orderId"),
        symbol=word_of(row, "symbol"),
        price=amount_of(row, "price"),
        quantity=amount_of(row, "qty"),
        fee=amount_of(row, "commission"),
        fee_asset=word_of(row, "commissionAsset"),
        at=from_ms(at_ms),
    )
    if not trade.price or not trade.quantity:
        raise Nonsense(f"trade {trade.trade_id} moved {trade.quantity} at {trade.price}")
    return trade
