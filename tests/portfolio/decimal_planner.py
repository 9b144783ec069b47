"""A planner in decimals of 200 digits: what the one in whole numbers is held against. Plain, and slow.

It goes through the same rounds, and rounds by the same words; nothing of its arithmetic is shared with the other.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal, localcontext
from typing import NamedTuple

from market.core.symbols import Symbol, round_down_to_step
from portfolio.core.book import Book
from portfolio.core.orders import Side, Skipped
from portfolio.core.purchases import BELOW_NOTIONAL, BELOW_STEP, NO_CASH, WITHIN_BAND
from portfolio.core.rebalance import NO_PRICE, Leg, Target

AIMS_MAX = 8
_NONE = Decimal(0)
_CENT, _ATOM = Decimal("1E-8"), Decimal("1E-18")

Prices = Mapping[str, Decimal]
Symbols = Mapping[str, Symbol]


def in_many_digits() -> AbstractContextManager[Context]:
    return localcontext(Context(prec=200))


@dataclass(frozen=True)
class DecimalCosts:
    fee_bps: Decimal
    slippage_bps: Decimal

    def executed(self, side: Side, quantity: Decimal, reference_price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        slip, rounding = (
            (1 + self.slippage_bps / 10_000, ROUND_UP)
            if side is Side.BUY
            else (1 - self.slippage_bps / 10_000, ROUND_DOWN)
        )
        price = (reference_price * slip).quantize(_ATOM, rounding)
        quote_amount = (price * quantity).quantize(_CENT, rounding)
        fee = (quote_amount * self.fee_bps / 10_000).quantize(_CENT, ROUND_UP)
        return price, quote_amount, fee

    def to_buy(self, quantity: Decimal, reference_price: Decimal) -> Decimal:
        _, quote_amount, fee = self.executed(Side.BUY, quantity, reference_price)
        return quote_amount + fee

    def affordable(self, cash: Decimal, reference_price: Decimal) -> Decimal:
        price, _, _ = self.executed(Side.BUY, Decimal(0), reference_price)
        unit = price * (1 + self.fee_bps / 10_000)
        for kept_back in range(3):  # each of the two roundings can take one unit of the last place
            quantity = max(cash - kept_back * _CENT, Decimal(0)) / unit
            if self.to_buy(quantity, reference_price) <= cash:
                return quantity
        raise ArithmeticError(f"nothing of {cash} is affordable at {reference_price}")


class Aim(NamedTuple):
    """The target in quantities of each priced symbol, down to the step, and the drift band in quote."""

    wanted: Mapping[str, Decimal]
    band: Decimal


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


def set_course(
    gross: Decimal, book: Book, prices: Prices, symbols: Symbols, target: Target, costs: DecimalCosts
) -> Course:
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


def _aim_at(value: Decimal, prices: Prices, symbols: Symbols, target: Target) -> Aim:
    left = value if value > _NONE else _NONE
    weight_of = target.weights.get
    wanted = {
        name: round_down_to_step(left * weight_of(name, _NONE) / prices[name], symbol.step)
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
            side, legs, skipped = Side.SELL, sells, kept
            quantity, least = _in_one_order(symbol, held - wanted), band if weight_of(name) else _NONE
        else:
            side, legs, skipped = Side.BUY, buys, not_bought
            quantity, least = _in_one_order(symbol, wanted - held), band
        if reason := _why_not(quantity, price, symbol, least):
            skipped.append(Skipped(name, side, quantity, reason))
        else:
            legs.append(Leg(name, side, quantity, price))
    return found


def _priced(book: Book, symbols: Symbols, target: Target, costs: DecimalCosts, changes: _Changes) -> _Priced:
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


def _afford(wishes: list[Leg], symbols: Symbols, cash: Decimal, costs: DecimalCosts) -> _Afforded:
    """The wishes scaled to the cash, those that had to be given up for it, and what each of the rest takes of it."""
    given_up: list[Skipped] = []
    while wishes:
        takes = [costs.to_buy(leg.quantity, leg.reference_price) for leg in wishes]
        needed = sum(takes, _NONE)
        if needed <= cash:
            return _Afforded(tuple(wishes), tuple(given_up), tuple(takes))
        scaled = _scaled(wishes, symbols, needed, cash, costs)
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
    wishes: list[Leg], symbols: Symbols, needed: Decimal, cash: Decimal, costs: DecimalCosts
) -> list[tuple[Leg, Leg, Decimal]]:
    """Each wish with what of it the cash pays for, and what that takes."""
    left, scaled = cash, []
    for wish in wishes:
        symbol, price = symbols[wish.symbol], wish.reference_price
        quantity = _in_one_order(symbol, wish.quantity * cash / needed)
        taken = costs.to_buy(quantity, price)
        if taken > left:  # roundings can add up to more than there is
            quantity = _in_one_order(symbol, costs.affordable(left, price))
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


def _in_one_order(symbol: Symbol, quantity: Decimal) -> Decimal:
    return round_down_to_step(min(quantity, symbol.max_quantity), symbol.step)
