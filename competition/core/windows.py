"""The board looked at in another way: over its last weeks only, or without what models cost.

The season's own ranks are by net return from its start. These views order the same entries by another figure and
change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from competition.core.ranking import StandingRow, coverage
from market.core.indicators import rounded
from portfolio.core.metrics import max_drawdown, total_return

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One entry over some last weeks: what had added up when they began, and what came in them.

    `values` are valuations in quote, that of the beginning first; `traded` is the quote amount traded since.
    """

    values: tuple[Decimal, ...]
    traded: Decimal
    fees_before: Decimal
    ai_cost_before: Decimal
    due_before: int
    valid_before: int


def without_ai_cost(board: Sequence[StandingRow], capital: Decimal, benchmark: str) -> tuple[StandingRow, ...]:
    """The board by return before the cost of models: `value / capital - 1`."""
    return _ranked_anew([replace(row, net_return=total_return(row.value, capital)) for row in board], benchmark)


def over_stretch(
    board: Sequence[StandingRow], stretches: Mapping[str, Stretch], benchmark: str, *, gross: bool
) -> tuple[StandingRow, ...]:
    """The board with every figure of the stretch alone. An entry without one keeps what it has.

    The return is `(value - cost) / (value then - cost then) - 1` with all costs of models so far, or `value / value
    then - 1` when `gross`.
    """
    rows = [_over(row, stretches[row.entry], gross) if row.entry in stretches else row for row in board]
    return _ranked_anew(rows, benchmark)


def _over(row: StandingRow, stretch: Stretch, gross: bool) -> StandingRow:
    then, average = stretch.values[0], sum(stretch.values, ZERO) / len(stretch.values)
    cost, cost_then = (ZERO, ZERO) if gross else (row.ai_cost, stretch.ai_cost_before)
    due, valid = row.due - stretch.due_before, row.valid - stretch.valid_before
    worth_then = then - cost_then
    return replace(
        row,
        net_return=total_return(row.value - cost, worth_then) if worth_then > 0 else Decimal(-1),
        max_drawdown=max_drawdown(stretch.values),
        turnover=rounded(stretch.traded / average) if average else ZERO,
        fees=row.fees - stretch.fees_before,
        ai_cost=row.ai_cost - stretch.ai_cost_before,
        due=due,
        valid=valid,
        coverage=coverage(due, valid),
    )


def _ranked_anew(rows: Sequence[StandingRow], benchmark: str) -> tuple[StandingRow, ...]:
    """By return, equal returns sharing a place; whoever the season does not rank stays unranked, behind the others."""
    base = next((row.net_return for row in rows if row.entry == benchmark), None)
    ordered = sorted(rows, key=lambda row: (row.rank is None, -row.net_return, row.entry))
    places: dict[Decimal, int] = {}
    for place, row in enumerate(ordered, 1):
        places.setdefault(row.net_return, place)  # the ranked come first, so theirs is the place of a return
    return tuple(
        replace(
            row,
            rank=None if row.rank is None else places[row.net_return],
            excess_return=None if base is None else row.net_return - base,
        )
        for row in ordered
    )
