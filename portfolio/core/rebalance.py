"""From target weights to orders: sells first, then buys from the cash there really is.

Weights are of what is left after paying for the trades, so the plan is aimed at the value net of its own costs. That,
and a drift band below which a difference is left alone, make the planner a fixed point: with the same target at the
same prices, a second run orders nothing.
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
AIMS_MAX = 8
_NONE = Decimal(0)

Prices = Mapping[str, Decimal]
Symbols = Mapping[str, Symbol]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the portfolio shall go. Differences below `drift_band`, a fraction of its value, are left alone."""

    weights: Mapping[str, Decimal]
    quote: str
    drift_band: Decimal


@dataclass(frozen=True, slots=True)
class Aim:
    """The target in quantities of each priced symbol, down to the step, and the drift band in quote."""

    wanted: Mapping[str, Decimal]
    band: Decimal


@dataclass(frozen=True, slots=True)
class Leg:
    """One planned market order; it has no id yet."""

    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """`taken` is what each leg of a plan to buy takes of the cash, costs included."""

    legs: tuple[Leg, ...]
    skipped: tuple[Skipped, ...]
    taken: tuple[Decimal, ...] = ()


def take_aim(book: Book, prices: Prices, symbols: Symbols, target: Target, costs: Costs) -> Aim:
    """Aim at the value that will be left: guess it, plan, subtract what the plan costs, and plan again until it agrees.

    Two or three rounds do. When a buy at the edge of the band comes and goes with its own cost, no value agrees with
    itself; then the lowest one seen is taken, at which it stays away. Raises `MissingPrice`.
    """
    gross = value_of(book, prices, symbols, target.quote)
    value = lowest = gross
    for _ in range(AIMS_MAX):
        aim = _aim_at(value, prices, symbols, target)
        left = gross - _cost_of_reaching(aim, book, prices, symbols, target, costs)
        if left == value:
            return aim
        value = left
        lowest = min(lowest, value)
    return _aim_at(lowest, prices, symbols, target)


def plan_sells(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim) -> Plan:
    """What to sell to come down to the aim. A weight of zero sells all that the filters let go; the rest is dust."""
    legs, skipped = [], []
    for name, wanted in aim.wanted.items():
        symbol = symbols[name]
        held = book.balances.get(symbol.base)
        if held is None or held <= wanted:
            continue
        price, quantity = prices[name], _tradable(held - wanted, symbol)
        reason = _why_not(quantity, price, symbol, aim.band if target.weights.get(name) else _NONE)
        if reason:
            skipped.append(Skipped(name, Side.SELL, quantity, reason))
        else:
            legs.append(Leg(name, Side.SELL, quantity, price))
    return Plan(tuple(legs), tuple(skipped))


def plan_buys(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim, costs: Costs) -> Plan:
    """What to buy to come up to the aim, from the cash in `book`; costs are part of the price.

    When the cash does not reach for all, every buy is scaled by the same factor. One that the factor takes below a
    filter is given up, the smallest first, and its cash goes to the others.
    """
    wishes: list[Leg] = []
    skipped = [
        Skipped(name, Side.BUY, Decimal(0), NO_PRICE)
        for name, weight in target.weights.items()
        if weight > 0 and name != target.quote and name not in aim.wanted
    ]
    for name, wanted in aim.wanted.items():
        symbol = symbols[name]
        missing = wanted - book.balances.get(symbol.base, _NONE)
        if missing <= 0:
            continue
        price, quantity = prices[name], _tradable(missing, symbol)
        reason = _why_not(quantity, price, symbol, aim.band)
        if reason:
            skipped.append(Skipped(name, Side.BUY, quantity, reason))
        else:
            wishes.append(Leg(name, Side.BUY, quantity, price))
    legs, given_up, taken = _afford(wishes, symbols, book.of(target.quote), costs)
    return Plan(legs, (*skipped, *given_up), taken)


