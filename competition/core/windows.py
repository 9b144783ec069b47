"""The board looked at in another way: over its last weeks only, or without what models cost.

The season's own ranks are by net return from its start. These views order the same entries by another figure and
change nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

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


class _Place(NamedTuple):
    """Where a return puts an entry."""

    rank: int | None
    net_return: Decimal
    excess_return: Decimal | None


def without_ai_cost(board: Sequence[StandingRow], capital: Decimal, benchmark: str) -> tuple[StandingRow, ...]:
    """The board by return before the cost of models: `value / capital - 1`."""
    returns = {row.entry: total_return(row.value, capital) for row in board}
    return tuple(replace(row, **place._asdict()) for row, place in _placed(board, returns, benchmark))


def over_stretch(
    board: Sequence[StandingRow], stretches: Mapping[str, Stretch], benchmark: str, *, gross: bool
) -> tuple[StandingRow, ...]:
    """The board with every figure of the stretch alone. An entry without one keeps what it has.

    The return is `(value - cost) / (value then - cost then) - 1` with all costs of models so far, or `value / value
    then - 1` when `gross`.
    """
    returns = {
        row.entry: _return_over(row, stretches[row.entry], gross) if row.entry in stretches else row.net_return
        for row in board
    }
    return tuple(
        _over(row, stretches[row.entry], place)
        if row.entry in stretches
        else replace(row, rank=place.rank, excess_return=place.excess_return)
        for row, place in _placed(board, returns, benchmark)
    )


def _return_over(row: StandingRow, stretch: Stretch, gross: bool) -> Decimal:
    cost, cost_then = (ZERO, ZERO) if gross else (row.ai_cost, stretch.ai_cost_before)
    worth_then = stretch.values[0] - cost_then
    return total_return(row.value - cost, worth_then) if worth_then > 0 else Decimal(-1)


def _over(row: StandingRow, stretch: Stretch, place: _Place) -> StandingRow:
    average = sum(stretch.values, ZERO) / len(stretch.values)
    due, valid = row.due - stretch.due_before, row.valid - stretch.valid_before
    return StandingRow(
        entry=row.entry,
        rank=place.rank,
        unranked=row.unranked,
        value=row.value,
        net_return=place.net_return,
        excess_return=place.excess_return,
        max_drawdown=max_drawdown(stretch.values),
        turnover=rounded(stretch.traded / average) if average else ZERO,
        fees=row.fees - stretch.fees_before,
        ai_cost=row.ai_cost - stretch.ai_cost_before,
        coverage=coverage(due, valid),
        due=due,
        valid=valid,
    )


def _placed(
    board: Sequence[StandingRow], returns: Mapping[str, Decimal], benchmark: str
) -> Iterator[tuple[StandingRow, _Place]]:
    """By return, equal returns sharing a place; whoever the season does not rank stays unranked, behind the others."""
    base = returns.get(benchmark)
    ordered = sorted(board, key=lambda row: (row.rank is None, -returns[row.entry], row.entry))
    places: dict[Decimal, int] = {}
    for place, row in enumerate(ordered, 1):
        places.setdefault(returns[row.entry], place)  # the ranked come first, so theirs is the place of a return
    for row in ordered:
        own = returns[row.entry]
        yield row, _Place(None if row.rank is None else places[own], own, None if base is None else own - base)
