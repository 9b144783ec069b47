"""What the board over its last weeks is made of, read from turns, valuations and the standings of then."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet, Subquery, Sum

from competition.core.ranking import StandingRow
from competition.core.rules import Rules
from competition.core.windows import Stretch, over_stretch, without_ai_cost
from competition.models import Cycle, Standing, Turn
from competition.pages.columns import Wish
from competition.pages.curves import joined
from competition.pages.names import Contestant
from portfolio.models import Valuation
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared


class _Before(NamedTuple):
    """What had added up for an entry when the stretch began."""

    fees: Decimal = Decimal(0)
    ai_cost: Decimal = Decimal(0)
    due: int = 0
    valid: int = 0


def _then() -> QuerySet[Standing, tuple[Any, ...]]:
    """The board of the last closed week up to `begin`, and which week that is."""
    earlier = Cycle.objects.closed().filter(season=Given("season"), number__lte=Given("begin")).order_by("-number")
    boards = Standing.objects.current().filter(
        cycle__season=Given("season"), cycle__number=Subquery(earlier.values("number")[:1])
    )
    return boards.values_list("entry_id", "cycle__number", *_Before._fields)


def _worth() -> QuerySet[Valuation, tuple[Any, ...]]:
    """The values of each portfolio from `first` to `last`, as one text."""
    weeks = Valuation.objects.current().filter(
        OneOf("portfolio", Given("portfolios")), cycle_number__range=(Given("first"), Given("last"))
    )
    worth = weeks.values("portfolio_id").annotate(worth=joined("value", "cycle_number"))
    return worth.order_by().values_list("portfolio_id", "worth")


def _traded() -> QuerySet[Turn, tuple[Any, ...]]:
    turns = Turn.objects.filter(cycle__season=Given("season"), cycle__number__range=(Given("first"), Given("last")))
    return turns.values_list("entry").annotate(traded=Sum("traded")).order_by()


_THEN, _WORTH, _TRADED = Prepared(_then), Prepared(_worth), Prepared(_traded)


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
    season = {"season": closed.season_id}
    rows = _THEN.rows(**season, begin=begin)
    then = {entry_id: _Before(*before) for entry_id, _, *before in rows}
    first = rows[0][1] if rows else 0
    portfolios = [entry.portfolio_id for entry in entries]
    texts = dict(_WORTH.rows(portfolios=portfolios, first=first, last=closed.number))
    traded = dict(_TRADED.rows(**season, first=first + 1, last=closed.number))
    return {
        entry.slug: Stretch(
            tuple(map(Decimal, texts[entry.portfolio_id].split())),
            traded.get(entry.id, Decimal(0)),
            *then.get(entry.id, _Before()),
        )
        for entry in entries
        if entry.portfolio_id in texts
    }
