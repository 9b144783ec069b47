"""What entries hold, at the newest prices there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from competition.models import Cycle, Entry, Season
from competition.pages.figures import NOTHING, money, percent, price, quantity
from competition.pages.names import Contestant
from market.core.snapshot import snapshot_of
from market.core.symbols import Symbol
from portfolio.core.book import Book
from portfolio.models import Portfolio
from portfolio.queries import book_and_rest, books_of

CASH = "Cash"


@dataclass(frozen=True, slots=True)
class Holding:
    """One line of a book; `value` and `share` are "no price" when there is none, never zero."""

    asset: str
    quantity: str
    price: str
    value: str
    share: str


@dataclass(frozen=True, slots=True)
class PricedBook:
    """A book with the prices it is looked at with; `symbols` are the season's."""

    book: Book
    prices: Mapping[str, Decimal]
    symbols: Mapping[str, Symbol]
    quote: str

    def values(self) -> dict[str, Decimal | None]:
        """Value in quote by asset, the quote asset last; None without a price."""
        by_base = {symbol.base: self.prices.get(name) for name, symbol in self.symbols.items()}
        values: dict[str, Decimal | None] = {}
        for asset, amount in self.book.balances.items():
            if asset != self.quote:
                at = by_base.get(asset)
                values[asset] = None if at is None else amount * at
        if self.book.of(self.quote):
            values[self.quote] = self.book.of(self.quote)
        return values

    def weights(self) -> dict[str, Decimal]:
        """Share of the priced value by asset, cash left out."""
        values = {asset: value for asset, value in self.values().items() if value is not None}
        total = sum(values.values(), Decimal(0))
        return {asset: value / total for asset, value in values.items() if asset != self.quote} if total else {}

    def weights_with_cash(self) -> dict[str, Decimal]:
        """Share of the priced value by asset, all that is left being `CASH`."""
        weights = self.weights()
        return {**weights, CASH: 1 - sum(weights.values(), Decimal(0))}

    def lines(self) -> tuple[Holding, ...]:
        """The book line by line, largest value first."""
        values = self.values()
        total = sum((value for value in values.values() if value is not None), Decimal(0))
        prices = {symbol.base: self.prices[name] for name, symbol in self.symbols.items() if name in self.prices}
        ordered = sorted(values.items(), key=lambda item: (-(item[1] or 0), item[0]))
        return tuple(
            Holding(
                asset=asset,
                quantity=money(self.book.of(asset)) if asset == self.quote else quantity(self.book.of(asset)),
                price=price(prices[asset]) if asset in prices else NOTHING,
                value="no price" if value is None else money(value),
                share="no price" if value is None or not total else percent(value / total),
            )
            for asset, value in ordered
        )


def prices_at(cycle: Cycle | None) -> Mapping[str, Decimal]:
    """The trade prices of a cycle loaded with its trade snapshot; empty before there are any."""
    if cycle is None or cycle.trade_snapshot is None:
        return {}
    stored = cycle.trade_snapshot
    return snapshot_of(stored.content, stored.as_of, stored.sha256).prices


def book_and_others(entry: Entry, season: Season, priced: Cycle | None) -> tuple[PricedBook, PricedBook]:
    """An entry's book, and those of all others as if they were one, at the newest trade prices: one query."""
    everybody = Portfolio.objects.filter(entry__season=season)
    symbols, prices, quote = season.symbol_book, prices_at(priced), season.rule_book.quote
    own, rest = book_and_rest(entry.portfolio_id, everybody)
    return PricedBook(own, prices, symbols, quote), PricedBook(rest, prices, symbols, quote)


def books_now(entries: Sequence[Entry | Contestant], season: Season, priced: Cycle | None) -> dict[str, PricedBook]:
    """Everybody's book at the newest trade prices, by slug: one query."""
    symbols, prices = season.symbol_book, prices_at(priced)
    books = books_of([entry.portfolio_id for entry in entries])
    return {
        entry.slug: PricedBook(books[entry.portfolio_id], prices, symbols, season.rule_book.quote) for entry in entries
    }
