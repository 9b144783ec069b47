"""A candle is known at its close and not one millisecond earlier."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.candles import TIMEFRAME_S, Series, empty_series, from_ms, to_ms

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HOUR_MS = 3_600_000


def hourly(open_ms: list[int]) -> Series:
    ones = (Decimal(1),) * len(open_ms)
    return Series("BTCUSDT", "1h", tuple(open_ms), ones, ones, ones, ones, ones)


def test_the_candle_that_opens_at_noon_is_known_at_one_and_not_a_millisecond_before() -> None:
    series = hourly([to_ms(NOON)])
    assert series.close_ms(0) == to_ms(NOON + timedelta(hours=1))
    assert series.last_closed(series.close_ms(0) - 1) == -1
    assert series.last_closed(series.close_ms(0)) == 0


def test_nothing_is_closed_in_an_empty_series() -> None:
    assert empty_series("BTCUSDT", "1h").last_closed(to_ms(NOON)) == -1
    assert len(empty_series("BTCUSDT", "1h")) == 0


@given(hours=st.sets(st.integers(0, 500), min_size=1), at_ms=st.integers(-HOUR_MS, 510 * HOUR_MS))
def test_the_last_closed_candle_is_closed_and_the_next_one_is_not(hours: set[int], at_ms: int) -> None:
    series = hourly([hour * HOUR_MS for hour in sorted(hours)])
    last = series.last_closed(at_ms)
    assert last == -1 or series.close_ms(last) <= at_ms
    assert last + 1 == len(series) or series.close_ms(last + 1) > at_ms


@pytest.mark.parametrize("timeframe", sorted(TIMEFRAME_S))
def test_a_day_is_a_whole_number_of_candles_of_each_timeframe(timeframe: str) -> None:
    assert 86_400 % TIMEFRAME_S[timeframe] == 0
    assert empty_series("BTCUSDT", timeframe).step_ms == TIMEFRAME_S[timeframe] * 1000


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_become_an_instant_and_back(milliseconds: int) -> None:
    assert to_ms(from_ms(milliseconds)) == milliseconds


def test_an_instant_is_cut_to_the_millisecond_and_never_moved_forward() -> None:
    assert to_ms(NOON + timedelta(microseconds=999)) == to_ms(NOON)


def test_the_time_zone_of_an_instant_does_not_change_its_milliseconds() -> None:
    assert to_ms(NOON.astimezone(timezone(timedelta(hours=9)))) == to_ms(NOON)


def test_an_instant_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        to_ms(NOON.replace(tzinfo=None))


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_from_its_milliseconds_in_any_century(at: datetime) -> None:
    assert from_ms(to_ms(at)) == at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert from_ms(to_ms(at)).tzinfo is UTC
