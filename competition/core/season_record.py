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
from portfolio.core.book import Book
from portfolio.core.decisions import Verdict
from portfolio.core.ledger_checks import Ledger, books_after


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
    """A turn's row without its texts; amounts in quote."""

    cycle: int
    state: TurnState
    verdict: Verdict | None
    over_budget: str
    traded: Decimal
    fees: Decimal
    value_after: Decimal | None


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

    def book_before(self, cycle: int) -> Book:
        return self.books[max(number for number in self.books if number < cycle)]


def books_of_cycles(ledger: Ledger, season: SeasonRecord) -> dict[int, Book]:
    """The book of a portfolio after each cycle of its season; 0 is the start capital."""
    return books_after(ledger, [(cycle.number, cycle.trade_as_of or cycle.as_of) for cycle in season.cycles.values()])
