"""Several series on one axis of time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.core.columns import Columns, aligned
from tests.notation import HOUR_MS, some


def hours(*which: int) -> Columns:
    return Columns(np.array(which, dtype=np.int64) * HOUR_MS, *(np.array(which) + 100.0 * n for n in range(1, 6)))


def test_series_on_one_axis_are_handed_back_as_they_are() -> None:
    market = {"BTCUSDT": hours(1, 2, 3), "ETHUSDT": hours(1, 2, 3)}
    assert all(aligned(market)[name] is columns for name, columns in market.items())


def test_where_a_symbol_has_no_candle_of_its_own_it_has_no_numbers() -> None:
    market = aligned({"BTCUSDT": hours(1, 2, 4), "SOLUSDT": hours(2, 5)})
    assert market["BTCUSDT"].open_ms is market["SOLUSDT"].open_ms
    assert market["BTCUSDT"].open_ms.tolist() == [HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS, 5 * HOUR_MS]
    assert str(market["SOLUSDT"].opens.tolist()) == "[nan, 102.0, nan, 105.0]"
    assert str(market["BTCUSDT"].volumes.tolist()) == "[501.0, 502.0, 504.0, nan]"


def test_nothing_aligned_is_nothing() -> None:
    assert aligned({}) == {}
    assert len(aligned({"BTCUSDT": hours(), "ETHUSDT": hours(3)})["BTCUSDT"]) == 1


@some
@given(st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=4))
def test_no_candle_is_lost_or_made_up(which: list[set[int]]) -> None:
    market = {f"S{n}": hours(*sorted(hours_of)) for n, hours_of in enumerate(which)}
    on_one_axis = aligned(market)
    for name, columns in market.items():
        there = ~np.isnan(on_one_axis[name].closes)
        for placed, own in zip(on_one_axis[name].all(), columns.all(), strict=True):
            assert placed[there].tolist() == own.tolist()
