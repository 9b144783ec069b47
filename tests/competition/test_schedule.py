"""When things are due: every week is 604,800 seconds long, whatever clocks, calendars and leap days do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.core.schedule import (
    asking_ends,
    boundary,
    effective,
    last_due,
    market_time,
    too_late_to_open,
    trading_ends,
)
from tests.notation import MONDAY, at, rules, some

SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)
WEEK = timedelta(days=7)

starts = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
lengths = st.integers(8000, 10**7)
paces = st.integers(1, 10_000)  # seconds of the market per second of the wall clock


@pytest.mark.parametrize(
    ("starts_at", "second"),
    [
        ("2024-03-25 00:00", "2024-04-01 00:00"),  # Europe goes to summer time between
        ("2024-10-21 12:00", "2024-10-28 12:00"),  # and back
        ("2024-02-26 00:00", "2024-03-04 00:00"),  # a leap year
        ("2023-02-27 00:00", "2023-03-06 00:00"),  # none
        ("2024-12-30 00:00", "2025-01-06 00:00"),  # the turn of a year
    ],
)
def test_a_week_later_is_the_same_hour_in_utc(starts_at: str, second: str) -> None:
    season = rules(starts_at=at(starts_at))
    assert boundary(season, 1) == at(starts_at)
    assert boundary(season, 2) == at(second)


@pytest.mark.parametrize("starts_at", [datetime(2024, 3, 25), datetime(2024, 10, 21)])  # noqa: DTZ001
def test_a_season_that_starts_in_a_time_zone_has_weeks_of_seven_days_too(starts_at: datetime) -> None:
    season = rules(starts_at=starts_at.replace(tzinfo=ZoneInfo("Europe/Berlin")))
    assert boundary(season, 2).astimezone(UTC) - boundary(season, 1).astimezone(UTC) == WEEK


@pytest.mark.parametrize(
    ("now", "number"),
    [
        (MONDAY - 10 * WEEK, 0),
        (MONDAY - MICRO, 0),
        (MONDAY, 1),
        (MONDAY + WEEK - MICRO, 1),
        (MONDAY + WEEK, 2),
        (MONDAY + 3 * WEEK - MICRO, 3),
        (MONDAY + 3 * WEEK, 4),
        (MONDAY + 4 * WEEK, 4),  # four cycles are all there are
        (MONDAY + 400 * WEEK, 4),
    ],
)
def test_a_cycle_is_due_from_its_boundary_on(now: datetime, number: int) -> None:
    assert last_due(rules(cycles=4), now) == number


@some
@given(starts, lengths, st.integers(1, 500), st.timedeltas(timedelta(days=-900), timedelta(days=900)))
def test_the_newest_due_cycle_began_and_the_next_did_not(
    starts_at: datetime, cycle_s: int, cycles: int, passed: timedelta
) -> None:
    season = rules(starts_at=starts_at, cycle_s=cycle_s, market_cycle_s=cycle_s, late_s=60, cycles=cycles)
    now = starts_at + passed
    due = last_due(season, now)
    assert 0 <= due <= cycles
    assert due == 0 or boundary(season, due) <= now
    assert due == cycles or now < boundary(season, due + 1)


@some
@given(starts, lengths, st.integers(1, 9999))
def test_boundaries_are_equally_far_apart_and_due_at_once(starts_at: datetime, cycle_s: int, number: int) -> None:
    season = rules(starts_at=starts_at, cycle_s=cycle_s, market_cycle_s=cycle_s, late_s=60, cycles=10_000)
    assert boundary(season, number + 1) - boundary(season, number) == timedelta(seconds=cycle_s)
    assert last_due(season, boundary(season, number)) == number
    assert last_due(season, boundary(season, number) - MICRO) == number - 1


def test_at_an_even_pace_market_time_is_wall_time() -> None:
    season = rules()
    assert market_time(season, MONDAY + timedelta(days=3, seconds=7)) == MONDAY + timedelta(days=3, seconds=7)
    elsewhere = rules(market_starts_at=at("2021-01-04 00:00"))
    assert market_time(elsewhere, MONDAY + 2 * WEEK) == at("2021-01-18 00:00")


MINUTE = {"ask_s": 12, "attempt_s": 6, "on_time_s": 3, "late_s": 20, "trade_window_s": 20, "turn_lease_s": 5}


def test_at_a_fast_pace_a_minute_is_a_week() -> None:
    fast = rules(cycle_s=60, **MINUTE)
    assert market_time(fast, MONDAY + timedelta(minutes=3)) == MONDAY + 3 * WEEK
    # 12 s of 60 s are a fifth of 168 hours: 33 h 36 min
    assert market_time(fast, asking_ends(fast, MONDAY)) == MONDAY + timedelta(hours=33, minutes=36)


def test_market_time_is_cut_to_the_millisecond_before_the_start_too() -> None:
    season = rules()
    assert market_time(season, MONDAY + timedelta(microseconds=1999)) == MONDAY + timedelta(milliseconds=1)
    assert market_time(season, MONDAY - MICRO) == MONDAY - timedelta(milliseconds=1)


@some
@given(lengths, paces, st.integers(1, 500), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_market_time_keeps_the_pace_and_never_goes_back(
    cycle_s: int, pace: int, number: int, passed: timedelta
) -> None:
    market_cycle_s = min(cycle_s * pace, 366 * 86_400)
    season = rules(cycle_s=cycle_s, market_cycle_s=market_cycle_s, late_s=60, cycles=1000)
    due = boundary(season, number)
    assert market_time(season, due) == MONDAY + timedelta(seconds=market_cycle_s) * (number - 1)
    assert market_time(season, MONDAY + passed) <= market_time(season, MONDAY + passed + SECOND)


@pytest.mark.parametrize(
    ("late_by", "dated_back"),
    [(-SECOND, True), (0 * SECOND, True), (120 * SECOND, True), (120 * SECOND + MICRO, False), (WEEK, False)],
)
def test_who_is_late_takes_the_present_and_never_an_older_price(late_by: timedelta, dated_back: bool) -> None:
    now = MONDAY + late_by
    assert effective(MONDAY, now, 120) == (MONDAY if dated_back else now)


def test_without_tolerance_only_the_planned_instant_is_on_time() -> None:
    assert effective(MONDAY, MONDAY, 0) == MONDAY
    assert effective(MONDAY, MONDAY + MICRO, 0) == MONDAY + MICRO


def test_a_cycle_may_open_until_its_late_window_has_passed() -> None:
    season = rules(late_s=1000)
    due = boundary(season, 2)
    assert not too_late_to_open(season, 2, due)
    assert not too_late_to_open(season, 2, due + 1000 * SECOND)
    assert too_late_to_open(season, 2, due + 1000 * SECOND + MICRO)


def test_asking_ends_before_trading_does() -> None:
    season = rules(ask_s=3600, trade_window_s=1800)
    deadline = asking_ends(season, MONDAY)
    assert (deadline, trading_ends(season, deadline)) == (at("2024-01-01 01:00"), at("2024-01-01 01:30"))
