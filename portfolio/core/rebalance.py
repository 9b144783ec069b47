"""From target weights to orders: sells first, then buys from the cash there really is.

Weights are of what is left after paying for the trades, so the plan is aimed at the value net of its own costs. That,
and a drift band below which a difference is left alone, make the planner a fixed point: with the same target at the
same prices, a second run orders nothing.

All of it is reckoned in whole numbers: quantities in steps of their symbol, cash in atoms, values and amounts in
10^-36 of the quote, which is what an atom is worth at the price of an atom. Decimals come in and go out.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from market.core.exact import ATOMS, EXACT, PLACES, atoms, atoms_up
from market.core.symbols import Symbol
from portfolio.core.book import Book, holdings_value
from portfolio.core.brokers import Costs
from portfolio.core.orders import Side, Skipped
from portfolio.core.purchases import Coin, Purchase, Refused, Wish, afford, why_not

NO_PRICE = "no fresh price"
AIMS_MAX = 8
_NONE = Decimal(0)
_BUY, _SELL = Side.BUY, Side.SELL  # the loops below are the most of a backtest's work: names, not attributes of enums

Prices = Mapping[str, Decimal]
Symbols = Mapping[str, Symbol]


class Target(NamedTuple):
    """Where the portfolio shall go. Differences below `drift_band`, a fraction of its value, are left alone."""

    weights: Mapping[str, Decimal]
    quote: str
    drift_band: Decimal


class Aim(NamedTuple):
    """The target in quantities of each priced symbol, down to the step, and the drift band in quote.

    What is not in it is left as it is.
    """

    wanted: Mapping[str, Decimal]
    band: Decimal


class Leg(NamedTuple):
    """One planned market order; it has no id yet."""

    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal


class Plan(NamedTuple):
    """What to order on one side, and what was wanted and is not ordered."""

    legs: tuple[Leg, ...]
    skipped: tuple[Skipped, ...]


class _Changes(NamedTuple):
    """Every quantity that is too much or too little, in the order of the coins; what is held back, and why."""

    sells: list[Wish]
    buys: list[Wish]
    kept: list[Refused]
    not_bought: list[Refused]


class _Priced(NamedTuple):
    """The cash after the sells, what of the buys it pays for, and what slippage and fees take of all of it."""

    cash: int
    purchase: Purchase
    cost: int


class Course(NamedTuple):
    """How a target is reached if each order fills at its reference price plus slippage. `value` is aimed at."""

    book: Book
    prices: Prices
    target: Target
    coins: list[Coin]
    value: int
    changes: _Changes
    priced: _Priced

    @property
    def aim(self) -> Aim:
        wanted = zip(self.coins, _wanted(self.coins, self.value), strict=True)
        value = Decimal(max(self.value, 0)).scaleb(-2 * PLACES, EXACT)
        return Aim({c.symbol.name: c.quantity(steps) for c, steps in wanted}, self.target.drift_band * value)

    @property
    def sells(self) -> Plan:
        return _plan(_SELL, self.changes.sells, self.changes.kept, self.prices)

    @property
    def buys(self) -> Plan:
        return _buys(self.changes, self.priced.purchase, self.prices, self.coins, self.target)

    @property
    def orders(self) -> int:
        """How many orders there are."""
        return len(self.changes.sells) + len(self.priced.purchase.wishes)

    @property
    def funded(self) -> Book:
        """The book after the sells, from which the buys are planned."""
        return self._book((), self.priced.cash)

    @property
    def after(self) -> Book:
        """The book after all of it."""
        return self._book(self.priced.purchase.wishes, self.priced.cash - self.priced.purchase.taken)

    def _book(self, bought: Iterable[Wish], cash: int) -> Book:
        held = dict(self.book.atoms)
        for coin, steps in self.changes.sells:
            held[coin.symbol.base] -= steps * coin.step
        for coin, steps in bought:
            held[coin.symbol.base] = held.get(coin.symbol.base, 0) + steps * coin.step
        held[self.target.quote] = cash
        return Book.of_atoms(held)


def set_course(book: Book, prices: Prices, symbols: Symbols, target: Target, costs: Costs) -> Course:
    """Aim at the value that will be left of the book's: guess, plan, subtract costs, until it agrees.

    Two or three rounds do. Where the same orders come out as the round before, they cost the same: the value agrees
    with itself. When a buy at the edge of the band comes and goes with its own cost, none does; then the lowest one
    seen is taken, at which it stays away. Raises `MissingPrice` when a held asset has no price.
    """
    coins, gross, cash = _surveyed(book, prices, symbols, target)
    value = lowest = gross
    before: tuple[_Changes, _Priced] | None = None
    for _ in range(AIMS_MAX):
        changes = _changes(coins, _wanted(coins, value), _band(target, value))
        if before and changes.sells == before[0].sells and changes.buys == before[0].buys:
            return Course(book, prices, target, coins, value, changes, before[1])
        priced = _priced(changes, cash, costs)
        left = gross - priced.cost
        if left == value:
            return Course(book, prices, target, coins, value, changes, priced)
        value, before = left, (changes, priced)
        lowest = min(lowest, value)
    changes = _changes(coins, _wanted(coins, lowest), _band(target, lowest))
    return Course(book, prices, target, coins, lowest, changes, _priced(changes, cash, costs))


def plan_sells(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim) -> Plan:
    """What to sell to come down to the aim. A weight of zero sells all that the filters let go; the rest is dust."""
    changes, _, _ = _toward(aim, book, prices, symbols, target)
    return _plan(_SELL, changes.sells, changes.kept, prices)


def plan_buys(book: Book, prices: Prices, symbols: Symbols, target: Target, aim: Aim, costs: Costs) -> Plan:
    """What to buy to come up to the aim, from the cash in `book`; costs are part of the price.

    When the cash does not reach for all, every buy is scaled by the same factor. One that the factor takes below a
    filter is given up, the smallest first, and its cash goes to the others.
    """
    changes, coins, cash = _toward(aim, book, prices, symbols, target)
    return _buys(changes, afford(changes.buys, cash, costs), prices, coins, target)


def _toward(aim: Aim, book: Book, prices: Prices, symbols: Symbols, target: Target) -> tuple[_Changes, list[Coin], int]:
    coins, _, cash = _surveyed(book, prices, symbols, target)
    moved = [coin for coin in coins if coin.symbol.name in aim.wanted]
    wanted = [atoms(aim.wanted[coin.symbol.name]) // coin.step for coin in moved]
    return _changes(moved, wanted, atoms_up(aim.band, 2 * PLACES)), coins, cash


def _surveyed(book: Book, prices: Prices, symbols: Symbols, target: Target) -> tuple[list[Coin], int, int]:
    """Every priced symbol in whole numbers, the value of the book, and its cash.

    Raises `MissingPrice` for a held asset without a price.
    """
    quote, held_of, weight_of, price_of = target.quote, book.atoms.get, target.weights.get, prices.get
    cash, unseen = held_of(quote, 0), len(book.atoms)
    value, coins = cash * ATOMS, []
    for name, symbol in symbols.items():
        decimal = price_of(name)
        if decimal is None:
            continue
        price, weight, filters = atoms(decimal), weight_of(name), symbol.filters
        share, parts = _ratio(weight) if weight else (0, 1)
        step, steps, dust = filters.step, 0, 0
        if held := held_of(symbol.base):
            steps, dust = divmod(held, step)
            value += held * price
            unseen -= symbol.quote == quote
        unit = price * step
        coins.append(Coin(symbol, price, unit, share, unit * parts, steps, dust, step, filters.most, filters))
    if unseen > (quote in book.atoms):
        holdings_value(book, prices, symbols, quote)  # says which asset has no price
    return coins, value, cash


@lru_cache(maxsize=4096)
def _ratio(fraction: Decimal) -> tuple[int, int]:
    return fraction.as_integer_ratio()


def _wanted(coins: list[Coin], value: int) -> list[int]:
    """The target in steps of each coin."""
    left = value if value > 0 else 0
    return [left * coin.share // coin.divisor for coin in coins]


def _band(target: Target, value: int) -> int:
    share, parts = _ratio(target.drift_band)
    return -(-value * share // parts) if value > 0 else 0


def _changes(coins: list[Coin], wanted: list[int], band: int) -> _Changes:
    sells, buys, kept, not_bought = found = _Changes([], [], [], [])
    for coin, steps in zip(coins, wanted, strict=True):
        order, dust = coin.steps - steps, coin.dust
        if order > 0 or (dust and not order):
            legs, skipped, least = sells, kept, band if coin.share else 0
        elif order:
            order = -order - 1 if dust else -order
            legs, skipped, least = buys, not_bought, band
        else:
            continue
        if order > coin.most:
            order = coin.most
        notional, filters = order * coin.unit, coin.filters  # as `why_not`, without a call for what may be ordered
        if notional >= least and notional >= filters.smallest and order >= filters.least and order > 0:
            legs.append((coin, order))
        else:
            skipped.append((coin, order, why_not(coin, order, least)))
    return found


def _priced(changes: _Changes, cash: int, costs: Costs) -> _Priced:
    cost = 0
    for coin, steps in changes.sells:
        proceeds = costs.brought(coin.price, steps * coin.step)
        cost += steps * coin.unit - proceeds * ATOMS
        cash += proceeds
    purchase = afford(changes.buys, cash, costs)
    cost += purchase.taken * ATOMS
    for coin, steps in purchase.wishes:
        cost -= steps * coin.unit
    return _Priced(cash, purchase, cost)


def _plan(side: Side, wishes: Iterable[Wish], refused: Iterable[Refused], prices: Prices) -> Plan:
    return Plan(
        tuple(Leg(coin.symbol.name, side, coin.quantity(steps), prices[coin.symbol.name]) for coin, steps in wishes),
        tuple(Skipped(coin.symbol.name, side, coin.quantity(steps), reason) for coin, steps, reason in refused),
    )


def _buys(changes: _Changes, purchase: Purchase, prices: Prices, coins: list[Coin], target: Target) -> Plan:
    priced = {coin.symbol.name for coin in coins}
    unpriced = [
        Skipped(name, _BUY, _NONE, NO_PRICE)
        for name, weight in target.weights.items()
        if name not in priced and name != target.quote and weight > _NONE
    ]
    legs, skipped = _plan(_BUY, purchase.wishes, (*changes.not_bought, *purchase.given_up), prices)
    return Plan(legs, (*unpriced, *skipped))
