"""The newest closed cycle in words: what each entry did, and the reason it gave."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from competition.models import Cycle, Entry, Turn
from competition.pages.figures import Moment, moment
from competition.pages.names import EntryName, name_of
from competition.pages.words import Deed, Traded, deed_of
from portfolio.models import Fill


@dataclass(frozen=True, slots=True)
class EntryDeed:
    entry: EntryName
    deed: Deed


@dataclass(frozen=True, slots=True)
class Latest:
    number: int
    at: Moment
    deeds: tuple[EntryDeed, ...]


def latest_of(cycle: Cycle, entries: Sequence[Entry], names: Mapping[str, EntryName], quote: str) -> Latest:
    """What everybody did in `cycle`, by number of the entry: two queries."""
    turns = {turn.entry_id: turn for turn in Turn.objects.filter(cycle=cycle)}
    traded = traded_by_portfolio([entry.portfolio_id for entry in entries], cycle.number)
    deeds = (
        EntryDeed(names[entry.slug], deed_of(turns[entry.id], traded.get(entry.portfolio_id, {}), quote))
        for entry in entries
        if entry.id in turns
    )
    return Latest(cycle.number, moment(cycle.closed_at or cycle.deadline_at), tuple(deeds))


def deeds_in(cycle: Cycle, quote: str, first: int, most: int) -> tuple[EntryDeed, ...]:
    """What was done in a cycle, by number of the entry, `most` behind the first `first`: two queries."""
    rows = Turn.objects.filter(cycle=cycle).select_related("entry__agent").order_by("entry__number")
    turns = list(rows[first : first + most])
    traded = traded_by_portfolio([turn.entry.portfolio_id for turn in turns], cycle.number)
    return tuple(
        EntryDeed(name_of(turn.entry), deed_of(turn, traded.get(turn.entry.portfolio_id, {}), quote)) for turn in turns
    )


def traded_by_portfolio(portfolio_ids: Sequence[int], cycle_number: int) -> dict[int, Traded]:
    """Amount in quote that each portfolio's fills moved in one cycle, by side and symbol: one query."""
    rows = (
        Fill.objects.filter(order__portfolio__in=portfolio_ids, order__cycle_number=cycle_number)
        .values_list("order__portfolio_id", "order__side", "symbol")
        .annotate(amount=Sum("quote_amount"))
        .order_by()
    )
    traded: defaultdict[int, dict[tuple[str, str], Decimal]] = defaultdict(dict)
    for portfolio_id, side, symbol, amount in rows:
        traded[portfolio_id][side, symbol] = amount
    return dict(traded)
