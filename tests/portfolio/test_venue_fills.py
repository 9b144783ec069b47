"""From the exchange's words about an order to fills: whole, exact, and not before its trades add up."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.candles import from_ms
from market.core.canonical import plain
from market.core.symbols import Symbol
from portfolio.core.book import Account, fill_journal
from portfolio.core.orders import Execution, Order, OrderState, Side
from portfolio.core.venue_fields import Nonsense
from portfolio.core.venue_fills import NotYet, execution_of, quote_amounts, venue_order, venue_trades
from tests.notation import D, many
from tests.portfolio.venue_notation import NOON_MS, answer, bought, sold, trade

RECORDED = Path(__file__).resolve().parents[3] / "shared/data/binance/real_order_responses.json"
QUOTES = ("USDT", "BTC", "BNB", "BIDR")


def booked(order: Order, content: Any, trades: list[Any]) -> Execution | NotYet:
    return execution_of(order, venue_order(content), venue_trades(trades), venue_epoch=3)


def symbol_of(name: str) -> Symbol:
    """The pair of this name, with filters that let everything through."""
    quote = next(asset for asset in QUOTES if name.endswith(asset))
    return Symbol(name, name.removesuffix(quote), quote, *[D("0.00000001")] * 2, D("9e9"), D("0.00000001"), D(0))


def changes(execution: Execution) -> dict[str, str]:
    """What the ledger books for the entry: the change of each asset."""
    totals: dict[str, Decimal] = {}
    for fill in execution.fills:
        for posting in fill_journal(fill, symbol_of(fill.symbol)).postings:
            if posting.account is Account.ENTRY:
                totals[posting.asset] = totals.get(posting.asset, D(0)) + posting.amount
    return {asset: plain(amount) for asset, amount in totals.items() if amount}


def ended(execution: Execution | NotYet) -> Execution:
    assert isinstance(execution, Execution), execution
    return execution


def test_a_filled_order_is_its_trades_with_their_fees() -> None:
    rows = [trade(2, "101", "0.6", "0.0006"), trade(1, "100", "0.4", "0.0004")]
    execution = ended(booked(bought(), answer(quote="100.6"), rows))
    assert (execution.state, execution.reason) == (OrderState.FILLED, "")
    first, second = execution.fills
    assert (first.trade_id, first.quantity, first.price, first.quote_amount) == ("3-1", D("0.4"), D("100"), D("40"))
    assert (second.fee, second.fee_asset, second.at) == (
        D("0.0006"),
        "BTC",
        from_ms(NOON_MS) + timedelta(milliseconds=2),
    )
    assert changes(execution) == {"USDT": "-100.6", "BTC": "0.999"}


def test_a_fee_in_the_quote_is_taken_from_what_a_sale_brings() -> None:
    rows = [trade(1, "100", "1", "0.1", "USDT")]
    assert changes(ended(booked(sold(), answer(side="SELL"), rows))) == {"BTC": "-1", "USDT": "99.9"}


def test_a_fee_in_bnb_is_a_change_of_its_own() -> None:
    rows = [trade(1, "100", "1", "0.00012", "BNB")]
    assert changes(ended(booked(bought(), answer(), rows))) == {"BTC": "1", "USDT": "-100", "BNB": "-0.00012"}


def test_buying_bnb_with_its_fee_in_bnb_leaves_less_of_it() -> None:
    row = trade(1, "100", "1", "0.00075", "BNB", symbol="BNBUSDT")
    execution = booked(bought(symbol="BNBUSDT"), answer(symbol="BNBUSDT"), [row])
    assert changes(ended(execution)) == {"BNB": "0.99925", "USDT": "-100"}


def test_no_fee_is_no_change() -> None:
    row = trade(1, "100", "1", "0.00000000", "BNB")
    assert changes(ended(booked(bought(), answer(), [row]))) == {"BTC": "1", "USDT": "-100"}


@pytest.mark.parametrize("status", ["EXPIRED", "CANCELED", "EXPIRED_IN_MATCH"])
def test_what_a_closed_order_executed_is_booked(status: str) -> None:
    content = answer(status, executed="0.4", quote="40", expiryReason="INSUFFICIENT_LIQUIDITY")
    execution = ended(booked(bought(), content, [trade(1, "100", "0.4")]))
    assert execution.state is OrderState.PARTIAL
    assert execution.reason == f"the exchange says {status}: INSUFFICIENT_LIQUIDITY"
    assert changes(execution) == {"BTC": "0.4", "USDT": "-40"}


@pytest.mark.parametrize(("status", "state"), [("EXPIRED", OrderState.EXPIRED), ("REJECTED", OrderState.REJECTED)])
def test_an_order_that_executed_nothing_ends_without_fills(status: str, state: OrderState) -> None:
    execution = ended(booked(bought(), answer(status, executed="0.00000000", quote="0"), []))
    assert (execution.state, execution.fills) == (state, ())


@pytest.mark.parametrize(
    ("content", "rows", "why"),
    [
        (answer(), [], "trades of 0 are listed, and 1 was executed"),
        (answer(), [trade(1, "100", "0.4")], "trades of 0.4 are listed"),
        (answer(), [trade(1, "100", "1", orderId=42)], "trades of 0 are listed"),
        (answer(), [trade(1, "100", "1", symbol="ETHUSDT")], "trades of 0 are listed"),
        (answer(quote="99"), [trade(1, "100", "1")], "do not add up"),
        (answer("PARTIALLY_FILLED", "0.4", "40"), [trade(1, "100", "0.4")], "the order is PARTIALLY_FILLED"),
        (answer("NEW", "0", "0"), [], "the order is NEW"),
    ],
)
def test_nothing_is_booked_before_all_is_known(content: Any, rows: list[Any], why: str) -> None:
    outcome = booked(bought(), content, rows)
    assert isinstance(outcome, NotYet)
    assert why in outcome.reason


@pytest.mark.parametrize(
    "content",
    [
        answer(clientOrderId="oo-2"),
        answer(symbol="ETHUSDT"),
        answer(side="SELL"),
        answer(origQty="2"),
        answer(executed="1.1", origQty="1"),
        answer(executed="0.4"),
        answer("REJECTED", executed="0.4"),
        answer("SOMETHING_NEW"),
    ],
)
def test_an_answer_that_is_not_about_this_order_is_refused(content: Any) -> None:
    with pytest.raises(Nonsense):
        booked(bought(), content, [trade(1, "100", "1")])


@pytest.mark.parametrize(
    "rows",
    [
        {},
        [1],
        [trade(1, "100", "1"), trade(1, "100", "1")],
        [trade(1, "0", "1")],
        [trade(1, "100", "0")],
        [trade(1, "NaN", "1")],
        [trade(1, "1e2", "1")],
        [trade(1, "100", "1", fee="-1")],
        [{**trade(1, "100", "1"), "qty": 1.0}],
        [{**trade(1, "100", "1"), "time": 10**15}],
    ],
)
def test_trades_that_make_no_sense_are_refused(rows: Any) -> None:
    with pytest.raises(Nonsense):
        venue_trades(rows)


def test_an_attempt_may_have_another_id_than_its_order() -> None:
    found = venue_order(answer(clientOrderId="oo-1-a2"))
    execution = execution_of(bought(), found, venue_trades([trade(1, "100", "1")]), 3, "oo-1-a2")
    assert ended(execution).fills[0].client_order_id == "oo-1"


def test_without_a_total_the_trades_alone_say_what_changed_hands() -> None:
    assert changes(ended(booked(bought(), answer(quote="-1.00000000"), [trade(1, "100", "1")])))["USDT"] == "-100"


@many
@given(st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**10)), min_size=1, max_size=8))
def test_the_amounts_of_trades_add_up_to_the_cut_total(sizes: list[tuple[int, int]]) -> None:
    rows = [trade(n, plain(D(p).scaleb(-8)), plain(D(q).scaleb(-5))) for n, (p, q) in enumerate(sizes, start=1)]
    whole = sum((D(row["price"]) * D(row["qty"]) for row in rows), D(0))
    total = whole.quantize(D("0.00000001"), rounding="ROUND_DOWN")
    amounts = quote_amounts(venue_trades(rows), total)
    assert amounts is not None
    assert sum(amounts, D(0)) == total
    assert amounts == quote_amounts(venue_trades(rows), None)


# -- Orders of the real exchange ------------------------------------------------------------------


def recorded() -> list[Any]:
    records = json.loads(RECORDED.read_text())["records"] if RECORDED.exists() else []
    return [pytest.param(record, id=record["id"]) for record in records]


def rows_of(raw: dict[str, Any]) -> list[Any]:
    """The fills of an order's answer as rows of myTrades, which name the order and carry an instant."""
    moved = {"symbol": raw["symbol"], "orderId": raw["orderId"], "time": raw.get("transactTime") or NOON_MS}
    return [{**fill, **moved, "id": fill.get("tradeId", n)} for n, fill in enumerate(raw.get("fills", []))]


