"""Who fills an order, and at which cost. Every mode trades through this one contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from market.core.depth import OrderBook
from market.core.exact import ATOMS, EXACT, PLACES, atoms, from_atoms
from market.core.symbols import Symbol, round_down_to_step
from portfolio.core.orders import Execution, Fill, Order, OrderState, Side

_ONE, _BUY = Decimal(1), Side.BUY
_CENT = Decimal(1).scaleb(-8)  # in which the exchange accounts for amounts of quote
ATOMS_PER_CENT: int = 10 ** (PLACES - 8)
_PER_CENT = ATOMS * ATOMS_PER_CENT  # of the products of a price and a quantity, both in atoms
DEARER = "the recorded order book was dearer than planned; the cash set aside for it bought no more"


class OutcomeUnknown(Exception):
    """The order may or may not have been executed. Ask the venue by its id; never send it again."""


class Broker(Protocol):
    """Deliberately no balance and no price: what is owned is the ledger's word, what things cost is the snapshot's."""

    @property
    def venue(self) -> str:
        """Where it executes; trade ids are unique within a venue and symbol."""
        ...

    def place(self, order: Order) -> Execution:
        """Execute `order`; the fills there were and why it stopped. Raises only `OutcomeUnknown`."""
        ...


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs, in hundredths of a percent of the amount traded."""

    fee_bps: Decimal
    slippage_bps: Decimal
    _dearer: tuple[int, int] = field(init=False, repr=False, compare=False)  # as fractions: small numbers are quick
    _cheaper: tuple[int, int] = field(init=False, repr=False, compare=False)
    _fee: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        slip = self.slippage_bps.scaleb(-4, EXACT)
        object.__setattr__(self, "_dearer", EXACT.add(_ONE, slip).as_integer_ratio())
        object.__setattr__(self, "_cheaper", EXACT.subtract(_ONE, slip).as_integer_ratio())
        object.__setattr__(self, "_fee", self.fee_bps.scaleb(-4, EXACT).as_integer_ratio())

    def price(self, side: Side, reference_price: int) -> int:
        """The price in atoms at which an order against `reference_price`, in atoms, is executed.

        Slippage moves it against the trader, and so does rounding.
        """
        if side is _BUY:
            times, parts = self._dearer
            return -(-reference_price * times // parts)
        times, parts = self._cheaper
        return reference_price * times // parts

    def amounts(self, side: Side, unit: int, count: int) -> tuple[int, int]:
        """What changes hands for `count` times `unit`, an amount of quote in 10^-36, and the fee on it, both in 10^-8.

        Rounded against the trader.
        """
        amount = -(-unit * count // _PER_CENT) if side is _BUY else unit * count // _PER_CENT
        times, parts = self._fee
        return amount, -(-amount * times // parts)

    def taken(self, price: int, quantity: int) -> int:
        """The cash that buying `quantity` against `price` takes, slippage and fee included; all three in atoms.

        `price` and `amounts` in one, as `brought` is: a planner asks for every wish in every round.
        """
        times, parts = self._dearer
        paid = -(-price * times // parts)
        amount = -(-paid * quantity // _PER_CENT)
        times, parts = self._fee
        return (amount - (-amount * times // parts)) * ATOMS_PER_CENT

    def brought(self, price: int, quantity: int) -> int:
        """The cash that selling `quantity` against `price` brings, slippage and fee taken off; all three in atoms."""
        times, parts = self._cheaper
        amount = price * times // parts * quantity // _PER_CENT
        times, parts = self._fee
        return (amount + (-amount * times // parts)) * ATOMS_PER_CENT

    def executed(self, side: Side, quantity: Decimal, reference_price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Price, quote amount and fee in quote for `quantity` against `reference_price`.

        Slippage moves the price against the trader; amounts are rounded to 8 places, against the trader too.
        """
        price = self.price(side, atoms(reference_price))
        quote_amount, fee = self.amounts(side, price, atoms(quantity))
        return from_atoms(price), EXACT.multiply(_CENT, quote_amount), EXACT.multiply(_CENT, fee)

    def to_buy(self, quantity: Decimal, reference_price: Decimal) -> Decimal:
        """Cash in quote that buying `quantity` takes, fee included."""
        _, quote_amount, fee = self.executed(Side.BUY, quantity, reference_price)
        return quote_amount + fee

    def affordable(self, cash: Decimal, reference_price: Decimal) -> Decimal:
        """A quantity that `cash` pays for, fee and both roundings included: the largest one but for 2e-8 of cash."""
        return from_atoms(self.affordable_atoms(atoms(cash), self.price(Side.BUY, atoms(reference_price))))

    def affordable_atoms(self, cash: int, price: int) -> int:
        """`affordable` in atoms, from cash in atoms, at a price that includes slippage."""
        times, parts = self._fee
        for kept_back in range(3):  # each of the two roundings can take one unit of the last place
            quantity = max(cash - kept_back * ATOMS_PER_CENT, 0) * ATOMS * parts // (price * (parts + times))
            if sum(self.amounts(Side.BUY, price, quantity)) * ATOMS_PER_CENT <= cash:
                return quantity
        raise ArithmeticError(f"nothing of {from_atoms(cash)} is affordable at {from_atoms(price)}")


@dataclass(frozen=True, slots=True)
class ClosedBroker:
    """Places nothing any more: what is not executed yet expires with `reason`. For turns that come too late."""

    venue: str
    reason: str

    def place(self, order: Order) -> Execution:
        return Execution(order, OrderState.EXPIRED, reason=self.reason)


@dataclass(frozen=True, slots=True)
class PaperBroker:
    """Fills every order at the snapshot: level by level through its recorded order book, else at its price.

    Beyond the recorded levels, and without any, the stated slippage is added to the price. Fees are taken in quote.
    A buy never takes more cash than it was planned with: where the book is dearer, the rest is not bought.
    """

    prices: Mapping[str, Decimal]
    symbols: Mapping[str, Symbol]
    costs: Costs
    at: datetime
    depth: Mapping[str, OrderBook] = field(default_factory=dict)
    halted: Mapping[str, str] = field(default_factory=dict)

    @property
    def venue(self) -> str:
        return "paper"

    def fills_as_planned(self, prices: Mapping[str, Decimal], costs: Costs) -> bool:
        """Whether every order against these prices is filled whole, at them and at these costs, as plans expect."""
        if self.depth or self.halted:
            return False
        return (self.costs is costs or self.costs == costs) and (self.prices is prices or self.prices == prices)

    def place(self, order: Order) -> Execution:
        reference_price = self.prices.get(order.symbol)
        if reference_price is None:
            return Execution(order, OrderState.REJECTED, reason=f"no price for {order.symbol}")
        if order.symbol in self.halted:
            return Execution(order, OrderState.REJECTED, reason=self.halted[order.symbol])
        if order.symbol in self.depth:
            return self._walk(order, self.depth[order.symbol])
        fill = self._fill(order, 1, order.quantity, self.costs.executed(order.side, order.quantity, reference_price))
        return Execution(order, OrderState.FILLED, (fill,))

    def _walk(self, order: Order, book: OrderBook) -> Execution:
        """One fill for each level that the order reaches, and one for what is beyond them."""
        at_level = Costs(self.costs.fee_bps, Decimal(0))
        side = book.asks if order.side is Side.BUY else book.bids
        steps = [(level.quantity, level.price, at_level) for level in side]
        steps.append((order.quantity, side[-1].price, self.costs))
        wanted, cash = order.quantity, self.costs.to_buy(order.quantity, order.reference_price)
        fills: list[Fill] = []
        for offered, price, costs in steps:
            quantity = min(offered, wanted)
            if order.side is Side.BUY and costs.to_buy(quantity, price) > cash:
                quantity = round_down_to_step(costs.affordable(cash, price), self.symbols[order.symbol].step)
            if quantity <= 0:
                break
            fills.append(self._fill(order, len(fills) + 1, quantity, costs.executed(order.side, quantity, price)))
            wanted -= quantity
            cash -= fills[-1].quote_amount + fills[-1].fee
            if quantity < offered:
                break
        if wanted <= 0:
            return Execution(order, OrderState.FILLED, tuple(fills))
        return Execution(order, OrderState.PARTIAL if fills else OrderState.EXPIRED, tuple(fills), DEARER)

    def _fill(self, order: Order, number: int, quantity: Decimal, executed: tuple[Decimal, Decimal, Decimal]) -> Fill:
        price, quote_amount, fee = executed
        return Fill(
            trade_id=f"{order.client_order_id}/{number}",
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            quote_amount=quote_amount,
            fee=fee,
            fee_asset=self.symbols[order.symbol].quote,
            at=self.at,
        )
