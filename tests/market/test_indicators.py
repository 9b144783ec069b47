"""Changes and volatility of daily closes, exact to the sixth place."""

import statistics
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.indicators import change, rounded, volatility

closes = st.lists(st.decimals("0.01", "100000", places=2), min_size=3, max_size=40)


def prices(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def test_a_change_is_the_fraction_gained_or_lost() -> None:
    assert change(prices("100", "80", "110"), 2) == Decimal("0.1")
    assert change(prices("100", "80", "60"), 1) == Decimal("-0.25")


def test_only_the_last_periods_count() -> None:
    assert change(prices("1", "999", "100", "150"), 1) == Decimal("0.5")
    assert volatility(prices("1", "999", "100", "100", "100"), 2) == 0


@pytest.mark.parametrize("periods", [3, 4, 28])
def test_a_series_too_short_has_no_change_and_no_volatility(periods: int) -> None:
    assert change(prices("1", "2", "3"), periods) is None
    assert volatility(prices("1", "2", "3"), periods) is None


def test_one_return_has_no_deviation() -> None:
    assert volatility(prices("1", "2", "3"), 1) is None


def test_volatility_is_the_annual_deviation_of_daily_returns() -> None:
    # returns 0.1 and -0.1: mean 0, variance (0.01 + 0.01) / 1 = 0.02, times 365 = 7.3, root 2.701851
    assert volatility(prices("100", "110", "99"), 2) == Decimal("2.701851")


@given(closes)
def test_volatility_agrees_with_the_sample_deviation_of_the_standard_library(series: list[Decimal]) -> None:
    returns = [after / before - 1 for before, after in pairwise(series)]
    expected = statistics.stdev(map(float, returns)) * 365**0.5
    found = volatility(series, len(series) - 1)
    assert found is not None
    assert float(found) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(closes, st.decimals("0.5", "2", places=1))
def test_the_unit_of_the_price_does_not_matter(series: list[Decimal], unit: Decimal) -> None:
    scaled = [close * unit for close in series]
    assert change(scaled, 2) == change(series, 2)
    assert volatility(scaled, 2) == volatility(series, 2)


def test_ratios_are_rounded_half_to_even_at_six_places() -> None:
    assert rounded(Decimal("0.0000005")) == 0
    assert rounded(Decimal("0.0000015")) == Decimal("0.000002")
