"""Numbers as they are shown: rounded once, signed with a real minus, never `-0`."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, none

from competition.pages.curves import thinned
from competition.pages.figures import (
    Figure,
    basis_points,
    duration,
    every,
    exact_duration,
    listed,
    moment,
    money,
    ordinal,
    percent,
    points,
    price,
    quantity,
    relative,
    signed_percent,
)
from competition.pages.pictures import curve_path, hues_of, segments, spark

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        ("0.1234", Figure("+12.3%", "up")),
        ("-0.1236", Figure("−12.4%", "down")),
        ("0", Figure("0.0%", "flat")),
        ("0.0004", Figure("0.0%", "flat")),
        ("-0.0004", Figure("0.0%", "flat")),
        ("25.5", Figure("+2,550.0%", "up")),
    ],
)
def test_a_return_has_its_sign_and_none_when_it_rounds_to_nothing(fraction: str, shown: Figure) -> None:
    assert signed_percent(Decimal(fraction)) == shown


def test_a_difference_of_returns_is_in_points() -> None:
    assert points(Decimal("0.0417")) == Figure("+4.2", "up")


def test_amounts_have_their_thousands_apart() -> None:
    assert money(Decimal("1234567.891")) == "1,234,567.89"
    assert money(Decimal("-0.001")) == "0.00"
    assert percent(Decimal("0.355")) == "35.5%"


def test_a_quantity_keeps_every_digit_and_no_zeros_behind_them() -> None:
    assert quantity(Decimal("1234.567800000000000000")) == "1,234.5678"
    assert quantity(Decimal("0E-18")) == "0"
    assert quantity(Decimal("12345678901234567890.123456789012345678")) == (
        "12,345,678,901,234,567,890.123456789012345678"
    )


@pytest.mark.parametrize(
    ("amount", "shown"), [("20331.2", "20,331.20"), ("99.98765432", "99.9877"), ("0.00001234", "0.00001234")]
)
def test_a_price_has_the_digits_that_matter(amount: str, shown: str) -> None:
    assert price(Decimal(amount)) == shown


def test_slippage_is_worse_for_whoever_trades_on_either_side() -> None:
    reference = Decimal(100)
    assert basis_points(Decimal("100.05"), reference, buying=True) == "5.0 bp"
    assert basis_points(Decimal("99.95"), reference, buying=False) == "5.0 bp"
    assert basis_points(Decimal("99.95"), reference, buying=True) == "−5.0 bp"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
        (86_400, "1 day"),
        (250_000, "3 days"),
    ],
)
def test_a_length_of_time_is_in_the_unit_that_fits(seconds: int, shown: str) -> None:
    assert duration(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(604_800, "7 days"), (5400, "90 minutes"), (61, "61 seconds"), (3600, "1 hour")]
)
def test_a_rule_gives_its_length_of_time_without_rounding(seconds: int, shown: str) -> None:
    assert exact_duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(60, "every minute"), (604_800, "every 7 days"), (90, "every 90 seconds")]
)
def test_a_pace_of_one_leaves_the_number_out(seconds: int, shown: str) -> None:
    assert every(seconds) == shown


def test_an_instant_is_near_or_far_seen_from_now() -> None:
    assert relative(NOW + timedelta(days=3), NOW) == "in 3 days"
    assert relative(NOW - timedelta(minutes=2), NOW) == "2 minutes ago"
    assert relative(NOW, NOW) == "now"


def test_an_instant_shows_seconds_only_where_it_has_any() -> None:
    assert moment(NOW).text == "1 Jan 2024, 12:00"
    assert moment(NOW + timedelta(seconds=9, microseconds=5)).text == "1 Jan 2024, 12:00:09"
    assert moment(NOW).iso == "2024-01-01T12:00:00Z"


def test_words_around_numbers() -> None:
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
    )
    assert [listed(names) for names in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == ["", "A", "A and B", "A, B and C"]


def test_a_long_season_is_thinned_to_what_a_chart_can_hold_with_both_ends() -> None:
    assert thinned(5, 90) == (0, 1, 2, 3, 4, 5)
    weeks = thinned(1440, 90)
    assert (weeks[0], weeks[-1], len(weeks)) == (0, 1440, 90)


def test_an_allocation_fills_the_bar_and_the_rest_is_cash() -> None:
    # 25 % and 50 % of a bar 100 wide, then 25 % cash
    parts = segments({"BTC": Decimal("0.25"), "ETH": Decimal("0.5")}, hues_of(["BTC", "ETH", "SOL"]), "Cash")
    assert [(part.name, part.x, part.width, part.hue) for part in parts] == [
        ("BTC", "0", "25", 1),
        ("ETH", "25", "50", 2),
        ("Cash", "75", "25", 0),
    ]


def test_a_curve_of_less_than_two_points_is_not_drawn_and_a_flat_one_is_a_line() -> None:
    assert spark([Decimal(100)]) is None
    assert spark([None, Decimal(100), None]) is None
    flat = spark([Decimal(100), Decimal(100)])
    assert flat is not None
    assert (flat.path, flat.width, flat.start_y) == ("m0 24l1 0", 1, 24)


@given(lists(none() | integers(-1000, 1000).map(float), min_size=1, max_size=60))
def test_the_steps_of_a_curve_lead_to_each_value_and_never_further_than_half_a_unit_from_it(
    values: list[float | None],
) -> None:
    known = {index: value for index, value in enumerate(values) if value is not None}
    path = curve_path(values, 48, -1000, 1000)
    numbers = [int(number) for number in re.findall(r"[+-]?\d+", path)]
    xs, ys = accumulate(numbers[0::2]), accumulate(numbers[1::2])
    drawn = dict(zip(xs, ys, strict=True))
    assert list(drawn) == list(known)
    assert all(abs(y - (47 - (known[x] + 1000) * 46 / 2000)) <= 0.5 for x, y in drawn.items())
