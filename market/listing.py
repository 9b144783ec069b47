"""Symbols of the exchange become listed here, with the filters of the day."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

from django.db import transaction

from market.binance import Binance
from market.core.answers import INVALID_SYMBOL, ExchangeError, Refused
from market.core.canonical import plain
from market.core.symbols import Symbol
from market.models import ListedSymbol

_FILTERS = ("step", "min_quantity", "max_quantity", "tick", "min_notional")


class UnknownToExchange(ExchangeError):
    """A symbol that the exchange does not know."""


class NewerFilters(ValueError):
    """Filters of a later day are stored already."""


def filters_now(exchange: Binance, names: Sequence[str]) -> list[Symbol]:
    """These symbols with the filters the exchange tells now; `UnknownToExchange` names the first it does not know."""
    try:
        return list(exchange.symbols(names).values())
    except Refused as refused:
        if refused.code != INVALID_SYMBOL:
            raise
    return [_filters_of(exchange, name) for name in names]  # it does not say which one, so each is asked for alone


def _filters_of(exchange: Binance, name: str) -> Symbol:
    try:
        return exchange.symbols([name])[name]
    except Refused as refused:
        if refused.code != INVALID_SYMBOL:
            raise
        raise UnknownToExchange(f"The exchange does not know {name}.") from None


@dataclass(frozen=True, slots=True)
class Listing:
    """What became of a symbol: it was added, or its filters changed from old to new, or only their date did."""

    name: str
    added: bool
    changes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {'added' if self.added else ', '.join(self.changes) or 'the same filters'}"


@transaction.atomic
def list_symbols(symbols: Sequence[Symbol], as_of: date) -> list[Listing]:
    """Write the filters of that day: a symbol that is not listed is added, one that is gets them and the date.

    All or none. Open seasons keep the filters they opened with. `NewerFilters` when those stored are of a later day.
    """
    return [_list(symbol, as_of) for symbol in symbols]


def _list(symbol: Symbol, as_of: date) -> Listing:
    stored = {field.name: getattr(symbol, field.name) for field in fields(symbol) if field.init}
    fresh = {**stored, "filters_as_of": as_of}
    row, added = ListedSymbol.objects.select_for_update().get_or_create(name=symbol.name, defaults=fresh)
    if added:
        return Listing(symbol.name, True, ())
    if row.filters_as_of > as_of:
        raise NewerFilters(
            f"{symbol.name} has filters of {row.filters_as_of}, later than {as_of}: is a clock wrong? "
            "Correct the date in the admin, under listed symbols."
        )
    pairs = [(name, getattr(row, name), getattr(symbol, name)) for name in _FILTERS]
    changes = tuple(f"{name} {plain(old)} → {plain(new)}" for name, old, new in pairs if old != new)
    for name in (*_FILTERS, "filters_as_of"):
        setattr(row, name, fresh[name])
    row.save(update_fields=[*_FILTERS, "filters_as_of"])
    return Listing(symbol.name, False, changes)
