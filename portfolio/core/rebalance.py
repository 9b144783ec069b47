"""From target weights to orders: sells first, then buys from the cash there really is.

The planner is a fixed point: with the same target at the same prices, a second run orders nothing. What makes it one
is the drift band: a position is only moved when it is off by more than the band, which is wider than trading can cost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from market.core.symbols import Symbol, round_down_to_step
from portfolio.core.book import Book, value_of
from portfolio.core.brokers import Costs
from portfolio.core.orders import Side, Skipped

WITHIN_BAND = "within the drift band"
BELOW_STEP = "below the smallest quantity"
BELOW_NOTIONAL = "below the minimum notional"
NO_CASH = "no cash left"
NO_PRICE = "no fresh price"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the portfolio shall go. Differences below `drift_band`, a fraction of its value, are left alone."""

    weights: Mapping[str, Decimal]
    quote: str
    drift_band: Decimal


@dataclass(frozen=True, slots=True)
class Leg:
    """One planned market order; it has no id yet."""

    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    legs: tuple[Leg, ...]
    skipped: tuple[Skipped, ...]


def target_quantities(
    book: Book, prices: Mapping[str, Decimal], symbols: Mapping[str, Symbol], target: Target
) -> dict[str, Decimal]:
    """Quantity of each priced symbol that its weight buys, rounded down to the step. A weight not named is zero."""
    value = value_of(book, prices, symbols, target.quote)
    return {
        name: round_down_to_step(value * target.weights.get(name, Decimal(0)) / prices[name], symbol.step)
        for name, symbol in symbols.items()
        if name in prices
    }


def plan_sells(book: Book, prices: Mapping[str, Decimal], symbols: Mapping[str, Symbol], target: Target) -> Plan:
    """What to sell to come down to the target. A weight of zero sells all that the filters let go; the rest is dust."""
    wanted = target_quantities(book, prices, symbols, target)
    band = target.drift_band * value_of(book, prices, symbols, target.quote)
    legs, skipped = [], []
    for name, quantity in wanted.items():
        symbol, held = symbols[name], book.of(symbols[name].base)
        excess = round_down_to_step(min(held - quantity, symbol.max_quantity), symbol.step)
        if held <= quantity or held == 0:
            continue
        leg = Leg(name, Side.SELL, excess, prices[name])
        reason = _why_not(leg, symbol, band if quantity > 0 else Decimal(0))
        if reason:
            skipped.append(Skipped(name, Side.SELL, max(excess, Decimal(0)), reason))
        else:
            legs.append(leg)
    return Plan(tuple(legs), tuple(skipped))


def plan_buys(
    book: Book,
    prices: Mapping[str, Decimal],
    symbols: Mapping[str, Symbol],
    target: Target,
    wanted: Mapping[str, Decimal],
    costs: Costs,
) -> Plan:
    """What to buy to come up to `wanted` (the target quantities before the sells), from the cash in `book`.

    When the cash does not reach for all, every buy is scaled by the same factor; costs are part of the price.
    """
    band = target.drift_band * value_of(book, prices, symbols, target.quote)
    wishes: list[Leg] = []
    skipped = [
        Skipped(name, Side.BUY, Decimal(0), NO_PRICE)
        for name, weight in target.weights.items()
        if weight > 0 and name != target.quote and name not in wanted
    ]
    for name, quantity in wanted.items():
        symbol, missing = symbols[name], quantity - book.of(symbols[name].base)
        if missing <= 0:
            continue
        leg = Leg(name, Side.BUY, _buyable(missing, symbol), prices[name])
        reason = _why_not(leg, symbol, band)
        if reason:
            skipped.append(Skipped(name, Side.BUY, leg.quantity, reason))
        else:
            wishes.append(leg)
    affordable = list(_afford(wishes, symbols, book.of(target.quote), costs))
    legs = tuple(leg for leg in affordable if isinstance(leg, Leg))
    return Plan(legs, (*skipped, *(leg for leg in affordable if isinstance(leg, Skipped))))


def _buyable(quantity: Decimal, symbol: Symbol) -> Decimal:
    return round_down_to_step(min(quantity, symbol.max_quantity), symbol.step)


def _afford(wishes: list[Leg], symbols: Mapping[str, Symbol], cash: Decimal, costs: Costs) -> Iterator[Leg | Skipped]:
    """Each wish scaled to the cash; a wish that the scaling takes below a filter is skipped with the reason."""
    needed = sum((costs.to_buy(leg.quantity, leg.reference_price) for leg in wishes), Decimal(0))
    scale = min(Decimal(1), cash / needed) if needed > 0 else Decimal(0)
    left = cash
    for leg in wishes:
        symbol = symbols[leg.symbol]
        quantity = _buyable(leg.quantity * scale, symbol)
        while quantity > 0 and costs.to_buy(quantity, leg.reference_price) > left:
            quantity -= symbol.step  # roundings of 1e-8 can add up to a step too much
        scaled = Leg(leg.symbol, Side.BUY, quantity, leg.reference_price)
        reason = _why_not(scaled, symbol, Decimal(0))
        if reason:
            yield Skipped(leg.symbol, Side.BUY, leg.quantity, NO_CASH if quantity <= 0 else reason)
            continue
        left -= costs.to_buy(quantity, leg.reference_price)
        yield scaled


def _why_not(leg: Leg, symbol: Symbol, band: Decimal) -> str:
    """The reason a leg may not be ordered, or nothing."""
    notional = leg.quantity * leg.reference_price
    if leg.quantity <= 0 or leg.quantity < symbol.min_quantity:
        return BELOW_STEP
    if notional < symbol.min_notional:
        return BELOW_NOTIONAL
    return WITHIN_BAND if notional < band else ""
