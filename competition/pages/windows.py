"""What the board over its last weeks is made of, read from turns, valuations and the standings of then."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Subquery, Sum

from competition.core.ranking import StandingRow
from competition.core.rules import Rules
from competition.core.windows import Stretch, over_stretch, without_ai_cost
from competition.models import Cycle, Standing, Turn
from competition.pages.columns import Wish
from competition.pages.curves import joined
from competition.pages.names import Contestant
from portfolio.models import Valuation
from portfolio.one_of import OneOf


class _Before(NamedTuple):
    """What had added up for an entry when the stretch began."""

    fees: Decimal = Decimal(0)
    ai_cost: Decimal = Decimal(0)
    due: int = 0
    valid: int = 0


def seen_as_wished(
    board: Sequence[StandingRow], entries: Sequence[Contestant], closed: Cycle | None, wish: Wish, rules: Rules
) -> tuple[StandingRow, ...]:
    """The board as the season ranks it, or as the address asks for it: no query, or three for the last weeks alone."""
    if closed and wish.weeks and closed.number > wish.weeks:
        stretches = _stretches(entries, closed, closed.number - wish.weeks)
        return over_stretch(board, stretches, rules.benchmark, gross=wish.gross)
    return without_ai_cost(board, rules.capital, rules.benchmark) if wish.gross else tuple(board)


def _stretches(entries: Sequence[Contestant], closed: Cycle, begin: int) -> dict[str, Stretch]:
    """By slug, from after week `begin` to `closed`; from the week before it that closed if it did not."""
    season = {"cycle__season": closed.season_id}
    earlier = Cycle.objects.closed().filter(season=closed.season_id, number__lte=begin).order_by("-number")
    boards = Standing.objects.current().filter(**season, cycle__number=Subquery(earlier.values("number")[:1]))
    rows = list(boards.values_list("entry_id", "cycle__number", *_Before._fields))
    then = {entry_id: _Before(*before) for entry_id, _, *before in rows}
    first = rows[0][1] if rows else 0
    weeks = Valuation.objects.current().filter(
        OneOf("portfolio", [entry.portfolio_id for entry in entries]), cycle_number__range=(first, closed.number)
    )
    worth = weeks.values("portfolio_id").annotate(worth=joined("value", "cycle_number"))
    texts = dict(worth.order_by().values_list("portfolio_id", "worth"))
    turns = Turn.objects.filter(**season, cycle__number__range=(first + 1, closed.number))
    traded = dict(turns.values_list("entry").annotate(traded=Sum("traded")).order_by())
    return {
        entry.slug: Stretch(
            tuple(map(Decimal, texts[entry.portfolio_id].split())),
            traded.get(entry.id, Decimal(0)),
            *then.get(entry.id, _Before()),
        )
        for entry in entries
        if entry.portfolio_id in texts
    }
