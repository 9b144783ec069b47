"""What holds for whatever a fund is rebalanced from and to: the filters, the money, the band, and then no more."""

from hypothesis import given
from hypothesis import strategies as st

from market.core.symbols import round_down_to_step
from portfolio.core.book import overdrawn
from portfolio.core.orders import Side
from portfolio.core.rebalance import (
    set_course,
)
from tests.notation import D, many
from tests.portfolio import decimal_planner
from tests.portfolio.funds import Fund, any_fund, tidy_fund


@many
@given(any_fund())
def test_every_order_meets_every_filter(fund: Fund) -> None:
    funded = fund.fill(fund.book, fund.sells())
    for leg in (*fund.sells().legs, *fund.buys(funded).legs):
        symbol = fund.symbols[leg.symbol]
        assert leg.quantity % symbol.step == 0
        assert symbol.min_quantity <= leg.quantity <= symbol.max_quantity
        assert leg.quantity * leg.reference_price >= symbol.min_notional
        assert leg.reference_price == fund.prices[leg.symbol]


@many
@given(any_fund())
def test_filled_orders_never_take_more_than_there_is(fund: Fund) -> None:
    funded = fund.fill(fund.book, fund.sells())
    assert overdrawn(funded) == ()
    assert overdrawn(fund.fill(funded, fund.buys(funded))) == ()


@many
@given(any_fund())
def test_a_symbol_is_ordered_or_skipped_once_and_never_bought_and_sold(fund: Fund) -> None:
    sells = fund.sells()
    buys = fund.buys(fund.fill(fund.book, sells))
    told = [leg.symbol for plan in (sells, buys) for leg in (*plan.legs, *plan.skipped)]
    assert len(told) == len(set(told))
    assert {leg.side for leg in sells.legs} <= {Side.SELL}
    assert {leg.side for leg in buys.legs} <= {Side.BUY}


@many
@given(any_fund())
def test_orders_lead_toward_the_target_and_not_past_it(fund: Fund) -> None:
    wanted, funded = fund.wanted(), fund.fill(fund.book, fund.sells())
    for leg in fund.sells().legs:
        assert fund.book.of(fund.symbols[leg.symbol].base) - leg.quantity >= wanted[leg.symbol]
    for leg in fund.buys(funded).legs:
        assert fund.book.of(fund.symbols[leg.symbol].base) + leg.quantity <= wanted[leg.symbol]


@many
@given(any_fund())
def test_all_buys_are_scaled_by_the_same_factor(fund: Fund) -> None:
    """Each bought quantity is its wish times cash / needed, down to the step; then a step or 1e-7 USDT less at most."""
    funded = fund.fill(fund.book, fund.sells())
    buys = fund.buys(funded)
    wishes = {}
    for leg in buys.legs:
        symbol = fund.symbols[leg.symbol]
        missing = min(fund.wanted()[leg.symbol] - funded.of(symbol.base), symbol.max_quantity)
        wishes[leg.symbol] = round_down_to_step(missing, symbol.step)
    needed = sum((fund.costs.to_buy(wish, fund.prices[name]) for name, wish in wishes.items()), D(0))
    for leg in buys.legs:
        symbol, share = fund.symbols[leg.symbol], wishes[leg.symbol] * min(D(1), funded.of("USDT") / needed)
        slack = symbol.step + D("0.0000001") / leg.reference_price
        assert round_down_to_step(share, symbol.step) - slack <= leg.quantity <= share


@many
@given(tidy_fund())
def test_a_repeated_target_at_the_same_prices_gives_no_order(fund: Fund) -> None:
    """Holds while a step is worth at most a ten-thousandth of the fund, and no largest quantity is in reach."""
    assert fund.rebalanced().orders() == []


@many
@given(tidy_fund())
def test_after_one_run_every_position_is_within_the_band_or_short_of_cash(fund: Fund) -> None:
    after = fund.rebalanced()
    for name, quantity in fund.wanted().items():
        excess = (after.book.of(name[:3]) - quantity) * fund.prices[name]
        assert (
            excess < max(fund.aim().band, fund.symbols[name].min_notional) + fund.symbols[name].step * fund.prices[name]
        )


@many
@given(any_fund())
def test_the_value_falls_by_what_trading_costs_and_by_nothing_else(fund: Fund) -> None:
    traded = sum(
        leg.quantity * leg.reference_price
        for leg in (*fund.sells().legs, *fund.buys(fund.fill(fund.book, fund.sells())).legs)
    )
    stated = (fund.costs.fee_bps + fund.costs.slippage_bps) / 10_000
    lost = fund.value - fund.rebalanced().value
    assert 0 <= lost <= traded * (stated + fund.costs.fee_bps * fund.costs.slippage_bps / 10**8) + D("0.01") * 1000


@many
@given(st.one_of(any_fund(), tidy_fund()))
def test_whole_numbers_come_to_what_decimals_come_to(fund: Fund) -> None:
    found = set_course(fund.book, fund.prices, fund.symbols, fund.target, fund.costs)
    costs = decimal_planner.DecimalCosts(fund.costs.fee_bps, fund.costs.slippage_bps)
    with decimal_planner.in_many_digits():
        plain = decimal_planner.set_course(fund.value, fund.book, fund.prices, fund.symbols, fund.target, costs)
    assert found.aim.wanted == plain.aim.wanted
    assert (found.sells, found.buys) == (plain.sells[:2], plain.buys[:2])
    assert (found.funded.balances, found.after) == (plain.funded, fund.rebalanced().book)
