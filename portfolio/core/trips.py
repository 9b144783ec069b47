"""What was won and lost by selling: every sale closes a part of what was held, at its average cost.

Average cost, fees included on both sides: a purchase adds what it cost with its fee; a sale of q out of Q takes q/Q of
that cost along, and its profit is what it brought, less its fee, less that. What is still held has no profit yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from portfolio.core.orders import Side


@dataclass(frozen=True, slots=True)
class Deal:
    """One executed order: quantity in base, what changed hands in quote before the fee, and the fee in quote."""

    symbol: str
    side: Side
    quantity: Decimal
    quote_amount: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Trips:
    """`profits` of the sales in their order, in quote; a loss is below zero."""

    profits: tuple[Decimal, ...]


class SoldMoreThanHeld(ValueError):
    """A sale of what no purchase among these deals brought in."""


def trips_of(deals: Iterable[Deal]) -> Trips:
    """The profit of every sale among deals in their order; raises `SoldMoreThanHeld`."""
    held: dict[str, tuple[Decimal, Decimal]] = {}  # quantity and what it cost
    profits = []
    for deal in deals:
        quantity, cost = held.get(deal.symbol, (Decimal(0), Decimal(0)))
        if deal.side is Side.BUY:
            held[deal.symbol] = (quantity + deal.quantity, cost + deal.quote_amount + deal.fee)
            continue
        if deal.quantity > quantity:
            raise SoldMoreThanHeld(f"{deal.quantity} of {deal.symbol} sold, and {quantity} held")
        if not deal.quantity:
            continue
        share = cost * deal.quantity / quantity
        held[deal.symbol] = (quantity - deal.quantity, cost - share)
        profits.append(deal.quote_amount - deal.fee - share)
    return Trips(tuple(profits))
