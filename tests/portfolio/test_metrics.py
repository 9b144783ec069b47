"""What a curve of valuations says about itself, against the formulas written out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.indicators import rounded
from portfolio.core.metrics import max_drawdown, total_return
from tests.notation import D, some

values = st.decimals("0.01", 10**9, places=2)
curves = st.lists(values, min_size=1, max_size=30)


def curve(text: str) -> list[Decimal]:
    return [Decimal(value) for value in text.split()]


@pytest.mark.parametrize(
    ("value", "capital", "expected"),
    [
        ("11000", "10000", "0.1"),
        ("10000", "10000", "0"),
        ("0", "10000", "-1"),
        ("10000.005", "10000", "0"),  # 0.0000005 lies between; half to even
        ("10000.015", "10000", "0.000002"),  # 0.0000015 as well
        ("1", "3", "-0.666667"),
    ],
)
def test_total_return_is_value_over_capital_less_one_in_six_places(value: str, capital: str, expected: str) -> None:
    assert total_return(D(value), D(capital)) == D(expected)


@pytest.mark.parametrize(
    ("text", "deepest"),
    [
        ("", "0"),
        ("100", "0"),
        ("100 110 120", "0"),
        ("100 50", "0.5"),
        ("100 90 120 60 110", "0.5"),  # 120 -> 60
        ("100 60 120 90", "0.4"),  # 100 -> 60 is deeper than 120 -> 90
        ("100 0", "1"),
        ("0 0 100 75", "0.25"),  # nothing can fall from nothing
        ("3 2", "0.333333"),
    ],
)
def test_drawdown_is_the_deepest_fall_from_an_earlier_high(text: str, deepest: str) -> None:
    assert max_drawdown(curve(text)) == D(deepest)


@some
@given(curves)
def test_drawdown_is_the_worst_of_all_pairs(values: list[Decimal]) -> None:
    pairs = [1 - later / earlier for n, earlier in enumerate(values) for later in values[n:]]
    assert max_drawdown(values) == rounded(max(pairs))


@some
@given(curves)
def test_drawdown_lies_between_nothing_and_everything(values: list[Decimal]) -> None:
    assert 0 <= max_drawdown(values) <= 1


@some
@given(curves, values)
def test_a_longer_record_never_has_a_smaller_drawdown(values: list[Decimal], later: Decimal) -> None:
    assert max_drawdown([*values, later]) >= max_drawdown(values)


@some
@given(curves)
def test_a_curve_that_only_rises_has_no_drawdown(values: list[Decimal]) -> None:
    assert max_drawdown(sorted(values)) == 0


@some
@given(curves, st.sampled_from([2, 10, 1000]))
def test_drawdown_does_not_depend_on_the_currency(values: list[Decimal], factor: int) -> None:
    assert max_drawdown([value * factor for value in values]) == max_drawdown(values)
