"""The figures of a backtest, against empyrical and against arithmetic written out; and what has no figure."""

import importlib
import json
import math
import warnings
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.candles import to_ms
from portfolio.core.orders import Side
from portfolio.core.performance import (
    DAY_MS,
    OBSERVATIONS_MIN,
    Drawdown,
    Performance,
    ValueCurve,
    daily_returns,
    drawdowns,
    monthly_returns,
    performance,
)
from portfolio.core.trips import Deal, SoldMoreThanHeld, trips_of
from tests.notation import D, at, some

START_MS = to_ms(at("2024-01-01 00:00"))
# Closes of BTCUSDT on 40 days from 2024-01-01 on, rounded to whole dollars: a rise, a fall of a fifth, a rise.
BITCOIN = [
    *(44180, 44947, 42845, 44151, 44145, 43968, 43929, 46951, 46110, 46654, 46339, 42783, 42848, 41732, 42511, 43138),
    *(42776, 41328, 41659, 41696, 41580, 39568, 39898, 40085, 39961, 41824, 42121, 42031, 43303, 42941, 42580, 43083),
    *(43200, 43011, 42583, 42709, 43099, 44350, 45289, 47133),
]


def curve(*values: float, step_ms: int = DAY_MS, invested: list[float] | None = None) -> ValueCurve:
    at_ms = START_MS + np.arange(len(values)) * step_ms
    return ValueCurve(at_ms, np.array(values, float), None if invested is None else np.array(invested, float))


def deals(text: str) -> list[Deal]:
    """`buy 2 BTC for 100 fee 1; sell ...`"""
    rows = (part.split() for part in text.split(";") if part.strip())
    return [Deal(f"{row[2]}USDT", Side(row[0]), D(row[1]), D(row[4]), D(row[6])) for row in rows]


# -- against empyrical ----------------------------------------------------------------------------------------------

moves = st.lists(st.floats(-0.2, 0.25), min_size=OBSERVATIONS_MIN, max_size=120)


@cache
def empyrical() -> Any:
    """Imported here: all of scipy comes with it, and every worker of a session collects this file."""
    with warnings.catch_warnings():  # it notes on import what is missing for data it could fetch
        warnings.simplefilter("ignore")
        return importlib.import_module("empyrical")


def theirs(returns: np.ndarray) -> dict[str, float]:
    judge, yearly = empyrical(), {"annualization": 365}
    return {
        "total_return": judge.cum_returns_final(returns),
        "annual_return": judge.annual_return(returns, **yearly),
        "volatility": judge.annual_volatility(returns, **yearly),
        "sharpe": judge.sharpe_ratio(returns, **yearly),
        "sortino": judge.sortino_ratio(returns, **yearly),
        "calmar": judge.calmar_ratio(returns, **yearly),
    }


def assert_agrees(values: np.ndarray) -> None:
    returns = values[1:] / values[:-1] - 1
    ours = performance(curve(*values))
    for name, figure in theirs(returns).items():
        mine = getattr(ours, name)
        if math.isfinite(figure) and mine is not None:
            assert mine == pytest.approx(figure, rel=1e-7, abs=1e-9), name
        else:  # where they divide by nothing
            assert mine is None, name
    depth = ours.max_drawdown.depth if ours.max_drawdown else 0.0
    assert depth == pytest.approx(-empyrical().max_drawdown(returns), abs=1e-9)


@some
@given(moves.filter(lambda changes: np.std(changes) > 1e-6))
def test_random_curves_have_the_figures_empyrical_gives_them(changes: list[float]) -> None:
    assert_agrees(10_000 * np.cumprod([1.0, *(1 + change for change in changes)]))


def test_bitcoin_has_the_figures_empyrical_gives_it() -> None:
    assert_agrees(np.array(BITCOIN, float))
    assert_agrees(np.array(BITCOIN[::-1], float))


# -- by arithmetic --------------------------------------------------------------------------------------------------


def test_a_year_is_365_days_by_the_calendar_however_dense_the_points() -> None:
    hourly = curve(*np.geomspace(100, 121, 2 * 365 * 24 + 1), step_ms=3_600_000)
    figures = performance(hourly)
    assert (figures.days, figures.observations) == (730, 730)
    assert figures.annual_return == pytest.approx(0.1)  # 1.21 = 1.1 ^ 2


