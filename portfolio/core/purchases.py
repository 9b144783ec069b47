"""What the cash pays for: wishes to buy, scaled alike where there is too little, and never in debt.

In whole numbers, as the planner (portfolio/core/rebalance.py), whose coins these are.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from market.core.exact import EXACT
from market.core.symbols import Filters, Symbol
from portfolio.core.brokers import Costs
from portfolio.core.orders import Side

WITHIN_BAND = "within the drift band"
BELOW_STEP = "below the smallest quantity"
BELOW_NOTIONAL = "below the minimum notional"
NO_CASH = "no cash left"


@dataclass(slots=True, eq=False)  # frozen, it would take three times as long to make
class Coin:
    """A priced symbol of a turn, which nobody changes.

    `price` is in atoms; `unit` is what a step is worth at it, in 10^-36 of the quote. A value times `share`, divided by
    `divisor`, is how many steps the target wants of it. `steps` are held, and `dust` atoms besides; a `step` is so many
    atoms, and an order has at most `most` of them.
    """

    symbol: Symbol
    price: int
    unit: int
    share: int
    divisor: int
    steps: int
    dust: int
    step: int
    most: int
    filters: Filters

    def quantity(self, steps: int) -> Decimal:
        """So many steps, as the exchange writes them."""
        return EXACT.multiply(self.symbol.step, steps)


type Wish = tuple[Coin, int]  # and how many steps of it
type Refused = tuple[Coin, int, str]  # and why not


class Purchase(NamedTuple):
    """What of the wishes the cash pays for, what had to be given up for it, and what it takes of the cash, in atoms."""

    wishes: list[Wish]
    given_up: list[Refused]
    taken: int


def why_not(coin: Coin, steps: int, band: int) -> str:
    """The reason so many steps may not be ordered, or nothing. `band` is the smallest amount there is to be."""
    if steps <= 0 or steps < coin.filters.least:
        return BELOW_STEP
    notional = steps * coin.unit
    if notional < coin.filters.smallest:
        return BELOW_NOTIONAL
    return WITHIN_BAND if notional < band else ""


def afford(wishes: list[Wish], cash: int, costs: Costs) -> Purchase:
    """All wishes where `cash`, in atoms, reaches for them; else they are scaled to it.

    One that this takes below a filter is given up, the smallest first, and its cash goes to the others.
    """
    given_up: list[Refused] = []
    while wishes:
        needed = 0
        for coin, steps in wishes:
            needed += costs.taken(coin.price, steps * coin.step)
        if needed <= cash:
            return Purchase(wishes, given_up, needed)
        scaled, taken = _scaled(wishes, cash, needed, costs)
        refused = [
            (wish, steps, reason)
            for wish, (coin, steps) in zip(wishes, scaled, strict=True)
            if (reason := why_not(coin, steps, 0))
        ]
        if not refused:
            return Purchase(scaled, given_up, taken)
        (coin, wanted), steps, reason = min(refused, key=lambda one: _size(*one[0]))
        given_up.append((coin, wanted, reason if steps > 0 else NO_CASH))
        wishes = [wish for wish in wishes if wish[0] is not coin]
    return Purchase([], given_up, 0)


def _size(coin: Coin, steps: int) -> tuple[int, str]:
    return steps * coin.unit, coin.symbol.name


def _scaled(wishes: list[Wish], cash: int, needed: int, costs: Costs) -> tuple[list[Wish], int]:
    """What of each wish the cash pays for, and what all of it takes."""
    left, scaled = cash, []
    for coin, wanted in wishes:
        steps = wanted * cash // needed
        taken = costs.taken(coin.price, steps * coin.step)
        if taken > left:  # roundings can add up to more than there is
            price = costs.price(Side.BUY, coin.price)
            steps = min(costs.affordable_atoms(left, price) // coin.step, coin.most)
            taken = costs.taken(coin.price, steps * coin.step)
        left -= taken
        scaled.append((coin, steps))
    return scaled, cash - left
