"""A season as it is on record, as values for the checks of an audit: what is read once, and one entry at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from agents.core.answers import Answer
from competition.core.rules import Rules
from competition.core.states import CycleState, SeasonState, TurnState
from market.core.snapshot import Snapshot
from market.core.symbols import Symbol
from portfolio.core.book import Book, fill_journal, fold
from portfolio.core.decisions import Verdict
from portfolio.core.ledger_checks import Ledger, books_after, fills_of


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """A cycle's row; of its snapshots only what is computed with: prices, and when they were."""

    number: int
    state: CycleState
    due_at: datetime
    opened_at: datetime
    as_of: datetime
    deadline_at: datetime
    trade_as_of: datetime | None
    shown: Snapshot | None
    traded: Snapshot | None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeasonRecord:
    """`audited_at` is when the audit began. Cycles are by number, in order."""

    slug: str
    state: SeasonState
    rules: Rules
    rules_sha256: str
    symbols: Mapping[str, Symbol]
    entries: tuple[str, ...]
    cycles: Mapping[int, CycleRecord]
    audited_at: datetime


@dataclass(frozen=True, slots=True)
class TurnRow:
    """A turn's row without its texts; amounts in quote. `unresolved` are ids of orders that ended after its cycle."""

    cycle: int
    state: TurnState
    verdict: Verdict | None
    over_budget: str
    traded: Decimal
    fees: Decimal
    value_after: Decimal | None
    unresolved: frozenset[str] = frozenset()
    settled_at: datetime | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One attempt of a turn: `answer` is None unless the attempt ended as answered in time."""

    answer: Answer | None
    ended_at: datetime | None
    reason: str


@dataclass(frozen=True)
class EntryRecord:
    """One entry's whole record. `replies` reads what was said, turn by turn, so that it need not be held at once."""

    slug: str
    ledger: Ledger
    turns: tuple[TurnRow, ...]
    valuations: Mapping[int, tuple[datetime, Decimal]]
    replies: Callable[[], Iterator[tuple[TurnRow, list[Said]]]]
    books: Mapping[int, Book] = field(default_factory=dict)

    def book_before(self, cycle: CycleRecord) -> Book:
        """The book that the entry was shown in a cycle: without what became known only after it had closed."""
        number = max(number for number in self.books if number < cycle.number)
        return self._as_known(self.books[number], cycle, number)

    def book_after(self, cycle: CycleRecord) -> Book:
        """The book that the turn of a cycle ended with, when that cycle closed; its own late fills are in it."""
        return self._as_known(self.books[cycle.number], cycle, cycle.number - 1)

    def _as_known(self, book: Book, cycle: CycleRecord, last: int) -> Book:
        """`book` without fills of cycles up to `last` that were found after `cycle` had closed."""
        late = {
            order_id
            for turn in self.turns
            if turn.cycle <= last and turn.settled_at and cycle.closed_at and turn.settled_at >= cycle.closed_at
            for order_id in turn.unresolved
        }
        if not late:
            return book
        fills = [fill for _, fill in fills_of(self.ledger.orders) if fill.client_order_id in late]
        moved = fold(fill_journal(fill, self.ledger.symbols[fill.symbol]) for fill in fills)
        left = {asset: book.of(asset) - moved.of(asset) for asset in book.balances.keys() | moved.balances.keys()}
        return Book({asset: amount for asset, amount in sorted(left.items()) if amount})


def books_of_cycles(ledger: Ledger, season: SeasonRecord) -> dict[int, Book]:
    """The book of a portfolio after each cycle of its season; 0 is the start capital."""
    return books_after(ledger, [(cycle.number, cycle.trade_as_of or cycle.as_of) for cycle in season.cycles.values()])
