"""A hole in a series is either a dated outage of the exchange or a reason not to use the file."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.candles import TIMEFRAME_S, Series, to_ms
from market.core.outages import KNOWN_OUTAGES, Gap, gaps_in, is_known_outage

ONE = Decimal(1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def series(*opens: str, timeframe: str = "1h") -> Series:
    ones = (ONE,) * len(opens)
    return Series("BTCUSDT", timeframe, tuple(to_ms(at(text)) for text in opens), ones, ones, ones, ones, ones)


def test_a_gap_is_told_from_the_first_absent_candle_to_the_next_present_one() -> None:
    (gap,) = gaps_in(series("2022-05-01 00:00", "2022-05-01 01:00", "2022-05-01 04:00"))
    assert gap == Gap(at("2022-05-01 02:00"), at("2022-05-01 04:00"), candles=2)
    assert str(gap) == "2022-05-01 02:00 to 2022-05-01 04:00 UTC, 2 candles"


def test_a_series_without_holes_has_no_gaps() -> None:
    assert gaps_in(series("2022-05-01 00:00", "2022-05-01 01:00")) == ()
    assert gaps_in(series()) == ()


@given(
    first=st.integers(400_000, 500_000),
    hours=st.integers(2, 60),
    absent=st.sets(st.integers(1, 58)),
    timeframe=st.sampled_from(sorted(TIMEFRAME_S)),
)
def test_gaps_and_candles_together_are_every_candle_of_the_period(
    first: int, hours: int, absent: set[int], timeframe: str
) -> None:
    step = TIMEFRAME_S[timeframe] * 1000
    kept = [n for n in range(hours) if n not in absent or n == hours - 1]
    ones = (ONE,) * len(kept)
    found = gaps_in(Series("X", timeframe, tuple((first + n) * step for n in kept), ones, ones, ones, ones, ones))
    assert sum(gap.candles for gap in found) + len(kept) == hours


def test_every_known_outage_explains_itself_in_hourly_candles() -> None:
    for outage in KNOWN_OUTAGES:
        assert is_known_outage(Gap(outage.start, outage.end, outage.hours))


@pytest.mark.parametrize(
    ("start", "end", "known"),
    [
        ("2021-04-25 05:00", "2021-04-25 08:00", True),
        ("2021-04-25 06:00", "2021-04-25 07:00", True),  # a file that has some hours more is no worse
        ("2021-04-25 05:00", "2021-04-25 09:00", False),
        ("2021-04-25 04:00", "2021-04-25 08:00", False),
        ("2021-04-26 05:00", "2021-04-26 08:00", False),
        ("2021-04-25 04:01", "2021-04-25 08:45", True),  # shorter candles stop and resume within the hour
        ("2021-04-25 04:01", "2021-04-25 05:00", False),  # beside the outage, not over it
        ("2021-04-25 08:00", "2021-04-25 08:45", False),
    ],
)
def test_only_a_gap_wholly_within_one_outage_is_explained(start: str, end: str, known: bool) -> None:
    assert is_known_outage(Gap(at(start), at(end), 1)) is known


def test_a_gap_over_two_outages_and_the_trade_between_them_is_not_explained() -> None:
    first, second = KNOWN_OUTAGES[2:4]
    assert not is_known_outage(Gap(first.start, second.end, (second.end - first.start) // timedelta(hours=1)))
