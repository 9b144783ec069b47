"""What the exchange's answers mean, how long to wait, and the filters of its symbols."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.answers import ExchangeError, Json, TryAgain, Unusable, read_answer
from market.core.backoff import Backoff
from market.core.candles import Series, to_ms
from market.core.exchange_info import NotTradable, listings, tradable, weight_limit
from market.core.kline_json import page_of
from market.core.weights import MINUTE_MS, SHARE, WeightUse, after_answer, wait_s
from tests.market.exchange import info_row, row

REAL = (
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / "binance" / "exchangeInfo.testnet.2024-09-08.json"
)
HOUR_MS = 3_600_000
MAY = datetime(2024, 5, 1, tzinfo=UTC)

# -- Pauses ---------------------------------------------------------------------------------------


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_between_half_of_it_and_all_and_never_above_the_most(tried: int, jitter: float) -> None:
    backoff = Backoff(first_s=1, most_s=60)
    whole = 60 if tried > 6 else 2 ** (tried - 1)
    assert whole / 2 <= backoff.pause_s(tried, jitter) <= whole


# -- Weight ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 50)), max_size=200), st.integers(100, 6000))
def test_whoever_waits_as_told_never_uses_more_than_the_share_in_any_minute(
    requests: list[tuple[int, int]], limit: int
) -> None:
    now, use, by_minute = to_ms(MAY), WeightUse(), dict[int, int]()
    for pause_ms, weight in requests:
        now += pause_ms
        now += round(wait_s(use, now, weight, limit) * 1000)
        by_minute[now // MINUTE_MS] = by_minute.get(now // MINUTE_MS, 0) + weight
        use = after_answer(use, now, weight, {})
    assert all(used <= max(limit * SHARE, 50) for used in by_minute.values())


@given(st.integers(0, 10**8), st.integers(0, 10**6), st.integers(1, 50))
def test_the_count_of_the_exchange_is_believed(at_ms: int, told: int, weight: int) -> None:
    use = after_answer(WeightUse(at_ms // MINUTE_MS, 17), at_ms, weight, {"x-mbx-used-weight-1m": str(told)})
    assert use == WeightUse(at_ms // MINUTE_MS, told)


@pytest.mark.parametrize("told", ["", "many", "-3", "1.5", "٣", "9" * 10])
def test_a_count_that_is_none_is_replaced_by_ours(told: str) -> None:
    assert after_answer(WeightUse(1, 17), MINUTE_MS, 2, {"x-mbx-used-weight-1m": told}) == WeightUse(1, 19)


def test_a_new_minute_starts_from_nothing() -> None:
    assert after_answer(WeightUse(1, 3000), 2 * MINUTE_MS, 2, {}) == WeightUse(2, 2)
    assert wait_s(WeightUse(1, 3000), 2 * MINUTE_MS, 2) == 0


# -- Answers --------------------------------------------------------------------------------------


@given(st.integers(200, 599), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()), st.binary())
def test_whatever_comes_is_a_value_another_try_or_a_reason(code: int, headers: dict[str, str], body: bytes) -> None:
    try:
        found: object = read_answer(code, headers, body)
    except ExchangeError as error:
        found = error
    assert isinstance(found, TryAgain) or (code == 200) == isinstance(found, Json)
    assert not isinstance(found, ExchangeError) or str(found)


def test_a_number_with_a_point_stays_exact() -> None:
    assert read_answer(200, {}, b'{"a": 0.1}') == Json({"a": Decimal("0.1")})


@pytest.mark.parametrize("body", [b"", b"[1", b"NaN", b"\xff", b"[" * 100_000, b"<html>", b"[Infinity]"])
def test_what_is_no_json_is_asked_for_again(body: bytes) -> None:
    assert read_answer(200, {}, body) == TryAgain("an answer that is not JSON, or cut off")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=13)))
def test_whatever_an_answer_for_candles_holds_it_is_candles_or_a_reason(rows: Any) -> None:
    try:
        told = f"{len(page_of(rows, 'BTCUSDT', '1h', to_ms(MAY), to_ms(MAY) + 9 * HOUR_MS, MAY))} candles"
    except Unusable as error:
        told = str(error)
    assert told == "0 candles" or "the answer for BTCUSDT 1h from 2024-05-01 00:00 UTC on" in told


@given(st.integers(1, 30), st.integers(0, 40 * HOUR_MS))
def test_no_candle_is_used_before_its_close(candles: int, later_ms: int) -> None:
    first = to_ms(MAY)
    as_of_ms = first + later_ms
    rows = [row("BTCUSDT", first + n * HOUR_MS, HOUR_MS) for n in range(candles) if first + n * HOUR_MS <= as_of_ms]
    as_of = datetime.fromtimestamp(as_of_ms / 1000, UTC)
    series = page_of(rows, "BTCUSDT", "1h", first, first + 50 * HOUR_MS, as_of)
    assert isinstance(series, Series)
    assert list(series.open_ms) == [cells[0] for cells in rows if cells[0] + HOUR_MS <= as_of_ms]


# -- Filters --------------------------------------------------------------------------------------


def filters(**changes: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The usual filters with fields replaced; None leaves a filter out."""
    kept = [
        found for found in info_row("BTCUSDT", "BTC")["filters"] if changes.get(found["filterType"], {}) is not None
    ]
    return [{**found, **(changes.get(found["filterType"]) or {})} for found in kept]


