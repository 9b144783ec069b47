"""From target weights to orders: sells first, then buys from the cash there really is.

Weights are of what is left after paying for the trades, so the plan is aimed at the value net of its own costs. That,
and a drift band below which a difference is left alone, make the planner a fixed point: with the same target at the
same prices, a second run orders nothing.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from market.core.symbols import Symbol
from portfolio.core.book import Book
from portfolio.core.brokers import Costs
from portfolio.core.orders import Side, Skipped

WITHIN_BAND = "within the drift band"
BELOW_STEP = "below the smallest quantity"
BELOW_NOTIONAL = "below the minimum notional"
NO_CASH = "no cash left"
NO_PRICE = "no fresh price"
AIMS_MAX = 8
_NONE, _ALL = Decimal(0), Decimal(1)
_BUY, _SELL = Side.BUY, Side.SELL  # the loops below are the most of a backtest's work: names, not attributes of enums

Prices = Mapping[str, Decimal]
Symbols = Mapping[str, Symbol]


class Target(NamedTuple):
    """Where the portfolio shall go. Differences below `drift_band`, a fraction of its value, are left alone."""

    weights: Mapping[str, Decimal]
    quote: str
    drift_band: Decimal


class Aim(NamedTuple):
    """The target in quantities of each priced symbol, down to the step, and the drift band in quote."""

    wanted: Mapping[str, Decimal]
    band: Decimal


class Leg(NamedTuple):
    """One planned market order; it has no id yet."""

    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal


class Plan(NamedTuple):
    """`taken` is what each leg of a plan to buy takes of the cash, costs included."""

    legs: tuple[Leg, ...]
    skipped: tuple[Skipped, ...]
    taken: tuple[Decimal, ...] = ()


class Course(NamedTuple):
    """An aim, and how it is reached if every order fills at its reference price plus slippage.

    `funded` is what the buys were planned from: amounts by asset after the sells, zeros left out. `cost` is what
    slippage and fees take of the value.
    """

    aim: Aim
    sells: Plan
    funded: Mapping[str, Decimal]
    buys: Plan
    cost: Decimal


class _Changes(NamedTuple):
    """Every quantity that is too much or too little, in the order of the aim; what a filter or the band holds back."""

    sells: list[Leg]
    buys: list[Leg]
    kept: list[Skipped]
    not_bought: list[Skipped]


class _Afforded(NamedTuple):
    """What of the buys the cash pays for, what had to be given up for it, and what each leg takes of the cash."""

    legs: tuple[Leg, ...]
    given_up: tuple[Skipped, ...]
    taken: tuple[Decimal, ...]


class _Priced(NamedTuple):
    """The cash after the sells, what it buys, and what slippage and fees take of all of it."""

    cash: Decimal
    afforded: _Afforded
    cost: Decimal


def set_course(gross: Decimal, book: Book, prices: Prices, symbols: Symbols, target: Target, costs: Costs) -> Course:
    """Aim at the value that will be left of `gross`, the book's value: guess, plan, subtract costs, until it agrees.

    Two or three rounds do. Where the same orders come out as the round before, they cost the same: the value agrees
    with itself. When a buy at the edge of the band comes and goes with its own cost, none does; then the lowest one
    seen is taken, at which it stays away.
    """
    value = lowest = gross
    before: tuple[_Changes, _Priced] | None = None
    for _ in range(AIMS_MAX):
        aim = _aim_at(value, prices, symbols, target)
        changes = _changes(book, prices, symbols, target, aim)
        if before and changes == before[0]:
            return _course(book, symbols, target, aim, *before)
        priced = _priced(book, symbols, target, costs, changes)
        left = gross - priced.cost
        if left == value:
            return _course(book, symbols, target, aim, changes, priced)
        value, before = left, (changes, priced)
        lowest = min(lowest, value)
    aim = _aim_at(lowest, prices, symbols, target)
    changes = _changes(book, prices, symbols, target, aim)
    return _course(book, symbols, target, aim, changes, _priced(book, symbols, target, costs, changes))


def plan_sells(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim) -> Plan:
    """What to sell to come down to the aim. A weight of zero sells all that the filters let go; the rest is dust."""
    return _sells(_changes(book, prices, symbols, target, aim))


def plan_buys(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim, costs: Costs) -> Plan:
    """What to buy to come up to the aim, from the cash in `book`; costs are part of the price.

    When the cash does not reach for all, every buy is scaled by the same factor. One that the factor takes below a
    filter is given up, the smallest first, and its cash goes to the others.
    """
    changes = _changes(book, prices, symbols, target, aim)
    return _buys(changes, _afford(changes.buys, symbols, book.of(target.quote), costs), target, aim)


def _aim_at(value: Decimal, prices: Prices, symbols: Symbols, target: Target) -> Aim:
    left = value if value > _NONE else _NONE
    weight_of = target.weights.get
    wanted = {
        name: symbol.rounded_down(left * weight_of(name, _NONE) / prices[name])
        for name, symbol in symbols.items()
        if name in prices
    }
    return Aim(wanted, target.drift_band * left)


def _changes(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim) -> _Changes:
    sells, buys, kept, not_bought = found = _Changes([], [], [], [])
    held_of, weight_of, band = book.balances.get, target.weights.get, aim.band
    for name, wanted in aim.wanted.items():
        symbol = symbols[name]
        held = held_of(symbol.base, _NONE)
        if held == wanted:
            continue
        price = prices[name]
        if held > wanted:
            side, legs, skipped = _SELL, sells, kept
            quantity, least = symbol.in_one_order(held - wanted), band if weight_of(name) else _NONE
        else:
            side, legs, skipped = _BUY, buys, not_bought
            quantity, least = symbol.in_one_order(wanted - held), band
        if reason := _why_not(quantity, price, symbol, least):
            skipped.append(Skipped(name, side, quantity, reason))
        else:
            legs.append(Leg(name, side, quantity, price))
    return found


def _priced(book: Book, symbols: Symbols, target: Target, costs: Costs, changes: _Changes) -> _Priced:
    cash, spent = book.of(target.quote), _NONE
    for _, side, quantity, price in changes.sells:
        _, quote_amount, fee = costs.executed(side, quantity, price)
        proceeds = quote_amount - fee
        spent += quantity * price - proceeds
        cash += proceeds
    afforded = _afford(changes.buys, symbols, cash, costs)
    for (_, _, quantity, price), taken in zip(afforded.legs, afforded.taken, strict=True):
        spent += taken - quantity * price
    return _Priced(cash, afforded, spent)


def _course(book: Book, symbols: Symbols, target: Target, aim: Aim, changes: _Changes, priced: _Priced) -> Course:
    balances = dict(book.balances)
    for name, _, quantity, _ in changes.sells:
        balances[symbols[name].base] -= quantity
    balances[target.quote] = priced.cash
    funded = {asset: amount for asset, amount in balances.items() if amount}
    return Course(aim, _sells(changes), funded, _buys(changes, priced.afforded, target, aim), priced.cost)


def _sells(changes: _Changes) -> Plan:
    return Plan(tuple(changes.sells), tuple(changes.kept))


def _buys(changes: _Changes, afforded: _Afforded, target: Target, aim: Aim) -> Plan:
    unpriced = [
        Skipped(name, Side.BUY, _NONE, NO_PRICE)
        for name, weight in target.weights.items()
        if name not in aim.wanted and name != target.quote and weight > _NONE
    ]
    return Plan(afforded.legs, (*unpriced, *changes.not_bought, *afforded.given_up), afforded.taken)


def _afford(wishes: list[Leg], symbols: Symbols, cash: Decimal, costs: Costs) -> _Afforded:
    """The wishes scaled to the cash, those that had to be given up for it, and what each of the rest takes of it."""
    given_up: list[Skipped] = []
    while wishes:
        takes = [costs.to_buy(leg.quantity, leg.reference_price) for leg in wishes]
        needed = sum(takes, _NONE)
        if needed <= cash:
            return _Afforded(tuple(wishes), tuple(given_up), tuple(takes))
        scale = min(_ALL, cash / needed) if needed > _NONE else _ALL
        scaled = _scaled(wishes, symbols, scale, cash, costs)
        refused = [
            (wish, _why_not(leg.quantity, leg.reference_price, symbols[leg.symbol], _NONE)) for wish, leg, _ in scaled
        ]
        if not any(reason for _, reason in refused):
            _, legs, takes_of_legs = zip(*scaled, strict=True)
            return _Afforded(legs, tuple(given_up), takes_of_legs)
        wish, reason = min(
            ((wish, reason) for wish, reason in refused if reason),
            key=lambda refusal: (refusal[0].quantity * refusal[0].reference_price, refusal[0].symbol),
        )
        nothing_left = next(leg for other, leg, _ in scaled if other is wish).quantity <= _NONE
        given_up.append(Skipped(wish.symbol, Side.BUY, wish.quantity, NO_CASH if nothing_left else reason))
        wishes = [other for other in wishes if other is not wish]
    return _Afforded((), tuple(given_up), ())


def _scaled(
    wishes: list[Leg], symbols: Symbols, scale: Decimal, cash: Decimal, costs: Costs
) -> list[tuple[Leg, Leg, Decimal]]:
    """Each wish with what of it the cash pays for, and what that takes."""
    left, scaled = cash, []
    for wish in wishes:
        symbol, price = symbols[wish.symbol], wish.reference_price
        quantity = symbol.in_one_order(wish.quantity * scale)
        taken = costs.to_buy(quantity, price)
        if taken > left:  # roundings can add up to more than there is
            quantity = symbol.in_one_order(costs.affordable(left, price))
            taken = costs.to_buy(quantity, price)
        left -= taken if quantity > _NONE else _NONE
        scaled.append((wish, Leg(wish.symbol, Side.BUY, quantity, price), taken))
    return scaled


def _why_not(quantity: Decimal, price: Decimal, symbol: Symbol, band: Decimal) -> str:
    """The reason so much may not be ordered at this price, or nothing."""
    notional = quantity * price
    if quantity <= _NONE or quantity < symbol.min_quantity:
        return BELOW_STEP
    if notional < symbol.min_notional:
        return BELOW_NOTIONAL
    return WITHIN_BAND if notional < band else ""
