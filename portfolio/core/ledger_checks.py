"""What must hold of one portfolio's record, whatever happened: each check yields what is wrong, in sentences.

They read the record as it is stored and trust nothing that was computed when it was written.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from market.core.canonical import plain
from market.core.exact import exact_sum
from market.core.symbols import Symbol
from portfolio.core.book import (
    GENESIS,
    Book,
    BrokenLedger,
    Journal,
    JournalKind,
    checked,
    fill_journal,
    fold,
    journal_hash,
    overdrawn,
)
from portfolio.core.orders import Fill, Order, OrderState, client_order_id


@dataclass(frozen=True, slots=True)
class StoredJournal:
    """A journal as it is on record, with its place in the chain."""

    sequence: int
    journal: Journal
    hash: str


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as it is on record, with every fill of it."""

    cycle: int
    order: Order
    state: OrderState
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """The whole record of one portfolio. `held` is the book as the site reads it; amounts of `capital` in quote.

    `settled` and `set_aside` are the numbers of the cycles whose turn ended one way or the other. Of a provisional turn
    the orders in `unposted` are not posted yet; those in `waiting` are under way at an exchange.
    """

    key: str
    quote: str
    capital: Decimal
    symbols: Mapping[str, Symbol]
    journals: Sequence[StoredJournal]
    orders: Sequence[StoredOrder]
    held: Book
    settled: frozenset[int] = field(default=frozenset())
    set_aside: frozenset[int] = field(default=frozenset())
    unposted: frozenset[str] = field(default=frozenset())
    waiting: frozenset[str] = field(default=frozenset())


LedgerCheck = Callable[[Ledger], Iterator[str]]


def fill_key(fill: Fill) -> str:
    """The key of the journal that posts this fill."""
    return f"fill:{fill.symbol}:{fill.trade_id}"


def journals_sum_to_zero(ledger: Ledger) -> Iterator[str]:
    """Per asset, within the scale that is kept, and never empty."""
    for stored in ledger.journals:
        try:
            checked(stored.journal)
        except BrokenLedger as broken:
            yield str(broken)


def chain_is_unbroken(ledger: Ledger) -> Iterator[str]:
    """Every hash is computed again from its own row and the stored hash before it; no number is left out."""
    before = GENESIS
    for number, stored in enumerate(ledger.journals, start=1):
        if stored.sequence != number:
            yield f"journal {number} is missing: the next one is numbered {stored.sequence}"
            return
        if stored.hash != journal_hash(before, stored.journal):
            yield f"journal {number} ({stored.journal.key}) does not have the hash it is stored under"
        before = stored.hash


def nothing_was_ever_overdrawn(ledger: Ledger) -> Iterator[str]:
    """After every single journal, not only at the end."""
    book, short = Book(), set[str]()
    for stored in ledger.journals:
        book = fold([stored.journal], book)
        now_short = set(overdrawn(book))
        for asset in sorted(now_short - short):
            yield f"journal {stored.sequence} leaves {plain(book.of(asset))} {asset}"
        short = now_short


def book_is_the_fold_of_postings(ledger: Ledger) -> Iterator[str]:
    folded = fold(stored.journal for stored in ledger.journals)
    if dict(folded.balances) != dict(ledger.held.balances):
        yield f"it is read as holding {told(ledger.held)}, and its journals leave {told(folded)}"


def it_was_funded_once(ledger: Ledger) -> Iterator[str]:
    """With the start capital of the season, before anything else."""
    funded = [stored for stored in ledger.journals if stored.journal.kind is JournalKind.FUNDING]
    if [stored.sequence for stored in funded] != [1]:
        yield f"it was funded by journals {[stored.sequence for stored in funded]}, not by the first alone"
    elif dict(fold([funded[0].journal]).balances) != {ledger.quote: ledger.capital}:
        yield f"it was funded with {told(fold([funded[0].journal]))}, not with {plain(ledger.capital)} {ledger.quote}"


