"""Where the planner can only order nothing: found for thousands of wishes at once, in floats, and never by a hair.

This decides nothing. It names the next wish at which an order is possible, and that one goes through the engine. A wish
that is anywhere near an order is named, too, so that passing over the others changes no posting.
"""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from competition.core.backtest_stage import Stage, Wishes
from portfolio.core.book import Book

FIRST_LOOK, LOOK_MAX = 64, 16_384
_HAIR = 1e-6  # far above what floats round off, far below any band


def next_that_may_trade(stage: Stage, wishes: Wishes, wish: int, book: Book) -> int:
    """The first of the wishes from `wish` on at which this book may be traded; their number when there is none."""
    length = FIRST_LOOK
    while wish < len(wishes.moments):
        some = slice(wish, wish + length)
        possible = np.flatnonzero(_may_trade(stage, wishes, some, book))
        if len(possible):
            return wish + int(possible[0])
        wish += length
        length = min(length * 4, LOOK_MAX)
    return len(wishes.moments)


def _may_trade(stage: Stage, wishes: Wishes, some: slice, book: Book) -> NDArray[np.bool_]:
    """Whether an order is possible at each of these wishes, were the book the same at all of them."""
    rows = stage.moments.rows[wishes.moments[some]] + 1
    weights = wishes.weights[some]
    columns = stage.past.market.items()
    prices = np.column_stack([(c.opens if stage.fills_at_open else c.closes)[rows] for _, c in columns])
    held = np.array([book.float_of(stage.symbols[name].base) for name in stage.past.market]) * prices
    value = held.sum(axis=1) + book.float_of(stage.rules.quote)
    steps = np.array([float(stage.symbols[name].step) for name in stage.past.market]) * prices
    smallest = np.array([float(stage.symbols[name].min_notional) for name in stage.past.market])
    apart = np.abs(weights * value[:, None] - held) + steps
    # Up to the band nothing is ordered; but what is to be left altogether is sold down to the smallest order.
    enough = np.where(weights == 0, smallest, np.maximum(smallest, float(stage.rules.drift_band) * value[:, None]))
    orders = (apart >= enough * (1 - _HAIR)).any(axis=1)
    # What breaks a rule orders nothing either, but is for the engine to refuse.
    plain = ((weights >= 0) & (weights <= 1)).all(axis=1) & (weights.sum(axis=1) <= 1)
    limits = stage.rules.limits
    free = (limits.max_weight, limits.min_cash, limits.max_turnover) == (Decimal(1), Decimal(0), Decimal(1))
    return orders | ~plain | (not free)
