"""Orders, fills, and what a broker answers. All quantities are in base, prices in quote per base.

Named tuples, as postings are: a backtest makes hundreds of thousands, and a frozen dataclass takes three times as long.
"""

import hashlib
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderState(StrEnum):
    """`NEW` is written before anything is sent; the others are final."""

    NEW = "new"
    FILLED = "filled"
    PARTIAL = "partial"
    EXPIRED = "expired"
    REJECTED = "rejected"


FINAL_ORDER_STATES = frozenset(OrderState) - {OrderState.NEW}


class Order(NamedTuple):
    """A market order. `reference_price` is the price it was planned at, to measure slippage against."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal


class Fill(NamedTuple):
    """What was executed. `quote_amount` is what changed hands before the fee; the fee may be in any asset."""

    trade_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    quote_amount: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


class Execution(NamedTuple):
    """The end of an order: its fills (perhaps none, perhaps part) and why it stopped."""

    order: Order
    state: OrderState
    fills: tuple[Fill, ...] = ()
    reason: str = ""


class Skipped(NamedTuple):
    """A change that was wanted and not ordered, with the reason."""

    symbol: str
    side: Side
    quantity: Decimal
    reason: str


def client_order_id(portfolio_key: str, cycle_number: int, leg: int) -> str:
    """The one id this leg of this cycle can ever have: `oo-<12 hex of the portfolio>-<cycle>-<leg>`.

    At most 36 characters of `[a-zA-Z0-9-]`, as the exchange demands.
    """
    return f"oo-{owner_of(portfolio_key)}-{cycle_number:05d}-{leg:02d}"


@lru_cache(maxsize=4096)
def owner_of(portfolio_key: str) -> str:
    """The part of an order's id that says whose it is."""
    return hashlib.sha256(portfolio_key.encode()).hexdigest()[:12]