def test_hourly_points_give_daily_returns_and_the_last_unfinished_day_is_not_one() -> None:
    assert daily_returns(curve(*range(100, 171), step_ms=3_600_000)).tolist() == pytest.approx([24 / 100, 24 / 124])


def test_a_gap_is_days_without_a_move_and_then_all_of_it() -> None:
    gap = ValueCurve(START_MS + np.array([0, 1, 4]) * DAY_MS, np.array([100.0, 110.0, 55.0]))
    assert daily_returns(gap).tolist() == pytest.approx([0.1, 0, 0, -0.5])


def test_the_deepest_falls_come_first_with_their_days() -> None:
    day = [START_MS + n * DAY_MS for n in range(8)]
    falls = drawdowns(curve(100, 90, 100, 120, 60, 90, 120, 108), 5)
    assert falls == [
        Drawdown(0.5, day[3], day[4], day[6]),
        Drawdown(pytest.approx(0.1), day[0], day[1], day[2]),
        Drawdown(pytest.approx(0.1), day[6], day[7], None),
    ]
    assert len(drawdowns(curve(100, 90, 100, 120, 60), 1)) == 1
    assert performance(curve(100, 90, 100, 120, 60)).max_drawdown == Drawdown(0.5, day[3], day[4], None)


def test_excess_is_over_the_return_of_each_benchmark() -> None:
    figures = performance(curve(100, 130), benchmarks={"btc-hold": curve(100, 120), "equal-weight": curve(50, 100)})
    assert figures.excess_returns == pytest.approx({"btc-hold": 0.1, "equal-weight": -0.7})


def test_exposure_counts_each_point_for_as_long_as_it_stands() -> None:
    at_ms = START_MS + np.array([0, 1, 4]) * DAY_MS
    half_then_all = ValueCurve(at_ms, np.array([100.0, 100, 100]), np.array([50.0, 100, 0]))
    assert performance(half_then_all).exposure == pytest.approx((0.5 * 1 + 1 * 3) / 4)
    assert performance(curve(100, 100)).exposure is None


def test_months_are_calendar_months_each_from_the_last_value_before_it() -> None:
    days = np.array([20, 30, 31, 59, 60])  # noons of 21 Jan, 31 Jan, 1 Feb, 29 Feb, 1 Mar
    values = np.array([100.0, 110, 121, 55, 55])
    assert monthly_returns(ValueCurve(START_MS + days * DAY_MS + DAY_MS // 2, values)) == pytest.approx(
        {"2024-01": 0.1, "2024-02": -0.5, "2024-03": 0}
    )


def test_the_close_at_midnight_is_the_last_value_of_the_month_that_ends() -> None:
    closes = np.array([0, 30, 31, 32, 60])  # midnights of 1 Jan, 31 Jan, 1 Feb, 2 Feb, 1 Mar
    values = np.array([100.0, 100, 150, 150, 75])
    assert monthly_returns(ValueCurve(START_MS + closes * DAY_MS, values)) == pytest.approx(
        {"2024-01": 0.5, "2024-02": -0.5}
    )


def test_what_was_won_and_lost_is_told_by_sales_at_average_cost_with_fees() -> None:
    # Bought 1 for 100 + 1 and 1 for 200 + 1: 151 each. Sold 1 for 180 - 2: won 27. Sold 1 for 150 - 2: lost 3.
    bought_and_sold = deals(
        "buy 1 BTC for 100 fee 1; buy 1 BTC for 200 fee 1; sell 1 BTC for 180 fee 2; buy 5 ETH for 10 fee 0;"
        "sell 1 BTC for 150 fee 2"
    )
    assert trips_of(bought_and_sold).profits == (27, -3)
    figures = performance(curve(1000, 1000), bought_and_sold)
    assert (figures.trades, figures.closed, figures.fees) == (5, 2, 6)
    assert (figures.win_rate, figures.average_win, figures.average_loss) == (0.5, 27, -3)
    assert figures.profit_factor == 9
    assert figures.turnover == pytest.approx(0.64)  # 640 changed hands, of 1000


def test_part_of_a_holding_takes_its_part_of_the_cost_along() -> None:
    assert trips_of(deals("buy 4 BTC for 400 fee 4; sell 1 BTC for 150 fee 0")).profits == (D(49),)


def test_more_sold_than_was_held_is_refused() -> None:
    with pytest.raises(SoldMoreThanHeld, match="2 of BTCUSDT sold, and 1 held"):
        trips_of(deals("buy 1 BTC for 1 fee 0; sell 2 BTC for 1 fee 0"))


@some
@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 9999), st.integers(0, 9)), min_size=1, max_size=20))
def test_when_all_is_sold_the_profits_are_what_came_in_less_what_went_out(rows: list[tuple[int, int, int]]) -> None:
    bought = [Deal("BTCUSDT", Side.BUY, Decimal(q), Decimal(amount), Decimal(fee)) for q, amount, fee in rows]
    sold = [Deal("BTCUSDT", Side.SELL, Decimal(q), Decimal(amount + 7), Decimal(fee)) for q, amount, fee in rows]
    flow = sum(7 - 2 * fee for _, _, fee in rows)
    assert sum(trips_of([*bought, *sold]).profits) == pytest.approx(Decimal(flow), abs=Decimal("1e-15"))


