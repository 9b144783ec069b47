"""The status page tells how fresh the market data are, and in words what is wrong with them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from market.models import DataSource, FollowedSeries

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def status(client: Client) -> str:
    response: Any = client.get("/status/")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def source(name: str = "spot", age: timedelta = MINUTE, **changes: Any) -> DataSource:
    now = timezone.now()
    told = {"asked_at": now, "answered_at": now - age, "requests": 6, "weight_used": 26, "weight_limit": 6000}
    return DataSource.objects.create(name=name, **{**told, **changes})


def series(age: timedelta = 30 * MINUTE, **changes: Any) -> FollowedSeries:
    now = timezone.now()
    told = {"symbol": "BTCUSDT", "timeframe": "1h", "newest_close": now - age, "followed_at": now}
    return FollowedSeries.objects.create(**{**told, **changes})


def test_where_nothing_is_fetched_the_page_says_so_and_nothing_is_wrong(client: Client) -> None:
    body = status(client)
    assert "Nothing is fetched here: MARKET_DATA is synthetic." in body
    assert "All is well." in body


def test_fresh_sources_and_series_are_told_with_their_figures(client: Client, settings: Any) -> None:
    settings.MARKET_DATA = "binance"
    source()
    series(holes=[["2025-05-01T07:00:00Z", "2025-05-01T09:00:00Z"]])
    body = status(client)
    assert "26 of 6,000" in body
    assert "BTCUSDT 1h" in body
    assert body.count("Fresh</span>") == 2
    assert '<td class="num">1</td>' in body
    assert "All is well." in body


def test_a_source_that_does_not_answer_is_in_the_headline_with_the_reason(client: Client, settings: Any) -> None:
    settings.MARKET_DATA = "binance"
    source(age=20 * MINUTE, trouble="The exchange does not serve this region (HTTP 451). <b>Run this</b> elsewhere.")
    body = status(client)
    assert "Something needs attention." in body
    assert "Market data of spot have not been read since" in body
    assert "does not serve this region (HTTP 451). &lt;b&gt;Run this" in body


def test_a_feed_that_never_ran_is_missed(client: Client, settings: Any) -> None:
    settings.MARKET_DATA = "binance"
    assert "The market was never fetched: start the worker of the queue market." in status(client)


def test_a_series_whose_newest_candle_is_two_candles_old_is_stale_and_its_trouble_told(client: Client) -> None:
    series(age=121 * MINUTE, trouble="The exchange refuses the request with HTTP 400: Invalid symbol. (code -1121)")
    body = status(client)
    assert "Stale</span>" in body
    assert "Invalid symbol. (code -1121)" in body


def test_clocks_that_are_apart_and_a_double_are_told(client: Client, settings: Any) -> None:
    settings.MARKET_DATA = "binance"
    source(clock_offset_ms=-2500, is_double=True)
    body = status(client)
    assert "Its clock is 2.5 s behind ours: run NTP here." in body
    assert "this is not the market" in body
