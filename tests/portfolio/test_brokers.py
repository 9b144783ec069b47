"""What trading costs, and the broker that fills everything at stated costs; every rounding goes against the trader."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.exact import atoms
from portfolio.core.book import fill_journal, fold, overdrawn
from portfolio.core.brokers import Costs, PaperBroker
from portfolio.core.orders import Execution, OrderState, Side
from tests.notation import MONDAY, B, D, P, S, held, many, order, some

SYMBOLS = S("BTC, ETH")
FREE = Costs(D(0), D(0))
USUAL = Costs(D(10), D(5))  # 0.1 % fee, 0.05 % slippage

bps = st.decimals(0, 1000, places=4)
quantities = st.decimals("0.00001", 9000, places=5)
prices = st.decimals("0.01", 200_000, places=2)
costs = st.builds(Costs, bps, bps)


def place(text: str, costs: Costs = USUAL) -> Execution:
    return PaperBroker(P("BTC 50000"), SYMBOLS, costs, MONDAY).place(order(text, "oo-abc-00001-01"))


def test_a_buy_is_filled_whole_above_the_reference_price_and_pays_its_fee_in_quote() -> None:
    (filled,) = place("buy 0.2 BTC").fills
    # 50000 * 1.0005 = 50025; * 0.2 = 10005; * 0.001 = 10.005
    assert (filled.price, filled.quote_amount, filled.fee) == (D(50_025), D(10_005), D("10.005"))
    assert (filled.quantity, filled.fee_asset, filled.at) == (D("0.2"), "USDT", MONDAY)
    assert held(fold([fill_journal(filled, SYMBOLS["BTCUSDT"])], B("10015.005 USDT"))) == "0.2 BTC"


def test_a_sell_is_filled_below_the_reference_price() -> None:
    (filled,) = place("sell 0.2 BTC").fills
    # 50000 * 0.9995 = 49975; * 0.2 = 9995; * 0.001 = 9.995
    assert (filled.price, filled.quote_amount, filled.fee) == (D(49_975), D(9995), D("9.995"))


def test_the_trade_id_comes_from_the_order_so_that_a_second_run_finds_the_same() -> None:
    assert place("buy 0.2 BTC").fills[0].trade_id == "oo-abc-00001-01/1"
    assert place("buy 0.2 BTC") == place("buy 0.2 BTC")


def test_without_a_price_an_order_is_rejected_with_the_reason_and_not_filled() -> None:
    rejected = place("buy 1 ETH")
    assert (rejected.state, rejected.fills) == (OrderState.REJECTED, ())
    assert rejected.reason == "no price for ETHUSDT"


def test_roundings_go_against_the_trader_to_eight_places() -> None:
    # 3.33 * 0.3333333 = 1.109999889 -> up when paid, down when received; fee 0.00110999... -> up
    _, paid, fee = Costs(D(10), D(0)).executed(Side.BUY, D("0.3333333"), D("3.33"))
    assert (paid, fee) == (D("1.10999989"), D("0.00111000"))
    _, received, fee = Costs(D(10), D(0)).executed(Side.SELL, D("0.3333333"), D("3.33"))
    assert (received, fee) == (D("1.10999988"), D("0.00111000"))


def test_without_costs_a_trade_is_at_the_reference_price() -> None:
    assert FREE.executed(Side.BUY, D(2), D(100)) == (D(100), D(200), D(0))
    assert FREE.to_buy(D(2), D(100)) == 200


@many
@given(costs, quantities, prices)
def test_a_trade_costs_what_is_stated_and_never_less(costs: Costs, quantity: Decimal, price: Decimal) -> None:
    stated_slip, stated_fee = costs.slippage_bps / 10_000, costs.fee_bps / 10_000
    _, paid, buy_fee = costs.executed(Side.BUY, quantity, price)
    _, received, sell_fee = costs.executed(Side.SELL, quantity, price)
    assert paid >= quantity * price * (1 + stated_slip)
    assert received <= quantity * price * (1 - stated_slip)
    assert buy_fee >= paid * stated_fee
    assert sell_fee >= received * stated_fee
    # roundings: 1e-8 on the price, on the amount and on the fee
    rounding = (quantity + 2) * D("0.00000001") * 2
    assert paid + buy_fee <= quantity * price * (1 + stated_slip) * (1 + stated_fee) + rounding
    assert received >= quantity * price * (1 - stated_slip) - rounding


@many
@given(costs, quantities, prices)
def test_what_the_planner_reckons_in_atoms_is_what_is_executed(costs: Costs, quantity: Decimal, price: Decimal) -> None:
    _, paid, buy_fee = costs.executed(Side.BUY, quantity, price)
    _, received, sell_fee = costs.executed(Side.SELL, quantity, price)
    assert costs.taken(atoms(price), atoms(quantity)) == atoms(paid + buy_fee)
    assert costs.brought(atoms(price), atoms(quantity)) == atoms(received - sell_fee)


@some
@given(costs, quantities, quantities, prices)
def test_buying_more_never_takes_less_cash(costs: Costs, one: Decimal, other: Decimal, price: Decimal) -> None:
    less, more = sorted((one, other))
    assert costs.to_buy(less, price) <= costs.to_buy(more, price)


@some
@given(costs, quantities, prices)
def test_buying_takes_exactly_the_cash_it_was_said_to_take(costs: Costs, quantity: Decimal, price: Decimal) -> None:
    broker = PaperBroker({"BTCUSDT": price}, SYMBOLS, costs, MONDAY)
    (filled,) = broker.place(order(f"buy {quantity} BTC")).fills
    cash = costs.to_buy(quantity, price)
    after = fold([fill_journal(filled, SYMBOLS["BTCUSDT"])], B(f"{cash} USDT"))
    assert overdrawn(after) == ()
    assert after.of("USDT") == 0


def test_a_cheap_coin_costs_no_more_than_stated() -> None:
    # 10^9 * 0.0000012 = 1200; less 0.05 % is 1199.4, and 1199.4 * 0.001 = 1.1994 goes in fees
    _, received, fee = USUAL.executed(Side.SELL, D(10**9), D("0.0000012"))
    assert received - fee == pytest.approx(D("1198.2006"), abs=D("0.0001"))


def test_selling_the_cheapest_of_coins_still_brings_something() -> None:
    price, received, _ = USUAL.executed(Side.SELL, D(10**9), D("0.00000001"))
    assert price > 0
    assert received > 0
