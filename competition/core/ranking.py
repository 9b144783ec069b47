"""From results to the board. Who did not decide often enough, or not long enough, is shown but not ranked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from competition.core.rules import Rules
from market.core.canonical import plain
from market.core.indicators import rounded
from portfolio.core.metrics import max_drawdown, total_return


@dataclass(frozen=True, slots=True)
class Result:
    """One entry so far. `values` are its valuations in quote, start capital first; `due`, `valid` count decisions."""

    entry: str
    values: tuple[Decimal, ...]
    traded: Decimal
    fees: Decimal
    ai_cost: Decimal
    due: int
    valid: int


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A row of the leaderboard. Ratios are fractions; `rank` is None with the reason in `unranked`."""

    entry: str
    rank: int | None
    unranked: str
    value: Decimal
    net_return: Decimal
    excess_return: Decimal | None
    max_drawdown: Decimal
    turnover: Decimal
    fees: Decimal
    ai_cost: Decimal
    coverage: Decimal
    due: int
    valid: int


def rank(results: Sequence[Result], rules: Rules) -> tuple[StandingRow, ...]:
    """The board: ranked rows by net return, equal returns sharing a rank; then the unranked ones, best first.

    Net return counts what the agent's model calls cost. Excess is over the season's benchmark entry, if it has one.
    """
    returns = {result.entry: net_return(result, rules.capital) for result in results}
    benchmark = returns.get(rules.benchmark)
    rows = [_row(result, returns[result.entry], benchmark, rules) for result in results]
    rows.sort(key=lambda row: (row.unranked != "", -row.net_return, row.entry))
    ranked = sorted((row.net_return for row in rows if not row.unranked), reverse=True)
    return tuple(row if row.unranked else _with_rank(row, ranked.index(row.net_return) + 1) for row in rows)


def net_return(result: Result, capital: Decimal) -> Decimal:
    """Return on the start capital after trading costs (in the value) and model costs, as a fraction."""
    return total_return(result.values[-1] - result.ai_cost, capital)


def coverage(due: int, valid: int) -> Decimal:
    """Valid decisions per due cycle; 1 before anything was due."""
    return rounded(Decimal(valid) / due) if due else Decimal(1)


def _row(result: Result, net: Decimal, benchmark: Decimal | None, rules: Rules) -> StandingRow:
    covered = coverage(result.due, result.valid)
    average = sum(result.values, Decimal(0)) / len(result.values)
    return StandingRow(
        entry=result.entry,
        rank=None,
        unranked=_why_unranked(result, rules),
        value=result.values[-1],
        net_return=net,
        excess_return=None if benchmark is None else net - benchmark,
        max_drawdown=max_drawdown(result.values),
        turnover=rounded(result.traded / average) if average else Decimal(0),
        fees=result.fees,
        ai_cost=result.ai_cost,
        coverage=covered,
        due=result.due,
        valid=result.valid,
    )


def _why_unranked(result: Result, rules: Rules) -> str:
    if result.due < rules.ranked_after_cycles:
        return f"ranked from week {rules.ranked_after_cycles} on"
    if result.valid < rules.ranked_coverage * result.due:
        gate = plain(rules.ranked_coverage * 100)
        return f"decided validly in {result.valid} of {result.due} weeks, below {gate}%"
    return ""


def _with_rank(row: StandingRow, number: int) -> StandingRow:
    return replace(row, rank=number)
