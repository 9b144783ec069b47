"""Replacing the future: the same past up to an instant, and after it candles that no market ever had.

Whoever decides by the past alone decides the same up to that instant, whatever comes after. So the first decision that
differs shows an agent, or an engine, that looked ahead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from competition.core.backtest_past import Past
from competition.core.backtest_stage import Played, Stage, Turn, Weights, Wishes
from market.core.canonical import canonical_json
from market.core.columns import Columns
from portfolio.core.book import journal_content

# What prices of a replaced future are multiplied by, in turn. Both are tried: whoever peeks at the next candle wants
# something else after at least one of them.
FALLS, RISES = (1e-6, 1e6, 3.0), (1e6, 1e-6, 0.3)
FUTURES = (FALLS, RISES)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that was not the same: what it was, at the candle in `row`."""

    what: str
    row: int


def with_absurd_future(past: Past, row: int, factors: Sequence[float]) -> Past:
    """The same candles up to and with `row`; those after it are multiplied by `factors`, over and over."""
    market = {name: _absurd(columns, row, factors) for name, columns in past.market.items()}
    return replace(past, market=market)


def _absurd(columns: Columns, row: int, repeated: Sequence[float]) -> Columns:
    factors = np.resize(repeated, len(columns) - row - 1)
    prices = [column.copy() for column in columns.all()[1:]]
    for column in prices:
        column[row + 1 :] = column[row + 1 :] * factors
        column.setflags(write=False)
    return Columns(columns.open_ms, *prices)  # type: ignore[arg-type]  # in their order


def until(stage: Stage, row: int) -> Stage:
    """The stage with only those moments at which the newest candle is the one in `row` or before."""
    known = stage.moments.rows <= row
    return replace(
        stage, moments=replace(stage.moments, rows=stage.moments.rows[known], at_ms=stage.moments.at_ms[known])
    )


def first_wish_apart(true: Wishes, replaced: Wishes, stage: Stage, row: int) -> Difference | None:
    """The first moment up to `row` at which something else was wanted; None if there is none."""
    rows = stage.moments.rows
    one, other = (_at_every_moment(wishes, len(rows)) for wishes in (true, replaced))
    same = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1) | (rows > row)
    return None if same.all() else Difference("decision", int(rows[int(np.argmin(same))]))


def _at_every_moment(wishes: Wishes, moments: int) -> Weights:
    """The wishes as weights at all moments, NaN where nothing was wanted."""
    weights = np.full((moments, wishes.weights.shape[1]), np.nan)
    weights[wishes.moments] = wishes.weights
    return weights


def first_turn_apart(true: Played, replaced: Played, row: int) -> Difference | None:
    """The first turn up to `row` that was shown, decided, ordered or posted otherwise; None if none was."""
    before, after = ([turn for turn in played.turns if turn.row <= row] for played in (true, replaced))
    for one, other in zip(before, after, strict=False):
        for what, mine, theirs in _facts(one, other, row):
            if mine != theirs:
                return Difference(what, min(one.row, other.row))
    if len(before) != len(after):
        longer = max(before, after, key=len)
        return Difference("decision", longer[min(len(before), len(after))].row)
    return None


def _facts(one: Turn, other: Turn, row: int) -> Iterator[tuple[str, object, object]]:
    yield "decision", one.row, other.row
    yield "brief", one.brief and one.brief.sha256, other.brief and other.brief.sha256
    yield "decision", one.verdict, other.verdict
    if one.row + 1 <= row:  # it was traded at a candle that is the same in both
        yield "order", one.record.executions, other.record.executions
        yield "posting", _postings(one), _postings(other)


def _postings(turn: Turn) -> str:
    return canonical_json([journal_content(journal) for journal in turn.record.journals])
