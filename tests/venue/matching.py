"""The matching engine: orders against the levels of a book, and what that does to an account."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from tests.venue.state import ZERO, Account, Order, Says, State, Trade, cut

Levels = list[tuple[Decimal, Decimal]]  # (price, quantity), best first
FEE, FEE_IN_BNB = Decimal("0.001"), Decimal("0.00075")


@dataclass(frozen=True)
class Pair:
    symbol: str
    base: str
    quote: str


@dataclass(frozen=True)
class Matching:
    """One order in front of one book. `bnb_price` is in quote; queries show trades from `trades_visible_ms` on."""

    state: State
    account: Account
    pair: Pair
    order: Order
    bnb_price: Callable[[], Decimal]
    now_ms: int
    trades_visible_ms: int

    def enter(self, levels: Levels, most: Decimal | None) -> None:
        """Check the balance, execute what the book gives, and leave the order in its state.

        `most` bounds what is executed now: the rest stays open, whatever the kind of order.
        """
        crossing = list(self._crossing(levels))
        self._check_balance(crossing)
        self.account.orders[self.order.order_id] = self.order
        self.state.sends.append(self.order.client_order_id)
        self._lock()
        for price, quantity in crossing:
            wanted = self.order.quantity if most is None else min(most, self.order.quantity)
            self.execute(price, min(quantity, wanted - self.order.executed))
        if most is None and self.order.is_open and (self.order.kind == "MARKET" or self.order.time_in_force != "GTC"):
            self.close("EXPIRED", "INSUFFICIENT_LIQUIDITY")

    def _crossing(self, levels: Levels) -> Iterator[tuple[Decimal, Decimal]]:
        """What the order meets: level by level, until its quantity is reached or its limit passed."""
        left, order = self.order.quantity, self.order
        for price, quantity in levels:
            beyond = price > order.price if order.side == "BUY" else price < order.price
            if not left or (order.kind == "LIMIT" and beyond):
                return
            yield price, min(left, quantity)
            left -= min(left, quantity)

    def _check_balance(self, crossing: Levels) -> None:
        order = self.order
        if order.side == "SELL":
            needed, held = order.quantity, self.account.free[self.pair.base]
        else:
            at_market = sum((price * quantity for price, quantity in crossing), ZERO)
            needed = at_market if order.kind == "MARKET" else order.quantity * order.price
            held = self.account.free[self.pair.quote]
        if needed > held:
            raise Says(-2010, "Account has insufficient balance for requested action.")

    def _lock(self) -> None:
        """Put aside what an order can still spend; a MARKET order's buying is paid trade by trade."""
        order = self.order
        if order.side == "SELL":
            self._put_aside(self.pair.base, order.quantity - order.executed)
        elif order.kind == "LIMIT":
            self._put_aside(self.pair.quote, (order.quantity - order.executed) * order.price)

    def _put_aside(self, asset: str, amount: Decimal) -> None:
        self.account.free[asset] -= amount
        self.account.locked[asset] += amount

    def execute(self, price: Decimal, quantity: Decimal) -> None:
        """One trade: base one way, quote the other, and the commission."""
        if quantity <= 0:
            return
        order, free, locked = self.order, self.account.free, self.account.locked
        before = order.quote_total
        order.executed += quantity
        order.notional += price * quantity
        amount = order.quote_total - before
        if order.side == "BUY":
            free[self.pair.base] += quantity
            free[self.pair.quote] -= amount
            if order.kind == "LIMIT":
                self._put_aside(self.pair.quote, -quantity * order.price)
        else:
            locked[self.pair.base] -= quantity
            free[self.pair.quote] += amount
        self._record(price, quantity, amount)
        order.status = "FILLED" if order.executed == order.quantity else "PARTIALLY_FILLED"

    def _record(self, price: Decimal, quantity: Decimal, amount: Decimal) -> None:
        commission, asset = self._commission(quantity, amount)
        self.account.free[asset] -= commission
        trade = Trade(
            self.state.next_trade,
            self.order.order_id,
            self.pair.symbol,
            price,
            quantity,
            commission,
            asset,
            self.order.side == "BUY",
            self.now_ms,
            self.trades_visible_ms,
        )
        self.state.next_trade += 1
        self.account.trades.append(trade)

    def _commission(self, quantity: Decimal, amount: Decimal) -> tuple[Decimal, str]:
        """Of what came in, or of BNB at 25 % off where there is enough, decided trade by trade."""
        received, asset = (quantity, self.pair.base) if self.order.side == "BUY" else (amount, self.pair.quote)
        if self.account.commission == "none":
            return ZERO, asset
        if self.account.commission == "BNB":
            in_bnb = cut(amount * FEE_IN_BNB / self.bnb_price())
            if self.account.free["BNB"] >= in_bnb:
                return in_bnb, "BNB"
        return cut(received * FEE), asset

    def close(self, status: str, why: str = "") -> None:
        """End an open order and give back what was put aside for the rest of it."""
        order = self.order
        rest = order.quantity - order.executed
        if order.side == "SELL":
            self._put_aside(self.pair.base, -rest)
        elif order.kind == "LIMIT":
            self._put_aside(self.pair.quote, -rest * order.price)
        order.status, order.why = status, why
