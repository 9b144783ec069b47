"""The ledger: journals of postings, and the book as their fold.

A journal moves amounts between accounts and sums to zero per asset. Nothing is ever edited: what was wrong is put
right by another journal that says why. A book is what the entry's own account holds after all of them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from market.core.canonical import canonical_json, sha256_of
from market.core.exact import ATOMS, EXACT, atoms, from_atoms
from market.core.symbols import Symbol
from portfolio.core.orders import Fill, Side

AMOUNT_SCALE = 18  # decimal places the database keeps; more would be rounded silently
AMOUNT_BOUND = Decimal(10) ** 19  # what fits before the point; also keeps NaN out of columns compared with it
_LOWEST = -AMOUNT_BOUND
_ATOM = Decimal(1).scaleb(-AMOUNT_SCALE)
_NOTHING = Decimal(0)
GENESIS = "0" * 64  # the hash before the first journal


class Account(StrEnum):
    """Whose pocket: the entry itself, the venue it trades with, whoever takes fees, whoever funds it."""

    ENTRY = "entry"
    VENUE = "venue"
    FEES = "fees"
    FUNDING = "funding"


class JournalKind(StrEnum):
    FUNDING = "funding"
    FILL = "fill"
    CORRECTION = "correction"


class BrokenLedger(ValueError):
    """A journal or a book that breaks an invariant of the ledger; nothing of it may be written."""


class MissingPrice(ValueError):
    """A held asset has no price, so the book has no value; it is never counted as zero."""


class Posting(NamedTuple):
    """One signed amount of one asset into (+) or out of (-) one account."""

    account: Account
    asset: str
    amount: Decimal


class Journal(NamedTuple):
    """Postings that happen together or not at all. `key` is unique within a portfolio and makes posting repeatable."""

    key: str
    kind: JournalKind
    at: datetime
    postings: tuple[Posting, ...]
    reason: str = ""


class Book:
    """Amounts by asset, zeros left out. As decimals and as whole atoms: made of one, it makes the other when asked."""

    __slots__ = ("_atoms", "_balances")

    def __init__(self, balances: Mapping[str, Decimal] | None = None) -> None:
        self._balances: Mapping[str, Decimal] | None = balances or {}
        self._atoms: Mapping[str, int] | None = None

    @classmethod
    def of_atoms(cls, held: Mapping[str, int]) -> "Book":
        """A book of whole atoms; zeros may be among them."""
        book = cls()
        book._balances, book._atoms = None, {asset: held[asset] for asset in sorted(held) if held[asset]}
        return book

    @property
    def balances(self) -> Mapping[str, Decimal]:
        if self._balances is None:
            self._balances = {asset: from_atoms(amount) for asset, amount in self.atoms.items()}
        return self._balances

    @property
    def atoms(self) -> Mapping[str, int]:
        if self._atoms is None:
            self._atoms = {asset: atoms(amount) for asset, amount in self.balances.items()}
        return self._atoms

    def of(self, asset: str) -> Decimal:
        return self.balances.get(asset, _NOTHING)

    def float_of(self, asset: str) -> float:
        """The float nearest to what is held: for curves, which are floats throughout."""
        return self.atoms.get(asset, 0) / ATOMS

    def __eq__(self, other: object) -> bool:
        return self.balances == other.balances if isinstance(other, Book) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of the mapping that it is

    def __repr__(self) -> str:
        return f"Book({dict(self.balances)!r})"


def fold(journals: Iterable[Journal], book: Book | None = None) -> Book:
    """`book` (or an empty one) after these journals. The order of journals does not matter."""
    balances = dict(book.balances) if book else {}
    add, entry = EXACT.add, Account.ENTRY
    for journal in journals:
        for account, asset, amount in journal.postings:
            if account is entry:
                held = balances.get(asset)
                balances[asset] = add(held, amount) if held else amount
    return Book({asset: balances[asset] for asset in sorted(balances) if balances[asset]})


def funding_journal(capital: Decimal, quote: str, at: datetime) -> Journal:
    """The start capital, as a posting like any other."""
    return checked(
        Journal(
            key="funding",
            kind=JournalKind.FUNDING,
            at=at,
            postings=_transfer("funding", Account.FUNDING, Account.ENTRY, quote, capital),
            reason="start capital",
        )
    )


def fill_journal(fill: Fill, symbol: Symbol) -> Journal:
    """Base one way, quote the other, and the fee in whatever asset it was taken. Raises `BrokenLedger`."""
    key = f"fill:{fill.symbol}:{fill.trade_id}"
    given = (symbol.quote, fill.quote_amount), (symbol.base, fill.quantity)
    (paid, paid_amount), (received, received_amount) = given if fill.side is Side.BUY else given[::-1]
    postings = (
        *_transfer(key, Account.ENTRY, Account.VENUE, paid, paid_amount),
        *_transfer(key, Account.VENUE, Account.ENTRY, received, received_amount),
        *_transfer(key, Account.ENTRY, Account.FEES, fill.fee_asset, fill.fee),
    )
    if not postings:
        raise BrokenLedger(f"journal {key} moves nothing")
    return Journal(key, JournalKind.FILL, fill.at, postings, f"{fill.side} {fill.symbol}")


def _transfer(key: str, source: Account, target: Account, asset: str, amount: Decimal) -> tuple[Posting, ...]:
    """Out of one account and into the other, the same to the last digit: what is made of these sums to zero."""
    _check_amount(key, asset, amount)
    return (Posting(source, asset, amount.copy_negate()), Posting(target, asset, amount)) if amount else ()


def checked(journal: Journal) -> Journal:
    """The journal itself. Raises `BrokenLedger` unless it is finite, within scale, not empty and zero per asset."""
    if not journal.postings:
        raise BrokenLedger(f"journal {journal.key} moves nothing")
    totals: dict[str, Decimal] = {}
    for _, asset, amount in journal.postings:
        _check_amount(journal.key, asset, amount)
        totals[asset] = EXACT.add(totals.get(asset, _NOTHING), amount)
    for asset, total in totals.items():
        if total != 0:
            raise BrokenLedger(f"journal {journal.key} does not sum to zero in {asset}: {total} left over")
    return journal


def _check_amount(key: str, asset: str, amount: Decimal) -> None:
    if not amount.is_finite():
        raise BrokenLedger(f"journal {key}: {amount} {asset} is not an amount")
    if not _LOWEST < amount < AMOUNT_BOUND:
        raise BrokenLedger(f"journal {key}: {amount} {asset} is more than the ledger keeps")
    if EXACT.remainder(amount, _ATOM):
        raise BrokenLedger(f"journal {key}: {amount} has more than {AMOUNT_SCALE} decimals")


def overdrawn(book: Book) -> tuple[str, ...]:
    """Assets of which the book holds less than nothing, sorted."""
    return tuple(sorted([asset for asset, amount in book.atoms.items() if amount < 0]))


def journal_hash(previous: str, journal: Journal) -> str:
    """SHA-256 over the previous hash and this journal: altering an earlier journal changes every later hash."""
    return sha256_of([previous, journal_content(journal)])


def journal_content(journal: Journal) -> dict[str, object]:
    """What of a journal is hashed and published; postings in their own order."""
    return {
        "key": journal.key,
        "kind": journal.kind.value,
        "at": journal.at,
        "reason": journal.reason,
        "postings": [[p.account.value, p.asset, p.amount] for p in journal.postings],
    }


def head_of(journals: Iterable[Journal]) -> str:
    """Hash of the last journal of the chain; `GENESIS` when there is none."""
    head = GENESIS
    for journal in journals:
        head = journal_hash(head, journal)
    return head


def holdings_value(
    book: Book, prices: Mapping[str, Decimal], symbols: Mapping[str, Symbol], quote: str
) -> dict[str, Decimal]:
    """Value in `quote` of each held symbol, by symbol name; raises `MissingPrice` for a held asset without a price."""
    values: dict[str, Decimal] = {}
    by_base: dict[str, str] = {}
    for asset, amount in book.balances.items():
        if asset == quote or not amount:
            continue
        by_base = by_base or {symbol.base: name for name, symbol in symbols.items() if symbol.quote == quote}
        name = by_base.get(asset, "")
        if name not in prices:
            raise MissingPrice(f"{amount} {asset} is held and has no price")
        values[name] = amount * prices[name]
    return values


def value_of(book: Book, prices: Mapping[str, Decimal], symbols: Mapping[str, Symbol], quote: str) -> Decimal:
    """Net asset value in quote: cash plus every holding at its price."""
    return book.of(quote) + sum(holdings_value(book, prices, symbols, quote).values(), _NOTHING)


def weights_of(
    book: Book, prices: Mapping[str, Decimal], symbols: Mapping[str, Symbol], quote: str
) -> dict[str, Decimal]:
    """Fraction of the value in each held symbol; empty for a book worth nothing."""
    values = holdings_value(book, prices, symbols, quote)
    total = book.of(quote) + sum(values.values(), _NOTHING)
    return {name: value / total for name, value in values.items()} if total > _NOTHING else {}


def postings_text(portfolio_key: str, journals: Iterable[Journal]) -> str:
    """One line of canonical JSON per journal: what the hash over all postings of a season is taken of."""
    return "".join(canonical_json([portfolio_key, journal_content(j)]) + "\n" for j in journals)
