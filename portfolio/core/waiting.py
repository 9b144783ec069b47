"""What an order of an earlier cycle holds up while nobody knows its outcome."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from portfolio.core.book import Book
from portfolio.core.orders import Side, Skipped
from portfolio.core.rebalance import Aim, Target


@dataclass(frozen=True, slots=True)
class Waiting:
    """`symbols` are frozen, each for its reason; `reserved` of an asset may still be taken, and is not spent again."""

    symbols: Mapping[str, str] = field(default_factory=dict)
    reserved: Mapping[str, Decimal] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.symbols or self.reserved)

    def left_as_it_is(self, aim: Aim) -> Aim:
        """The aim without the frozen symbols, so that none is bought or sold."""
        return aim._replace(wanted={name: steps for name, steps in aim.wanted.items() if name not in self.symbols})

    def skipped(self, target: Target) -> Iterator[Skipped]:
        """What was wanted of frozen symbols, and why it is not ordered."""
        for name, reason in self.symbols.items():
            side = Side.BUY if target.weights.get(name) else Side.SELL
            yield Skipped(name, side, Decimal(0), reason)

    def without_reserve(self, book: Book) -> Book:
        """What of a book may be spent."""
        if not self.reserved:
            return book
        left = {
            asset: max(amount - self.reserved.get(asset, Decimal(0)), Decimal(0))
            for asset, amount in book.balances.items()
        }
        return Book({asset: amount for asset, amount in left.items() if amount})


NOTHING_WAITS = Waiting()