def _aim_at(value: Decimal, prices: Prices, symbols: Symbols, target: Target) -> Aim:
    left = max(value, Decimal(0))
    wanted = {
        name: round_down_to_step(left * target.weights.get(name, Decimal(0)) / prices[name], symbol.step)
        for name, symbol in symbols.items()
        if name in prices
    }
    return Aim(wanted, target.drift_band * left)


def _cost_of_reaching(aim: Aim, book: Book, prices: Prices, symbols: Symbols, target: Target, costs: Costs) -> Decimal:
    """What slippage and fees would take, in quote, if every order filled at its reference price plus slippage."""
    balances, spent = dict(book.balances), Decimal(0)
    for leg in plan_sells(book, prices, symbols, target, aim).legs:
        proceeds = costs.from_selling(leg.quantity, leg.reference_price)
        spent += leg.quantity * leg.reference_price - proceeds
        balances[symbols[leg.symbol].base] -= leg.quantity
        balances[target.quote] = balances.get(target.quote, Decimal(0)) + proceeds
    buys = plan_buys(Book(balances), prices, symbols, target, aim, costs)
    for leg, taken in zip(buys.legs, buys.taken, strict=True):
        spent += taken - leg.quantity * leg.reference_price
    return spent


def _tradable(quantity: Decimal, symbol: Symbol) -> Decimal:
    return round_down_to_step(min(quantity, symbol.max_quantity), symbol.step)


def _afford(
    wishes: list[Leg], symbols: Symbols, cash: Decimal, costs: Costs
) -> tuple[tuple[Leg, ...], tuple[Skipped, ...], tuple[Decimal, ...]]:
    """The wishes scaled to the cash, those that had to be given up for it, and what each of the rest takes of it."""
    given_up: list[Skipped] = []
    while True:
        taken = tuple(costs.to_buy(leg.quantity, leg.reference_price) for leg in wishes)
        needed = sum(taken, Decimal(0))
        if needed <= cash:
            return tuple(wishes), tuple(given_up), taken
        scale = min(Decimal(1), cash / needed) if needed > 0 else Decimal(1)
        scaled = list(_scaled(wishes, symbols, scale, cash, costs))
        refused = [
            (wish, _why_not(leg.quantity, leg.reference_price, symbols[leg.symbol], _NONE)) for wish, leg, _ in scaled
        ]
        if not any(reason for _, reason in refused):
            return tuple(leg for _, leg, _ in scaled), tuple(given_up), tuple(taken for _, _, taken in scaled)
        wish, reason = min(
            ((wish, reason) for wish, reason in refused if reason),
            key=lambda refusal: (refusal[0].quantity * refusal[0].reference_price, refusal[0].symbol),
        )
        nothing_left = next(leg for leg in scaled if leg[0] is wish)[1].quantity <= 0
        given_up.append(Skipped(wish.symbol, Side.BUY, wish.quantity, NO_CASH if nothing_left else reason))
        wishes = [other for other in wishes if other is not wish]


def _scaled(
    wishes: list[Leg], symbols: Symbols, scale: Decimal, cash: Decimal, costs: Costs
) -> Iterator[tuple[Leg, Leg, Decimal]]:
    """Each wish with what of it the cash pays for, and what that takes."""
    left = cash
    for wish in wishes:
        symbol, price = symbols[wish.symbol], wish.reference_price
        quantity = _tradable(wish.quantity * scale, symbol)
        taken = costs.to_buy(quantity, price)
        if taken > left:  # roundings can add up to more than there is
            quantity = _tradable(costs.affordable(left, price), symbol)
            taken = costs.to_buy(quantity, price)
        left -= taken if quantity > 0 else Decimal(0)
        yield wish, Leg(wish.symbol, Side.BUY, quantity, price), taken


def _why_not(quantity: Decimal, price: Decimal, symbol: Symbol, band: Decimal) -> str:
    """The reason so much may not be ordered at this price, or nothing."""
    notional = quantity * price
    if quantity <= 0 or quantity < symbol.min_quantity:
        return BELOW_STEP
    if notional < symbol.min_notional:
        return BELOW_NOTIONAL
    return WITHIN_BAND if notional < band else ""