def fills_of_settled_turns_are_posted(ledger: Ledger) -> Iterator[str]:
    """Each by one journal that says exactly what the fill says."""
    posted = {stored.journal.key: stored.journal for stored in ledger.journals}
    for cycle, fill in fills_of(ledger.orders):
        if cycle not in ledger.settled or fill.client_order_id in ledger.unposted:
            continue
        journal = posted.get(fill_key(fill))
        if journal is None:
            yield f"{fill_key(fill)} of week {cycle} is posted nowhere"
        elif Counter(journal.postings) != Counter(fill_journal(fill, ledger.symbols[fill.symbol]).postings):
            yield f"{fill_key(fill)} of week {cycle} is posted otherwise than it was filled"


def journals_of_fills_have_their_fill(ledger: Ledger) -> Iterator[str]:
    """Nothing is posted that no venue executed, nor for a turn that did not settle."""
    filled = {fill_key(fill): cycle for cycle, fill in fills_of(ledger.orders)}
    for stored in ledger.journals:
        if stored.journal.kind is not JournalKind.FILL:
            continue
        cycle = filled.get(stored.journal.key)
        if cycle is None:
            yield f"journal {stored.sequence} posts {stored.journal.key}, which no order of it was filled by"
        elif cycle not in ledger.settled:
            yield f"journal {stored.sequence} posts {stored.journal.key} of week {cycle}, whose turn did not settle"


def orders_have_the_ids_of_their_legs(ledger: Ledger) -> Iterator[str]:
    """The legs of a turn are numbered from 1, and each has the one id it can ever have."""
    by_cycle: dict[int, list[str]] = {}
    for stored in ledger.orders:
        by_cycle.setdefault(stored.cycle, []).append(stored.order.client_order_id)
    for cycle, ids in sorted(by_cycle.items()):
        expected = {client_order_id(ledger.key, cycle, leg) for leg in range(1, len(ids) + 1)}
        for odd in sorted(set(ids) - expected):
            yield f"order {odd} of week {cycle} does not have the id of a leg of it"


def orders_ended_as_their_fills_say(ledger: Ledger) -> Iterator[str]:
    """A filled order was filled whole, a partial one in part, any other not at all."""
    for stored in ledger.orders:
        total, wanted = exact_sum(fill.quantity for fill in stored.fills), stored.order.quantity
        fits = {
            OrderState.FILLED: total == wanted,
            OrderState.PARTIAL: 0 < total < wanted,
            OrderState.EXPIRED: total == 0,
            OrderState.REJECTED: total == 0,
            OrderState.NEW: total == 0,
        }[stored.state]
        name = stored.order.client_order_id
        if not fits:
            yield f"order {name} is {stored.state} with {plain(total)} of {plain(wanted)} filled"
        if any(fill.symbol != stored.order.symbol for fill in stored.fills):
            yield f"order {name} in {stored.order.symbol} has a fill in another symbol"


def known_exceptions(ledger: Ledger) -> Iterator[str]:
    """Fills of turns that were set aside: on record, posted nowhere on purpose, said on the turn's page."""
    for cycle, fill in fills_of(ledger.orders):
        if cycle in ledger.set_aside:
            yield f"{fill_key(fill)} of week {cycle} is not posted, because its turn was set aside"


def fills_of(orders: Iterable[StoredOrder]) -> Iterator[tuple[int, Fill]]:
    """Every fill with the number of its cycle."""
    return ((stored.cycle, fill) for stored in orders for fill in stored.fills)


def books_after(ledger: Ledger, cycles: Sequence[tuple[int, datetime]]) -> dict[int, Book]:
    """The book after each of these cycles (number, market instant of its trades; in order); 0 is before the first.

    A fill counts in the cycle of its order, anything else from the first cycle on whose instant is not before it.
    """
    of_fill = {fill_key(fill): cycle for cycle, fill in fills_of(ledger.orders)}
    by_cycle: dict[int, list[Journal]] = {}
    for stored in ledger.journals:
        journal = stored.journal
        later = (number for number, at in cycles if journal.at <= at)
        number = 0 if journal.kind is JournalKind.FUNDING else of_fill.get(journal.key) or next(later, None)
        if number is not None:
            by_cycle.setdefault(number, []).append(journal)
    books = {0: fold(by_cycle.get(0, []))}
    book = books[0]
    for number, _ in cycles:
        book = books[number] = fold(by_cycle.get(number, []), book)
    return books


def told(book: Book) -> str:
    """A book in words."""
    return ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(book.balances.items())) or "nothing"
