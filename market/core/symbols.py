"""Symbols and the exchange's filters: what may be traded, and in which steps.

A filter is a dated fact. The defaults below are those Binance published on 2024-09-08; other dates carry their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from market.core.canonical import plain
from market.core.exact import PLACES, atoms, atoms_up

QUOTE_ASSET = "USDT"
FILTERS_AS_OF = "2024-09-08"
_POWERS_OF_TEN = {power: power for power in (Decimal(1).scaleb(-places) for places in range(19))}


class UnknownSymbol(ValueError):
    """A symbol that is not listed here; the message names those that are."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a symbol in whole numbers: a step in atoms, quantities in steps, an amount of quote in 10^-36.

    What is at least a filter is at least the whole number above it, and what is at most one, at most that below.
    """

    step: int
    least: int
    most: int
    smallest: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A spot pair. `step` is the smallest change of quantity (base), `tick` of price (quote per base)."""

    name: str
    base: str
    quote: str
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    tick: Decimal
    min_notional: Decimal
    filters: Filters = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        step = atoms(self.step) or 1  # without a step an atom is one; no season takes such a pair, but it is listed
        least = -(-atoms_up(self.min_quantity) // step)
        most = atoms(self.max_quantity) // step
        object.__setattr__(self, "filters", Filters(step, least, most, atoms_up(self.min_notional, 2 * PLACES)))


def round_down_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """`quantity` toward zero to a multiple of `step`."""
    if _is_power_of_ten(step):
        return quantity.quantize(step, ROUND_DOWN)  # to cut digits off is all there is to do
    beyond = quantity % step
    whole = quantity - beyond if beyond else quantity  # exact, where a division would round beyond 28 digits
    return whole.quantize(step)


def _is_power_of_ten(step: Decimal) -> bool:
    power = _POWERS_OF_TEN.get(step)
    return power is not None and step.same_quantum(power)


def _pair(base: str, step: str, max_quantity: str, tick: str) -> Symbol:
    return Symbol(
        name=f"{base}{QUOTE_ASSET}",
        base=base,
        quote=QUOTE_ASSET,
        step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(max_quantity),
        tick=Decimal(tick),
        min_notional=Decimal("5"),
    )


DEFAULT_SYMBOLS: tuple[Symbol, ...] = (
    _pair("BTC", "0.00001", "9000", "0.01"),
    _pair("ETH", "0.0001", "9000", "0.01"),
    _pair("SOL", "0.001", "90000", "0.01"),
    _pair("BNB", "0.001", "900000", "0.1"),
    _pair("ADA", "0.1", "900000", "0.0001"),
)


def symbols_content(symbols: Iterable[Symbol]) -> list[dict[str, str]]:
    """Symbols with their filters as plain JSON values, numbers as text."""
    return [
        {
            "name": symbol.name,
            "base": symbol.base,
            "quote": symbol.quote,
            "step": plain(symbol.step),
            "min_quantity": plain(symbol.min_quantity),
            "max_quantity": plain(symbol.max_quantity),
            "tick": plain(symbol.tick),
            "min_notional": plain(symbol.min_notional),
        }
        for symbol in symbols
    ]


def symbols_of(content: Sequence[Mapping[str, str]]) -> Mapping[str, Symbol]:
    """The symbols whose `symbols_content` this is, by name and in its order."""
    numbers = ("step", "min_quantity", "max_quantity", "tick", "min_notional")
    return {
        row["name"]: Symbol(row["name"], row["base"], row["quote"], *(Decimal(row[number]) for number in numbers))
        for row in content
    }


def pick(names: Iterable[str], listed: Iterable[Symbol]) -> Mapping[str, Symbol]:
    """The listed symbols of these names, in the order asked for; `UnknownSymbol` names the first that is not listed."""
    known = {symbol.name: symbol for symbol in listed}
    picked: dict[str, Symbol] = {}
    for name in names:
        if name not in known:
            raise UnknownSymbol(f"Unknown symbol {name!r}. Listed: {', '.join(sorted(known))}.")
        picked[name] = known[name]
    return picked
