"""Two entries week by week: the difference, what it is worth saying, and how alike their books are."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.core.paired import WEEKS_MIN, overlap, paired


def curve(*values: float | None) -> list[Decimal | None]:
    return [None if value is None else Decimal(str(value)) for value in values]


def test_a_difference_is_of_returns_and_not_of_values() -> None:
    # +10 % against +5 %, then 0 against +20 %
    found = paired(curve(100, 110, 110), curve(200, 210, 252))
    assert (found.weeks, found.ahead) == (2, 1)
    assert found.mean == pytest.approx((0.05 - 0.20) / 2)


def test_a_few_weeks_have_no_interval_and_tell_nobody_apart() -> None:
    few = paired(curve(*(100 * 1.1**week for week in range(WEEKS_MIN))), curve(*[100] * WEEKS_MIN))
    assert (few.low, few.tells_apart) == (None, False)


def test_a_steady_lead_is_told_apart_and_a_shaky_one_is_not() -> None:
    steady = curve(*(100 * 1.02**week for week in range(30)))
    shaky = curve(*(100 + (-1) ** week for week in range(30)))
    flat = curve(*[100] * 30)
    assert paired(steady, flat).tells_apart
    assert not paired(shaky, flat).tells_apart


def test_a_week_without_a_value_is_left_out() -> None:
    assert paired(curve(100, None, 100, 110), curve(100, 100, 100, 100)).weeks == 1


def test_books_overlap_by_the_smaller_of_each_weight() -> None:
    half, third = {"BTC": Decimal("0.5"), "ETH": Decimal("0.5")}, {"BTC": Decimal("0.3"), "SOL": Decimal("0.7")}
    assert overlap(half, third) == overlap(third, half) == Decimal("0.3")
    assert overlap(half, half) == 1
    assert overlap(half, {}) == 0


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=40))
def test_the_other_way_round_is_the_same_difference_with_the_other_sign(pairs: list[tuple[int, int]]) -> None:
    ours, theirs = curve(*(pair[0] for pair in pairs)), curve(*(pair[1] for pair in pairs))
    one, other = paired(ours, theirs), paired(theirs, ours)
    assert one.mean == pytest.approx(-other.mean)
    assert one.tells_apart == other.tells_apart