# -- what has no figure ---------------------------------------------------------------------------------------------


def nothing(figures: Performance, *but: str) -> None:
    """None of these, and the document can be kept as JSON."""
    named = {"annual_return", "volatility", "sharpe", "sortino", "calmar", "win_rate", "profit_factor", "turnover"}
    assert [name for name in sorted(named - set(but)) if getattr(figures, name) is not None] == []
    json.dumps(figures.document(), allow_nan=False)


def test_an_empty_curve_has_no_figures() -> None:
    figures = performance(curve())
    nothing(figures)
    assert (figures.days, figures.observations, figures.total_return, figures.max_drawdown) == (0, 0, None, None)
    assert monthly_returns(curve()) == {}


def test_one_point_has_a_return_of_nothing() -> None:
    figures = performance(curve(100), benchmarks={"btc-hold": curve(100)})
    nothing(figures, "turnover")
    assert (figures.total_return, figures.excess_returns, figures.turnover) == (0, {"btc-hold": 0}, 0)


def test_nothing_is_annualised_below_thirty_days() -> None:
    rising = [100 + n % 7 + n for n in range(OBSERVATIONS_MIN + 1)]
    nothing(performance(curve(*rising[:-1])), "turnover")
    enough = performance(curve(*rising))
    assert None not in (enough.annual_return, enough.volatility, enough.sharpe, enough.sortino, enough.calmar)


def test_a_constant_curve_has_no_risk_and_no_ratio_to_it() -> None:
    figures = performance(curve(*[100] * 60))
    nothing(figures, "annual_return", "volatility", "turnover")
    assert (figures.annual_return, figures.volatility, figures.max_drawdown) == (0, 0, None)


def test_a_curve_that_grows_by_the_same_every_day_has_no_ratio_either() -> None:
    figures = performance(curve(*(100 * 1.01**n for n in range(60))))
    assert (figures.volatility, figures.sharpe, figures.sortino, figures.calmar) == (0, None, None, None)


def test_a_total_loss_is_the_whole_loss_and_stays_it() -> None:
    figures = performance(curve(*[100, 120] * 20, *[0] * 10))
    nothing(figures, "annual_return", "volatility", "sharpe", "sortino", "calmar", "turnover")
    assert (figures.total_return, figures.annual_return, figures.calmar) == (-1, -1, -1)
    assert figures.max_drawdown == Drawdown(1.0, START_MS + 39 * DAY_MS, START_MS + 40 * DAY_MS, None)
    assert daily_returns(curve(100, 0, 0)).tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("instants", "values", "problem"),
    [
        ([0, 1], [1.0], "as many instants as values"),
        ([0, 1], [1.0, math.nan], "a value is a number"),
        ([0, 1], [1.0, -0.1], "not below zero"),
        ([0, 1], [0.0, 1.0], "something to lose"),
        ([1, 1], [1.0, 1.0], "rise"),
    ],
)
def test_what_is_no_curve_is_refused(instants: list[int], values: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ValueCurve(np.array(instants), np.array(values))
