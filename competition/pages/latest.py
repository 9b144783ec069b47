"""The newest closed cycle in words: what each entry did, and the reason it gave."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from competition.models import Cycle, Turn
from competition.pages.figures import Moment, moment
from competition.pages.names import EntryName, name_of
from competition.pages.words import DEED_COLUMNS, Deed, Traded, deed_of
from portfolio.models import Fill
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared

DEEDS_MAX = 24  # a board in words, not a second list of everybody
_TOLD = (
    *DEED_COLUMNS,
    *("entry__slug", "entry__portfolio", "entry__agent__name", "entry__agent__kind", "entry__agent__model"),
)
_TRADED = Prepared(
    lambda: (
        Fill.objects.filter(OneOf("order__portfolio", Given("portfolios")), order__cycle_number=Given("cycle"))
        .values_list("order__portfolio_id", "order__side", "symbol")
        .annotate(amount=Sum("quote_amount"))
        .order_by()
    )
)


@dataclass(frozen=True, slots=True)
class EntryDeed:
    entry: EntryName
    deed: Deed


@dataclass(frozen=True, slots=True)
class Latest:
    """The first deeds of a cycle; `more` is how many other entries there are."""

    number: int
    at: Moment
    deeds: tuple[EntryDeed, ...]
    more: int


def latest_of(cycle: Cycle, quote: str, entries_count: int) -> Latest:
    """What the first `DEEDS_MAX` did in `cycle`, by number of the entry: two queries."""
    deeds = deeds_in(cycle, quote, 0, DEEDS_MAX)
    more = max(0, entries_count - DEEDS_MAX)
    return Latest(cycle.number, moment(cycle.closed_at or cycle.deadline_at), deeds, more)


def deeds_in(cycle: Cycle, quote: str, first: int, most: int) -> tuple[EntryDeed, ...]:
    """What was done in a cycle, by number of the entry, `most` behind the first `first`: two queries."""
    rows = Turn.objects.filter(cycle=cycle).select_related("entry__agent").only(*_TOLD).order_by("entry__number")
    turns = list(rows[first : first + most])
    traded = traded_by_portfolio([turn.entry.portfolio_id for turn in turns], cycle.number)
    return tuple(
        EntryDeed(name_of(turn.entry), deed_of(turn, traded.get(turn.entry.portfolio_id, {}), quote)) for turn in turns
    )


def traded_by_portfolio(portfolio_ids: Sequence[int], cycle_number: int) -> dict[int, Traded]:
    """Amount in quote that each portfolio's fills moved in one cycle, by side and symbol: one query."""
    traded: defaultdict[int, dict[tuple[str, str], Decimal]] = defaultdict(dict)
    for portfolio_id, side, symbol, amount in _TRADED.rows(portfolios=list(portfolio_ids), cycle=cycle_number):
        traded[portfolio_id][side, symbol] = amount
    return dict(traded)
