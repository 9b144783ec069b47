"""A snapshot knows what was closed at its instant, says what it lacks, and cannot be altered unnoticed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.candles import Series, empty_series, from_ms, to_ms
from market.core.canonical import canonical_json
from market.core.snapshot import DAYS_SHOWN, HISTORY, Snapshot, build_snapshot, daily_closes, snapshot_of
from market.core.symbols import DEFAULT_SYMBOLS, pick

AS_OF = datetime(2024, 1, 29, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
SYMBOLS = pick(["BTCUSDT", "ETHUSDT"], DEFAULT_SYMBOLS)


def hourly(symbol: str, closes: list[int], last_close: datetime = AS_OF) -> Series:
    """Candles whose closes are these, the last at `last_close`; each a unit higher and lower than its close."""
    first = to_ms(last_close) - len(closes) * 3_600_000
    numbers = tuple(map(Decimal, closes))
    return Series(
        symbol,
        "1h",
        tuple(first + n * 3_600_000 for n in range(len(closes))),
        numbers,
        tuple(number + 1 for number in numbers),
        tuple(number - 1 for number in numbers),
        numbers,
        (Decimal(2),) * len(closes),
    )


def snapshot(bitcoin: Series, as_of: datetime = AS_OF, max_age: timedelta = 2 * HOUR) -> Snapshot:
    series = {"BTCUSDT": bitcoin, "ETHUSDT": hourly("ETHUSDT", [50] * 30, as_of)}
    return build_snapshot(as_of, series, SYMBOLS, "stored", max_age)


def test_the_price_is_the_close_of_the_newest_candle_closed_by_then() -> None:
    shot = snapshot(hourly("BTCUSDT", [100, 101, 102], AS_OF + HOUR))
    assert shot.prices["BTCUSDT"] == 101
    assert shot.content["symbols"]["BTCUSDT"]["priced_at"] == "2024-01-29T00:00:00Z"


@given(past=st.lists(st.integers(2, 999), min_size=1, max_size=60), future=st.lists(st.integers(2, 999), max_size=5))
def test_what_closes_after_the_instant_changes_nothing(past: list[int], future: list[int]) -> None:
    known = snapshot(hourly("BTCUSDT", past))
    with_future = snapshot(hourly("BTCUSDT", past + future, AS_OF + len(future) * HOUR))
    assert with_future == known


def test_the_day_is_the_last_24_candles() -> None:
    row = snapshot(hourly("BTCUSDT", [999] + [10] * 23 + [20])).content["symbols"]["BTCUSDT"]
    # 23 candles from 9 to 11 and one from 19 to 21; 999 closed 24 hours before and is out
    assert (row["high_24h"], row["low_24h"], row["volume_24h"]) == ("21", "9", "48")
    assert row["change_1d"] == "-0.97998"  # 20 / 999 - 1 = -0.979980


def test_changes_and_volatility_need_their_days() -> None:
    short = snapshot(hourly("BTCUSDT", [100] * 24 * 7)).content["symbols"]["BTCUSDT"]
    assert (short["change_1d"], short["change_7d"], short["volatility_28d"]) == ("0", None, None)
    long = snapshot(hourly("BTCUSDT", [100] * (24 * 28 + 1))).content["symbols"]["BTCUSDT"]
    assert (long["change_7d"], long["change_28d"], long["volatility_28d"]) == ("0", "0", "0")
    assert len(long["closes_1d"]) == DAYS_SHOWN + 1
    assert timedelta(days=DAYS_SHOWN) < HISTORY


def test_the_close_of_a_day_is_the_one_known_at_that_instant_over_a_hole() -> None:
    whole = hourly("BTCUSDT", list(range(100, 150)))
    # the candle that closed 24 hours ago is absent: the one before it counts
    hole = len(whole) - 1 - 24
    torn = replace(
        whole,
        **{
            column: tuple(value for n, value in enumerate(getattr(whole, column)) if n != hole)
            for column in ("open_ms", "opens", "highs", "lows", "closes", "volumes")
        },
    )
    assert daily_closes(whole, to_ms(AS_OF), 1) == [125, 149]
    assert daily_closes(torn, to_ms(AS_OF), 1) == [124, 149]


def test_a_symbol_without_candles_is_missing_and_has_no_price() -> None:
    shot = snapshot(empty_series("BTCUSDT", "1h"))
    assert shot.missing == {"BTCUSDT": "no closed candle"}
    assert set(shot.prices) == {"ETHUSDT"}
    assert set(shot.content["symbols"]) == {"ETHUSDT"}


def test_a_price_of_the_allowed_age_counts_and_an_older_one_is_missing() -> None:
    just = snapshot(hourly("BTCUSDT", [100] * 30, AS_OF - 2 * HOUR))
    assert just.prices["BTCUSDT"] == 100
    stale = snapshot(hourly("BTCUSDT", [100] * 30, AS_OF - 3 * HOUR))
    assert "BTCUSDT" not in stale.prices
    assert stale.missing["BTCUSDT"] == "newest candle closed at 2024-01-28T21:00:00Z, older than 2:00:00"


def test_the_same_market_has_the_same_hash_and_another_digit_another() -> None:
    closes = [100] * 40
    assert snapshot(hourly("BTCUSDT", closes)).sha256 == snapshot(hourly("BTCUSDT", closes)).sha256
    assert snapshot(hourly("BTCUSDT", [*closes[:-1], 101])).sha256 != snapshot(hourly("BTCUSDT", closes)).sha256


def test_a_stored_snapshot_reads_back_as_it_was() -> None:
    shot = snapshot(hourly("BTCUSDT", list(range(100, 900))))
    stored = json.loads(canonical_json(shot.content))
    assert snapshot_of(stored, AS_OF, shot.sha256) == shot


def test_altered_content_is_noticed() -> None:
    shot = snapshot(hourly("BTCUSDT", [100] * 30))
    content = json.loads(canonical_json(shot.content))
    content["symbols"]["BTCUSDT"]["price"] = "101"
    with pytest.raises(ValueError, match="was altered"):
        snapshot_of(content, AS_OF, shot.sha256)


@given(st.integers(0, 400))
def test_a_snapshot_at_any_hour_never_prices_later_than_its_instant(hours: int) -> None:
    as_of = AS_OF - hours * HOUR + timedelta(minutes=7)
    shot = snapshot(hourly("BTCUSDT", list(range(2, 500))), as_of)
    row = shot.content["symbols"]["BTCUSDT"]
    index = to_ms(datetime.fromisoformat(row["priced_at"])) - to_ms(AS_OF)
    assert datetime.fromisoformat(row["priced_at"]) <= as_of
    assert shot.prices["BTCUSDT"] == 499 + index // 3_600_000
    assert from_ms(to_ms(as_of)) == as_of
