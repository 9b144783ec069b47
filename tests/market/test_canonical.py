"""Same value, same bytes: what is hashed does not depend on how a number or an instant was written."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.canonical import canonical_json, plain, sha256_of, utc_text

numbers = st.decimals(min_value=-(10**20), max_value=10**20, places=18, allow_nan=False)


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("0.500", "0.5"), ("-0", "0"), ("-0.00", "0"), ("1E-8", "0.00000001"), ("-5.10", "-5.1")],
)
def test_a_decimal_is_written_without_exponent_and_trailing_zeros(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@given(numbers)
def test_the_text_of_a_decimal_is_its_exact_value(number: Decimal) -> None:
    assert Decimal(plain(number)) == number
    assert "E" not in plain(number)


@given(st.integers(-(10**9), 10**9), st.integers(0, 8), st.integers(0, 8))
def test_equal_decimals_have_one_text(unscaled: int, places: int, zeros: int) -> None:
    number = Decimal(unscaled).scaleb(-places)
    padded = Decimal(unscaled * 10**zeros).scaleb(-places - zeros)
    assert number == padded
    assert plain(number) == plain(padded)


@given(st.dictionaries(st.text(), numbers))
def test_the_order_of_keys_does_not_change_the_hash(content: dict[str, Decimal]) -> None:
    assert sha256_of(dict(reversed(content.items()))) == sha256_of(content)


def test_what_was_hashed_reads_back_from_its_own_text_with_the_same_hash() -> None:
    content = {"b": [Decimal("1.50")], "a": {"at": datetime(2024, 1, 1, tzinfo=UTC)}, "ü": None}
    assert canonical_json(content) == '{"a":{"at":"2024-01-01T00:00:00Z"},"b":["1.5"],"ü":null}'
    assert sha256_of(json.loads(canonical_json(content))) == sha256_of(content)


def test_another_last_digit_is_another_hash() -> None:
    assert sha256_of([Decimal("1.000000000000000001")]) != sha256_of([Decimal(1)])


def test_the_same_instant_in_two_time_zones_has_one_text() -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert utc_text(noon.astimezone(timezone(timedelta(hours=2)))) == utc_text(noon) == "2024-01-01T12:00:00Z"


@pytest.mark.parametrize("value", [datetime(2024, 1, 1), float("nan"), float("inf")])  # noqa: DTZ001
def test_a_naive_instant_or_no_number_has_no_canonical_text(value: object) -> None:
    with pytest.raises(ValueError):
        canonical_json([value])


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_a_type_without_canonical_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical text"):
        canonical_json([value])
