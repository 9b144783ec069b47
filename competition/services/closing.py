"""Closing a cycle: the board is computed from what is on record, written once, and never edited."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Q, Sum

from agents.models import Attempt, AttemptOutcome
from competition.core.ranking import Result, StandingRow, rank
from competition.core.states import CycleState
from competition.models import Cycle, Season, Standing, Turn
from competition.services.cycles import locked, move
from competition.services.spending import charge_lost
from portfolio.core.decisions import VALID_VERDICTS
from portfolio.models import Valuation

_VALID = sorted(kind.value for kind in VALID_VERDICTS)


@transaction.atomic
def close_cycle(cycle_id: int, now: datetime) -> bool:
    """Write the standings of a cycle whose turns are all terminal, and close it."""
    cycle = locked(cycle_id, CycleState.CLOSING)
    if cycle is None:
        return False
    charge_lost(list(Attempt.objects.filter(brief__turn__cycle=cycle, outcome=AttemptOutcome.PENDING)), now)
    board = rank(results_of(cycle.season, cycle.number), cycle.season.rule_book)
    Standing.objects.bulk_create(standing_rows(cycle, board))
    cycle.closed_at = now
    move(cycle, CycleState.CLOSED)
    return True


def results_of(season: Season, number: int) -> list[Result]:
    """Every entry's result up to and including cycle `number`, from its turns and valuations."""
    entries = list(season.entries.order_by("number"))
    values: defaultdict[int, list[Decimal]] = defaultdict(list)
    valuations = Valuation.objects.current().filter(portfolio__entry__season=season, cycle_number__lte=number)
    for portfolio_id, value in valuations.order_by("cycle_number").values_list("portfolio_id", "value"):
        values[portfolio_id].append(value)
    totals = {
        row["entry"]: row
        for row in Turn.objects.filter(cycle__season=season, cycle__number__lte=number)
        .values("entry")
        .annotate(traded=Sum("traded"), fees=Sum("fees"), due=Count("id"), valid=Count("id", Q(verdict__in=_VALID)))
        .order_by("entry")
    }
    costs = _ai_costs(season, number)
    return [
        Result(
            entry.slug,
            tuple(values[entry.portfolio_id]),
            totals[entry.id]["traded"] if entry.id in totals else Decimal(0),
            totals[entry.id]["fees"] if entry.id in totals else Decimal(0),
            costs.get(entry.id, Decimal(0)),
            totals[entry.id]["due"] if entry.id in totals else 0,
            totals[entry.id]["valid"] if entry.id in totals else 0,
        )
        for entry in entries
    ]


def _ai_costs(season: Season, number: int) -> dict[int, Decimal]:
    """What each entry's model calls cost so far, in USD, by entry id; failed attempts are paid for too."""
    rows = (
        Attempt.objects.filter(brief__turn__cycle__season=season, brief__turn__cycle__number__lte=number)
        .values_list("brief__turn__entry")
        .annotate(cost=Sum("cost_usd"))
        .order_by("brief__turn__entry")
    )
    return dict(rows)


def standing_rows(cycle: Cycle, board: tuple[StandingRow, ...]) -> list[Standing]:
    """The board as unsaved rows of this cycle, in order of display."""
    entries = {entry.slug: entry for entry in cycle.season.entries.all()}
    return [
        Standing(
            cycle=cycle,
            entry=entries[row.entry],
            position=position,
            rank=row.rank,
            unranked=row.unranked,
            value=row.value,
            net_return=row.net_return,
            excess_return=row.excess_return,
            max_drawdown=row.max_drawdown,
            turnover=row.turnover,
            fees=row.fees,
            ai_cost=row.ai_cost,
            coverage=row.coverage,
            due=row.due,
            valid=row.valid,
        )
        for position, row in enumerate(board, start=1)
    ]
