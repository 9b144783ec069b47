"""Order books and statistics of the day are taken when they make sense, and refused when they do not."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.answers import Unusable
from market.core.depth import day_statistics, order_book
from market.core.weights import depth_weight

BOOK = {"bids": [["10.00", "1.5"], ["9.99", "2"]], "asks": [["10.01", "1"], ["10.02", "3"]]}
DAY = {
    "symbol": "BTCUSDT",
    "priceChangePercent": "-94.999",
    "lastPrice": "4.00000200",
    "highPrice": "100.00000000",
    "lowPrice": "0.10000000",
    "volume": "8913.30000000",
    "quoteVolume": "15.30000000",
    "closeTime": 1_714_564_800_000,
}
prices = st.lists(st.integers(1, 10**9), min_size=1, max_size=50, unique=True)


@given(prices, prices)
def test_a_book_in_order_is_read_to_the_last_digit_unless_it_is_crossed(below: list[int], above: list[int]) -> None:
    bids, asks = sorted(below, reverse=True), sorted(above)
    content = {"bids": [[f"{p}.01", "1"] for p in bids], "asks": [[f"{p}.01", "1"] for p in asks]}
    if bids[0] >= asks[0]:
        with pytest.raises(Unusable, match=f"crossed: bid {bids[0]}.01, ask {asks[0]}.01"):
            order_book(content, "BTCUSDT")
        return
    book = order_book(content, "BTCUSDT")
    assert [level.price for level in book.bids] == [Decimal(f"{p}.01") for p in bids]
    assert [level.price for level in book.asks] == [Decimal(f"{p}.01") for p in asks]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bids": []}, "has no bids"),
        ({"asks": []}, "has no asks"),
        ({"asks": None}, "has no asks"),
        ({"bids": [["10.01", "1"]]}, "crossed: bid 10.01, ask 10.01"),
        ({"bids": BOOK["bids"][::-1]}, "bids of BTCUSDT are not in falling order"),
        ({"bids": [BOOK["bids"][0]] * 2}, "bids of BTCUSDT are not in falling order"),
        ({"asks": BOOK["asks"][::-1]}, "asks of BTCUSDT are not in rising order"),
        ({"asks": [["10.01", "0.00000000"]]}, "not above zero"),
        ({"bids": [["-1", "1"]]}, "not above zero"),
        ({"bids": [["10"]]}, "not pairs of price and quantity"),
        ({"bids": [[10.0, "1"]]}, "price in bids that is no decimal number as text"),
        ({"asks": [["11", "1e3"]]}, "quantity in asks that is no decimal number as text"),
        ({"asks": [["NaN", "1"]]}, "price in asks that is no decimal number as text"),
    ],
)
def test_a_book_that_makes_no_sense_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Unusable, match=why):
        order_book({**BOOK, **changes}, "BTCUSDT")


def test_what_is_no_book_at_all_is_refused() -> None:
    with pytest.raises(Unusable, match="order book of BTCUSDT is not one"):
        order_book([], "BTCUSDT")


def test_statistics_are_read_to_the_last_digit() -> None:
    day = day_statistics(DAY, "BTCUSDT")
    assert (day.change_pct, day.last, day.high, day.low) == (
        Decimal("-94.999"),
        Decimal("4.000002"),
        Decimal(100),
        Decimal("0.1"),
    )
    assert (day.volume, day.quote_volume, day.until.isoformat()) == (
        Decimal("8913.3"),
        Decimal("15.3"),
        "2024-05-01T12:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"symbol": "ETHUSDT"}, "not those of BTCUSDT"),
        ({"closeTime": "now"}, "no closeTime"),
        ({"lastPrice": 4.0}, "lastPrice that is no decimal number as text"),
        ({"lastPrice": "101"}, "do not agree: low 0.1.*, last 101, high 100"),
        ({"lowPrice": "0"}, "do not agree"),
        ({"volume": "-1"}, "do not agree"),
        ({"quoteVolume": None}, "quoteVolume that is no decimal number as text"),
    ],
)
def test_statistics_that_make_no_sense_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Unusable, match=why):
        day_statistics({**DAY, **changes}, "BTCUSDT")


def test_a_deeper_book_weighs_more() -> None:
    assert [depth_weight(levels) for levels in (1, 100, 101, 500, 1000, 5000)] == [5, 5, 25, 25, 50, 250]
    for none in (0, -1, 5001):
        with pytest.raises(ValueError, match="1 to 5000 levels"):
            depth_weight(none)
