"""What came of a decision: orders against their fills, what was left undone, and the book before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from competition.core.states import POSTED, TURNS_OVER
from competition.models import Turn
from competition.pages.figures import NOTHING, basis_points, money, price, quantity
from competition.pages.holdings import PricedBook
from competition.pages.text import line
from market.core.symbols import Symbol
from portfolio.core.book import Book, fill_journal, fold
from portfolio.core.orders import OrderState, Side
from portfolio.models import Fill, Order

ORDER_WORDS: Mapping[str, str] = {
    OrderState.NEW: "written, not answered yet",
    OrderState.FILLED: "filled",
    OrderState.PARTIAL: "filled in part",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "refused by the venue",
}

# an order with its fills in the order they came
Executed = Sequence[tuple[Order, Sequence[Fill]]]


@dataclass(frozen=True, slots=True)
class FillView:
    """`slippage` is how much worse than the order's reference price, for the one who traded."""

    quantity: str
    price: str
    slippage: str
    amount: str
    fee: str


@dataclass(frozen=True, slots=True)
class OrderView:
    id: str
    side: str
    symbol: str
    quantity: str
    reference_price: str
    state: str
    reason: str
    fills: tuple[FillView, ...]
    proof: str


@dataclass(frozen=True, slots=True)
class SkippedView:
    """A change that was wanted and not ordered."""

    side: str
    symbol: str
    quantity: str
    reason: str

    @classmethod
    def of(cls, skip: Mapping[str, str]) -> Self:
        return cls(skip["side"], line(skip["symbol"]), quantity(Decimal(skip["quantity"])), line(skip["reason"]))


@dataclass(frozen=True, slots=True)
class BookLine:
    """One asset before and after the turn, valued at the same trade prices."""

    asset: str
    before: str
    after: str
    value_before: str
    value_after: str


@dataclass(frozen=True, slots=True)
class PriceList:
    """The season's symbols with the prices a cycle traded at, in the quote asset."""

    symbols: Mapping[str, Symbol]
    prices: Mapping[str, Decimal]
    quote: str


def order_views(orders: Executed, proofs: Mapping[int, str]) -> tuple[OrderView, ...]:
    """The orders of a turn as they were sent, each with what was filled; `proofs` tells of the exchange, by order."""
    return tuple(
        OrderView(
            id=order.client_order_id,
            side=order.side,
            symbol=order.symbol,
            quantity=quantity(order.quantity),
            reference_price=price(order.reference_price),
            state=ORDER_WORDS[order.state],
            reason=line(order.reason),
            fills=tuple(_fill(fill, order) for fill in fills),
            proof=proofs.get(order.id, ""),
        )
        for order, fills in orders
    )


def book_shown(portfolio: Mapping[str, Any], at: PriceList) -> Book:
    """The book that a brief's portfolio part describes: what the entry held before the turn."""
    balances = {at.quote: Decimal(portfolio["cash"])} if Decimal(portfolio["cash"]) else {}
    for name, holding in portfolio["holdings"].items():
        balances[at.symbols[name].base] = Decimal(holding["quantity"])
    return Book(balances)


def book_lines(turn: Turn, before: Book, orders: Executed, at: PriceList) -> tuple[BookLine, ...]:
    """The book before the turn and, once it is settled, after its fills; a turn set aside changed nothing."""
    over = turn.state in TURNS_OVER
    fills = [fill for _, fills in orders for fill in fills] if turn.state in POSTED else []
    journals = [fill_journal(fill.value(), at.symbols[fill.symbol]) for fill in fills]
    sides = [before, fold(journals, before)] if over else [before]
    values = [PricedBook(book, at.prices, at.symbols, at.quote).values() for book in sides]
    assets = sorted({asset for book in sides for asset in book.balances}, key=lambda asset: (asset == at.quote, asset))
    return tuple(
        BookLine(
            asset,
            *(_held(sides, index, asset) for index in (0, 1)),
            *(_worth(values, index, asset) for index in (0, 1)),
        )
        for asset in assets
    )


def _held(sides: Sequence[Book], index: int, asset: str) -> str:
    return quantity(sides[index].of(asset)) if index < len(sides) else NOTHING


def _worth(values: Sequence[Mapping[str, Decimal | None]], index: int, asset: str) -> str:
    if index >= len(values):
        return NOTHING
    value = values[index].get(asset, Decimal(0))
    return NOTHING if value is None else money(value)


def _fill(fill: Fill, order: Order) -> FillView:
    return FillView(
        quantity=quantity(fill.quantity),
        price=price(fill.price),
        slippage=basis_points(fill.price, order.reference_price, buying=order.side == Side.BUY),
        amount=money(fill.quote_amount),
        fee=f"{quantity(fill.fee)} {fill.fee_asset}",
    )
