"""Curves: a portfolio's value at every close, in one array operation per symbol between any number of trades."""

from collections.abc import Sequence

import numpy as np

from competition.core.backtest_past import Rows
from competition.core.backtest_result import POINTS_MAX, Curve
from competition.core.backtest_stage import Played, Stage
from market.core.candles import TIMEFRAME_S
from portfolio.core.book import Book
from portfolio.core.performance import ValueCurve

WEEK_MS = 7 * 86_400_000
BUCKETS_MS = (*sorted(seconds * 1000 for seconds in TIMEFRAME_S.values()), WEEK_MS)


def first_row(stage: Stage) -> int:
    """The row at which curves begin: that of the first decision, when nothing has been traded."""
    return int(stage.moments.rows[0])


def instants_of(stage: Stage) -> Rows:
    """The instants of a curve's values, milliseconds since 1970: the closes from the first decision on."""
    return stage.past.close_ms[first_row(stage) :]


def curve_of(played: Played, stage: Stage) -> ValueCurve:
    """Value in quote at the close of every row from the first decision on: exact holdings, prices in floats."""
    quote, capital = stage.rules.quote, stage.rules.capital
    traded = [turn for turn in played.turns if turn.record.orders]
    books = [Book({quote: capital}), *(turn.record.book_after for turn in traded)]
    begins = np.array([first_row(stage), *(turn.row + 1 for turn in traded), len(stage.past)])
    lengths = np.diff(begins)
    invested = np.zeros(len(stage.past) - begins[0])
    for name, columns in stage.past.market.items():
        base = stage.symbols[name].base
        held = np.array([book.float_of(base) for book in books])
        invested += np.repeat(held, lengths) * columns.closes[begins[0] :]
    cash = np.repeat([book.float_of(quote) for book in books], lengths)
    return ValueCurve(instants_of(stage), cash + invested, invested)


def held_curve(stage: Stage, names: Sequence[str]) -> ValueCurve:
    """The yardstick: the capital put into these symbols in equal parts at the first trade, at the same costs, and kept.

    In floats and without steps: a line to compare with, not an entry.
    """
    row, costs = first_row(stage), stage.rules.costs
    price_paid = (1 + float(costs.slippage_bps) / 10_000) * (1 + float(costs.fee_bps) / 10_000)
    capital = float(stage.rules.capital)
    values = np.zeros(len(stage.past) - row)
    for name in names:
        columns = stage.past.market[name]
        bought_at = (columns.opens if stage.fills_at_open else columns.closes)[row + 1]
        values += capital / len(names) / (bought_at * price_paid) * columns.closes[row:]
    values[0] = capital
    return ValueCurve(instants_of(stage), values)


def kept_curve(curve: ValueCurve, step_ms: int) -> Curve:
    """The curve thinned to at most `POINTS_MAX` points: the last value of every bucket, and the first and last of all.

    Buckets are the shortest of the candles there are that come out few enough: hours, days, weeks.
    """
    at_ms, values = curve.at_ms, curve.values
    for bucket_ms in (step_ms, *(bucket for bucket in BUCKETS_MS if bucket > step_ms)):
        ends = np.flatnonzero(np.diff((at_ms - 1) // bucket_ms, append=np.int64(2**62)))
        if len(ends) < POINTS_MAX:
            break
    chosen = ends if ends[0] == 0 else np.concatenate(([0], ends))
    return Curve(at_ms[chosen].tolist(), values[chosen].tolist())