def info(**changes: Any) -> dict[str, Any]:
    return {"symbols": [info_row("BTCUSDT", "BTC", **changes)]}


@pytest.mark.skipif(not REAL.is_file(), reason="the folder of real answers is not beside this repository")
def test_a_real_answer_is_read() -> None:
    content = json.loads(REAL.read_text())
    found = listings(content)
    assert found["BTCUSDT"].step == Decimal("0.00001")
    assert (found["ADAUSDT"].step, found["ADAUSDT"].tick) == (Decimal("0.1"), Decimal("0.0001"))
    assert {symbol.min_notional for symbol in found.values()} == {Decimal(5)}
    assert weight_limit(content) == 6000


def test_the_older_name_of_the_smallest_notional_is_read_too() -> None:
    older = [
        *filters(NOTIONAL=None),
        {"filterType": "MIN_NOTIONAL", "minNotional": "10.00000000", "applyToMarket": True},
    ]
    assert tradable(listings(info(filters=older))["BTCUSDT"]).min_notional == 10


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no list of symbols"),
        ({"symbols": ["BTCUSDT"]}, "no list of symbols"),
        (info(symbol="BTC-USDT"), "not its pair"),
        (info(baseAsset=7), "not its pair"),
        (info(baseAsset="ETH"), "not its pair"),
        (info(filters=None), "BTCUSDT has no list of filters"),
        (info(filters=filters(LOT_SIZE=None)), "BTCUSDT has no filter LOT_SIZE"),
        (info(filters=filters(PRICE_FILTER=None)), "BTCUSDT has no filter PRICE_FILTER"),
        (info(filters=filters(NOTIONAL=None)), "BTCUSDT has no filter NOTIONAL"),
        (info(filters=filters(LOT_SIZE={"stepSize": 0.001})), "a stepSize that is no decimal number as text"),
        (info(filters=filters(LOT_SIZE={"stepSize": "1e-5"})), "a stepSize that is no decimal number as text"),
        (info(filters=filters(LOT_SIZE={"maxQty": "9" * 19})), "a maxQty that is no decimal number as text"),
        (info(filters=filters(LOT_SIZE={"maxQty": "0.00001"})), "maxQty below its minQty"),
        (info(filters=filters(NOTIONAL={"minNotional": None})), "a minNotional that is no decimal number as text"),
        (info(filters=filters(PRICE_FILTER={"tickSize": "-0.01"})), "a tickSize that is no decimal number as text"),
    ],
)
def test_filters_that_make_no_sense_are_refused(content: Any, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        listings(content)


def test_a_pair_without_a_step_or_not_for_usdt_is_refused() -> None:
    with pytest.raises(NotTradable, match="no step of quantity"):
        tradable(listings(info(filters=filters(LOT_SIZE={"stepSize": "0.00000000"})))["BTCUSDT"])
    with pytest.raises(NotTradable, match="is quoted in EUR; seasons are played in USDT"):
        tradable(listings(info(symbol="BTCEUR", quoteAsset="EUR"))["BTCEUR"])


@pytest.mark.parametrize("limits", [None, {}, [7], [{"rateLimitType": "REQUEST_WEIGHT", "limit": "6000"}]])
def test_a_limit_that_is_not_told_is_none(limits: Any) -> None:
    assert weight_limit({"rateLimits": limits}) is None
