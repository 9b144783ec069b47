"""The brief: the same market for all, one's own book, rivals by number only, and a hash over every word of it."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from agents.core.brief import BoardLine, Brief, Place, build_brief
from market.core.canonical import canonical_json, sha256_of
from market.core.snapshot import Snapshot
from portfolio.core.book import Book, MissingPrice
from tests.notation import B, D, S, rules, snapshot

PLACE = Place(cycle=3, cycles=26, entry="entry-02")
MARKET = snapshot("BTC 50000, ETH 2500", "BTC, ETH")
BOARD = (BoardLine("entry-01", 1, D("0.0500")), BoardLine("entry-02", None, D("-0.01")))


def brief(
    book: str = "5000 USDT, 0.05 BTC, 1 ETH",
    market: Snapshot = MARKET,
    place: Place = PLACE,
    board: tuple[BoardLine, ...] = BOARD,
    **changed_rules: Any,
) -> Brief:
    return build_brief(place, market, B(book), S("BTC, ETH"), board, rules(**changed_rules).brief_summary)


def test_an_agent_is_told_where_it_stands_and_what_it_owns() -> None:
    told = brief().content
    assert (told["cycle"], told["cycles"], told["you"]) == (3, 26, "entry-02")
    # 5000 + 0.05 * 50000 + 1 * 2500 = 10000
    assert told["portfolio"] == {
        "value": "10000",
        "cash": "5000",
        "cash_weight": "0.5",
        "holdings": {
            "BTCUSDT": {"quantity": "0.05", "value": "2500", "weight": "0.25"},
            "ETHUSDT": {"quantity": "1", "value": "2500", "weight": "0.25"},
        },
    }


def test_the_market_part_is_the_snapshot_itself_and_the_same_for_all() -> None:
    assert brief().content["market"] == brief("1 BTC", place=PLACE._replace(entry="entry-01")).content["market"]
    assert sha256_of(brief().content["market"]) == MARKET.sha256


def test_the_rules_are_told_as_far_as_a_decision_needs_them() -> None:
    assert brief(max_weight="0.4", min_cash="0.10").content["rules"] == {
        "quote": "USDT",
        "fee_bps": "10",
        "slippage_bps": "5",
        "max_weight": "0.4",
        "min_cash": "0.1",
        "max_turnover": "1",
        "drift_band": "0.005",
    }


def test_rivals_are_numbers_with_figures_and_nothing_else() -> None:
    assert brief().content["leaderboard"] == [
        {"entry": "entry-01", "rank": 1, "net_return": "0.05"},
        {"entry": "entry-02", "rank": None, "net_return": "-0.01"},
    ]


def test_a_fund_of_nothing_but_cash_and_a_fund_of_nothing() -> None:
    assert brief("10000 USDT").content["portfolio"] == {
        "value": "10000",
        "cash": "10000",
        "cash_weight": "1",
        "holdings": {},
    }
    assert brief("").content["portfolio"]["cash_weight"] == "0"


def test_weights_are_rounded_to_six_places() -> None:
    told = brief("2 USDT, 0.00002 BTC").content["portfolio"]
    assert (told["cash_weight"], told["holdings"]["BTCUSDT"]["weight"]) == ("0.666667", "0.333333")


def test_a_held_asset_without_a_price_makes_no_brief() -> None:
    with pytest.raises(MissingPrice, match="1 ETH"):
        brief(market=snapshot("BTC 50000", "BTC, ETH"))


def test_what_is_missing_in_the_market_is_said() -> None:
    told = brief("10000 USDT", market=snapshot("BTC 50000", "BTC, ETH")).content["market"]
    assert told["missing"] == {"ETHUSDT": "no closed candle"}
    assert list(told["symbols"]) == ["BTCUSDT"]
    assert told["off"] == ["order book", "positioning"]


def test_the_hash_covers_every_part() -> None:
    others = [
        brief(),
        brief("5000 USDT, 0.05 BTC"),
        brief(market=snapshot("BTC 50000.01, ETH 2500", "BTC, ETH")),
        brief(place=PLACE._replace(cycle=4)),
        brief(place=PLACE._replace(cycles=27)),
        brief(place=PLACE._replace(entry="entry-03")),
        brief(board=()),
        brief(board=(replace(BOARD[0], net_return=D("0.0501")), BOARD[1])),
        brief(max_weight="0.4"),
    ]
    assert len({other.sha256 for other in others}) == len(others)


def test_a_stored_brief_reads_back_with_its_hash() -> None:
    stored = json.loads(canonical_json(brief().content))
    assert stored == brief().content
    assert sha256_of(stored) == brief().sha256


def test_equal_amounts_written_differently_make_the_same_brief() -> None:
    assert brief("5000.00 USDT, 0.0500 BTC, 1.0 ETH").sha256 == brief().sha256
    padded = Book({"USDT": Decimal("5E+3"), "BTC": D("0.05"), "ETH": D(1)})
    told = build_brief(PLACE, MARKET, padded, S("BTC, ETH"), BOARD, rules().brief_summary)
    assert told.sha256 == brief().sha256
