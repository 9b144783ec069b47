"""The exchange's word about our orders and its account, against ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.symbols import DEFAULT_SYMBOLS, pick
from portfolio.core.orders import Fill, Side
from portfolio.core.reconciling import (
    AssetLine,
    Look,
    OurOrder,
    asset_lines,
    balance_findings,
    is_wiped,
    moved_by,
    order_findings,
)
from portfolio.core.venue_fills import venue_order
from tests.notation import B, D, at, many
from tests.portfolio.venue_notation import answer

OURS = OurOrder("oo-1", 41, "BTCUSDT", D(1), D(100))
SYMBOLS = pick(["BTCUSDT", "BNBUSDT"], DEFAULT_SYMBOLS)


def found(*ours: OurOrder, there: list[dict[str, Any]], silent: str = "") -> list[str]:
    """Each finding as `kind subject`."""
    findings = order_findings(ours, [venue_order(row) for row in there], frozenset(silent.split()))
    return [f"{one.kind} {one.subject}" for one in findings]


def look(balances: str, moved: str = "") -> Look:
    return Look(B(balances).balances if balances else {}, B(moved).balances if moved else {})


def unexplained(now: Look, before: Look | None) -> dict[str, Any]:
    return {line.asset: line.unexplained for line in asset_lines({}, now, before)}


def test_what_both_tell_alike_is_no_finding() -> None:
    assert found(OURS, there=[answer()]) == []
    nothing = OurOrder("oo-1", 41, "BTCUSDT", D(0), None)
    assert found(nothing, there=[answer("EXPIRED", executed="0", quote="0.00000000")]) == []
    assert found(OURS, there=[answer(quote="-1")]) == [], "the exchange has no total of its own"


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ([], ["missing oo-1"]),
        ([answer(executed="0.9", status="EXPIRED")], ["different oo-1"]),
        ([answer(quote="99.99")], ["different oo-1"]),
        ([answer(orderId=42)], ["different oo-1"]),
        ([answer(symbol="ETHUSDT")], ["different oo-1"]),
        ([answer("PARTIALLY_FILLED")], ["open oo-1"]),
        ([answer(), answer(clientOrderId="oo-2", orderId=42)], ["orphan oo-2"]),
        ([answer(), answer(clientOrderId="web_x", orderId=42)], ["foreign web_x"]),
    ],
)
def test_what_differs_is_named(there: list[dict[str, Any]], wanted: list[str]) -> None:
    assert found(OURS, there=there) == wanted


def test_of_an_order_under_way_nothing_is_said() -> None:
    assert found(OURS, there=[answer(), answer("NEW", clientOrderId="oo-2", orderId=42)], silent="oo-2") == []


def test_our_trades_move_an_account_with_their_fees() -> None:
    filled = at("2024-05-01 12:00")
    fills = [
        Fill("1-1", "oo-1", "BTCUSDT", Side.BUY, D(1), D(100), D(100), D("0.001"), "BTC", filled),
        Fill("1-2", "oo-2", "BTCUSDT", Side.SELL, D("0.5"), D(100), D(50), D("0.05"), "USDT", filled),
        Fill("1-3", "oo-3", "BNBUSDT", Side.BUY, D(1), D(500), D(500), D("0.00075"), "BNB", filled),
    ]
    assert moved_by(fills, SYMBOLS) == {"BTC": D("0.499"), "USDT": D("-550.05"), "BNB": D("0.99925")}


def test_an_account_is_judged_against_an_earlier_look_at_it() -> None:
    now = look("900 USDT, 1 BTC", "-100 USDT, 1 BTC")
    assert unexplained(now, None) == {"USDT": None, "BTC": None}
    assert unexplained(now, look("1000 USDT")) == {"USDT": D(0), "BTC": D(0)}
    assert unexplained(now, look("950 USDT", "-50 USDT")) == {"USDT": D(0), "BTC": D(0)}
    assert unexplained(now, look("1000 USDT, 2 BTC")) == {"USDT": D(0), "BTC": D(-2)}
    lines = asset_lines({}, now, look("1000 USDT, 2 BTC, 7 ETH"))
    assert [(one.kind, one.subject) for one in balance_findings(lines)] == [
        ("unexplained", "BTC"),
        ("unexplained", "ETH"),
    ]


def test_an_account_with_less_than_the_books_say_is_short() -> None:
    lines = asset_lines({"USDT": D(130_000), "BTC": D(1)}, look("100000 USDT, 1 BTC"), None)
    assert {line.asset: line.is_short for line in lines} == {"BTC": False, "USDT": True}


amounts = st.dictionaries(st.sampled_from(["USDT", "BTC", "ETH"]), st.integers(-(10**12), 10**12).map(D))


@many
@given(amounts, amounts, amounts)
def test_an_account_that_only_our_trades_moved_is_always_explained(start: Any, first: Any, later: Any) -> None:
    moved = {asset: first.get(asset, D(0)) + later.get(asset, D(0)) for asset in {*first, *later}}
    ended = {a: start.get(a, D(0)) + later.get(a, D(0)) for a in {*start, *later}}
    assert not any(unexplained(Look(ended, moved), Look(start, first)).values())


@pytest.mark.parametrize(
    ("witnesses", "unexplained", "wiped"),
    [
        ((), [D(5)], False),  # nothing of ours was ever there
        ((True,), [D(5)], False),
        ((False, True), [D(5)], False),  # one is missing, which is another matter
        ((False, False), [D(5), D(0)], True),
        ((False, False), [D(0), D(0)], False),  # it forgot our orders and kept what they did
        ((False, False), [None], True),  # the account could not be judged
    ],
)
def test_a_wipe_takes_every_order_and_moves_the_account(witnesses: Any, unexplained: list[Any], wiped: bool) -> None:
    lines = [AssetLine("USDT", D(0), D(0), D(0), amount) for amount in unexplained]
    assert is_wiped(witnesses, lines) is wiped
