"""What an exchange has on record of our orders and holds for us, against what we have on record and hold of it.

Nothing here changes anything: what does not agree is a finding, for somebody to look at. The ledger is the record, and
the account is only the place where its orders were carried out.

An account can be judged only against an earlier look at it: since then it must have moved by what our trades moved,
and by nothing else. A wiped testnet shows in two ways at once: our orders are gone, and the account has moved in ways
that our trades do not explain.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from market.core.canonical import plain
from market.core.exact import EXACT
from market.core.symbols import Symbol
from portfolio.core.book import Account, fill_journal
from portfolio.core.orders import Fill
from portfolio.core.venue_fills import VenueOrder

OUR_PREFIX = "oo-"  # with which the ids of all our orders begin
Amounts = Mapping[str, Decimal]  # by asset


class Kind(StrEnum):
    """What can be wrong; the first word of each finding in the report."""

    MISSING = "missing"  # an order of ours that the exchange does not know
    DIFFERENT = "different"  # it knows the order, and tells something else of it
    OPEN = "open"  # it can still be executed there, and has ended here
    ORPHAN = "orphan"  # it has our kind of id, and is not on record
    FOREIGN = "foreign"  # somebody else's order, in our account
    UNEXPLAINED = "unexplained"  # the account moved by more or less than our trades


@dataclass(frozen=True, slots=True)
class OurOrder:
    """An attempt of ours that has ended, as on record. `quote_total` is None where nothing was executed."""

    client_order_id: str
    exchange_order_id: int
    symbol: str
    executed: Decimal
    quote_total: Decimal | None


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the account: what it held, and by how much our trades had moved it in this epoch until then."""

    balances: Amounts
    moved: Amounts


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    subject: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One asset. `unexplained` is None when there was nothing to judge it against."""

    asset: str
    books: Decimal
    account: Decimal
    moved: Decimal
    unexplained: Decimal | None

    @property
    def is_short(self) -> bool:
        """Whether the account could not give what the sub-ledgers hold: some order would be refused there."""
        return self.account < self.books


def order_findings(ours: Iterable[OurOrder], found: Iterable[VenueOrder], silent: frozenset[str]) -> Iterator[Finding]:
    """What is wrong between our orders that ended and the orders the exchange lists.

    `silent` are client order ids of ours of which nothing is said: their outcome is not known yet, or they were sent
    when the exchange had forgotten everything and we had not noticed.
    """
    listed = {order.client_order_id: order for order in found}
    known = {order.client_order_id: order for order in ours}
    for name, order in known.items():
        there = listed.get(name)
        if there is None:
            yield Finding(Kind.MISSING, name, f"order {order.exchange_order_id} of {order.symbol} is not listed")
        else:
            yield from _differences(order, there)
    for name, there in listed.items():
        if name not in known and name not in silent:
            yield _stranger(there)


def _differences(order: OurOrder, there: VenueOrder) -> Iterator[Finding]:
    ours = (order.exchange_order_id, order.symbol, order.executed, order.quote_total or Decimal(0))
    # An exchange that has no total of its own tells one below zero; then it agrees with whatever we have.
    total = ours[3] if there.quote_total is None else there.quote_total
    theirs = (there.order_id, there.symbol, there.executed, total)
    if there.is_open:
        yield Finding(Kind.OPEN, order.client_order_id, f"it is {there.status} there, and has ended here")
    elif ours != theirs:
        yield Finding(Kind.DIFFERENT, order.client_order_id, f"here {_told(ours)}, there {_told(theirs)}")


def _told(order: tuple[int, str, Decimal, Decimal]) -> str:
    number, symbol, executed, total = order
    return f"{plain(executed)} {symbol} for {plain(total)} under number {number}"


def _stranger(there: VenueOrder) -> Finding:
    kind = Kind.ORPHAN if there.client_order_id.startswith(OUR_PREFIX) else Kind.FOREIGN
    traded = f"{there.side} {plain(there.executed)} of {plain(there.ordered)} {there.symbol}, {there.status}"
    return Finding(kind, there.client_order_id, f"{traded}, is not on record")


def moved_by(fills: Iterable[Fill], symbols: Mapping[str, Symbol]) -> dict[str, Decimal]:
    """By how much these fills moved an account, by asset; zeros left out."""
    moved: dict[str, Decimal] = {}
    for fill in fills:
        for posting in fill_journal(fill, symbols[fill.symbol]).postings:
            if posting.account is Account.ENTRY:
                moved[posting.asset] = EXACT.add(moved.get(posting.asset, Decimal(0)), posting.amount)
    return {asset: amount for asset, amount in moved.items() if amount}


def asset_lines(books: Amounts, now: Look, before: Look | None) -> tuple[AssetLine, ...]:
    """Every asset that anybody holds or moved, by name. `before` is the last look in this epoch, if there was one."""
    looks = [now, before] if before else [now]
    assets = {asset for look in looks for amounts in (look.balances, look.moved) for asset in amounts} | set(books)
    zero = Decimal(0)
    return tuple(
        AssetLine(
            asset,
            books.get(asset, zero),
            now.balances.get(asset, zero),
            now.moved.get(asset, zero),
            _unexplained(asset, now, before) if before else None,
        )
        for asset in sorted(assets)
    )


def _unexplained(asset: str, now: Look, before: Look) -> Decimal:
    """By how much an account moved beyond our trades, between two looks."""
    zero = Decimal(0)
    moved = now.moved.get(asset, zero) - before.moved.get(asset, zero)
    return now.balances.get(asset, zero) - before.balances.get(asset, zero) - moved


def balance_findings(lines: Iterable[AssetLine]) -> Iterator[Finding]:
    for line in lines:
        if line.unexplained:
            yield Finding(
                Kind.UNEXPLAINED,
                line.asset,
                f"the account moved by {plain(line.unexplained)} {line.asset} beyond our trades",
            )


def is_wiped(witnesses: Sequence[bool], lines: Iterable[AssetLine]) -> bool:
    """Whether the exchange has forgotten everything.

    `witnesses` tells of the oldest executed orders of this epoch, long past, whether the exchange still has each: it
    keeps what was executed for ever, so all are there, or it was wiped. Then the account has moved without us as well;
    where `lines` judge it and it has not, the exchange's memory is at fault and not its books.
    """
    if not witnesses or any(witnesses):
        return False
    judged = [line.unexplained for line in lines if line.unexplained is not None]
    return not judged or any(judged)