def order_of(raw: dict[str, Any]) -> Order:
    side = Side.BUY if raw["side"] == "BUY" else Side.SELL
    return Order(raw["clientOrderId"], raw["symbol"], side, D(raw["origQty"]), D(1))


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded orders are not here")
def test_there_are_22_recorded_orders() -> None:
    assert len(recorded()) == 22


@pytest.mark.parametrize("record", recorded())
def test_a_real_order_changes_the_balances_as_it_did(record: dict[str, Any]) -> None:
    raw, expected = {"clientOrderId": "cut-off", "orderId": 1, **record["raw"]}, record["expected"]
    raw |= {name: value for name, value in (("clientOrderId", "cut-off"), ("orderId", 1)) if raw[name] is None}
    found = booked(order_of(raw), raw, rows_of(raw))
    if raw["status"] == "NEW":
        assert isinstance(found, NotYet)
        assert expected["net_balance_changes"] == {}
    elif "net_balance_changes" in expected:
        assert changes(ended(found)) == {
            asset: plain(D(amount)) for asset, amount in expected["net_balance_changes"].items()
        }
    else:  # an order's answer without trades: nothing until they are known, whose fee is all that is missing then
        assert isinstance(found, NotYet)
        row = {**trade(1, expected["vwap"], raw["executedQty"]), "symbol": raw["symbol"], "orderId": raw["orderId"]}
        wanted = {a: plain(D(n)) for a, n in expected["net_balance_changes_excluding_commission"].items()}
        assert changes(ended(booked(order_of(raw), raw, [row]))) == wanted
