"""Reads of the ledger. A balance is the fold of postings, computed where they are kept."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from portfolio.core.book import Account, Book, Journal, JournalKind, Posting
from portfolio.models import Journal as JournalRow
from portfolio.models import Portfolio
from portfolio.models import Posting as PostingRow
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared

_BALANCES = Prepared(
    lambda: (
        PostingRow.objects.filter(OneOf("portfolio", Given("portfolios")), account=Account.ENTRY.value)
        .values_list("portfolio_id", "asset")
        .annotate(total=Sum("amount"))
        .order_by("portfolio_id", "asset")
    )
)

_JOURNALS = Prepared(
    lambda: (
        JournalRow.objects.filter(portfolio=Given("portfolio"))
        .order_by("sequence")
        .values_list("id", "key", "kind", "at", "reason")
    )
)
_POSTINGS = Prepared(
    lambda: (
        PostingRow.objects.filter(portfolio=Given("portfolio"))
        .order_by("journal", "position")
        .values_list("journal", "account", "asset", "amount")
    )
)


def books_of(portfolio_ids: Sequence[int]) -> dict[int, Book]:
    """The book of each portfolio, by id: one query for all."""
    balances: dict[int, dict[str, Decimal]] = {portfolio_id: {} for portfolio_id in portfolio_ids}
    for portfolio_id, asset, total in _BALANCES.rows(portfolios=list(portfolio_ids)):
        if total:
            balances[portfolio_id][asset] = total
    return {portfolio_id: Book(amounts) for portfolio_id, amounts in balances.items()}


def book_and_rest(portfolio_id: int, among: QuerySet[Portfolio]) -> tuple[Book, Book]:
    """What one portfolio holds, and what the others `among` these hold together: one query."""
    rows = PostingRow.objects.filter(portfolio__in=among, account=Account.ENTRY.value).values_list("asset")
    own = Sum("amount", filter=Q(portfolio=portfolio_id), default=Decimal(0))
    sums = list(rows.annotate(own=own, all=Sum("amount")).order_by("asset"))
    return (
        Book({asset: held for asset, held, _ in sums if held}),
        Book({asset: total - held for asset, held, total in sums if total != held}),
    )


def book_of(portfolio_id: int) -> Book:
    """What one portfolio holds."""
    return books_of([portfolio_id])[portfolio_id]


def journals_of(portfolio_id: int) -> list[Journal]:
    """All journals of a portfolio in order, as the values the core works with."""
    by_journal: defaultdict[int, list[Posting]] = defaultdict(list)
    for journal_id, account, asset, amount in _POSTINGS.rows(portfolio=portfolio_id):
        by_journal[journal_id].append(Posting(Account(account), asset, amount))
    return [
        Journal(key, JournalKind(kind), at, tuple(by_journal[journal_id]), reason)
        for journal_id, key, kind, at, reason in _JOURNALS.rows(portfolio=portfolio_id)
    ]


def postings_of(portfolio_id: int, key: str) -> list[Posting]:
    """What a portfolio's journal of this key moves; empty when there is none."""
    rows = PostingRow.objects.filter(portfolio=portfolio_id, journal__key=key).order_by("position")
    return [Posting(Account(row.account), row.asset, row.amount) for row in rows]
