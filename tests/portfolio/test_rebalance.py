"""From target weights to orders: sells first, inside every filter, never more than there is, and then no more."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from market.core.symbols import Symbol, round_down_to_step
from portfolio.core.book import Book, Journal, MissingPrice, fill_journal, fold, overdrawn, value_of
from portfolio.core.brokers import Costs, PaperBroker
from portfolio.core.orders import Order, Side
from portfolio.core.purchases import BELOW_NOTIONAL, BELOW_STEP, NO_CASH, WITHIN_BAND
from portfolio.core.rebalance import (
    NO_PRICE,
    Aim,
    Leg,
    Plan,
    Target,
    plan_buys,
    plan_sells,
    set_course,
)
from tests.notation import MONDAY, B, D, P, S, W, coin, held, legs, listed, many, skips
from tests.portfolio import decimal_planner

USUAL = Costs(D(10), D(5))  # 0.1 % fee, 0.05 % slippage


@dataclass(frozen=True)
class Fund:
    """A portfolio, where it shall go, and what that costs."""

    book: Book
    prices: Mapping[str, Decimal]
    symbols: Mapping[str, Symbol]
    target: Target
    costs: Costs

    @property
    def value(self) -> Decimal:
        return value_of(self.book, self.prices, self.symbols, "USDT")

    def aim(self) -> Aim:
        return set_course(self.book, self.prices, self.symbols, self.target, self.costs).aim

    def wanted(self) -> Mapping[str, Decimal]:
        return self.aim().wanted

    def sells(self) -> Plan:
        return plan_sells(self.book, self.prices, self.symbols, self.target, self.aim())

    def buys(self, book: Book) -> Plan:
        return plan_buys(book, self.prices, self.symbols, self.target, self.aim(), self.costs)

    def fill(self, book: Book, plan: Plan) -> Book:
        return fold((self._filled(leg) for leg in plan.legs), book)

    def _filled(self, leg: Leg) -> Journal:
        broker = PaperBroker(self.prices, self.symbols, self.costs, MONDAY)
        order = Order("oo-1", leg.symbol, leg.side, leg.quantity, leg.reference_price)
        return fill_journal(broker.place(order).fills[0], self.symbols[leg.symbol])

    def rebalanced(self) -> "Fund":
        """The same fund after its sells and buys were filled."""
        funded = self.fill(self.book, self.sells())
        return replace(self, book=self.fill(funded, self.buys(funded)))

    def orders(self) -> list[str]:
        sells = self.sells()
        return [*legs(sells), *legs(self.buys(self.fill(self.book, sells)))]

    def skipped(self) -> list[str]:
        sells = self.sells()
        return [*skips(sells), *skips(self.buys(self.fill(self.book, sells)))]


def fund(
    book: str,
    prices: str,
    weights: str,
    band: str = "0.005",
    costs: Costs = USUAL,
    symbols: Mapping[str, Symbol] | None = None,
) -> Fund:
    return Fund(B(book), P(prices), symbols or S("BTC, ETH"), Target(W(weights), "USDT", D(band)), costs)


# By example


def test_from_cash_the_weights_are_bought_rounded_down_to_the_step() -> None:
    # Paying for it takes 10.49 and leaves 9989.51: 9989.51 * 0.4 / 30000 = 0.133193.. BTC, in steps of 0.00001,
    # and 9989.51 * 0.3 / 7000 = 0.428121.. ETH, in steps of 0.0001
    wanting = fund("10000 USDT", "BTC 30000, ETH 7000", "BTC 40%, ETH 30%")
    assert wanting.orders() == ["buy 0.13319 BTCUSDT", "buy 0.4281 ETHUSDT"]


def test_sells_come_first_and_their_proceeds_pay_for_the_buys() -> None:
    turned = fund("1 BTC", "BTC 50000, ETH 2500", "ETH 100%")
    # sold: 50000 * 0.9995 = 49975, less 0.1 % = 49925.025
    # wanted: what is left, at 2500; one costs 2500 * 1.0005 * 1.001 = 2503.75125
    # 49925.025 / 2503.75125 = 19.94009.. -> 19.94
    assert turned.orders() == ["sell 1 BTCUSDT", "buy 19.94 ETHUSDT"]
    # 49925.025 - 19.94 * 2503.75125 = 0.225075
    assert held(turned.rebalanced().book) == "19.94 ETH, 0.225075 USDT"


def test_when_cash_is_short_every_buy_is_scaled_alike() -> None:
    # 100.4 % are wanted, as the tolerance allows, and the cash reaches for 99.45 % of that
    full = fund("10000 USDT", "BTC 50000, ETH 2500", "BTC 50.2%, ETH 50.2%")
    assert full.orders() == ["buy 0.09984 BTCUSDT", "buy 1.997 ETHUSDT"]


def test_all_of_the_money_is_all_that_is_left_after_paying() -> None:
    # 10000 / (1.0005 * 1.001) = 9985.017.., and half of it is 0.09985.. BTC or 1.9970.. ETH
    full = fund("10000 USDT", "BTC 50000, ETH 2500", "BTC 50%, ETH 50%")
    assert full.orders() == ["buy 0.09985 BTCUSDT", "buy 1.997 ETHUSDT"]
    assert full.rebalanced().orders() == []


def test_a_weight_not_named_is_zero_and_sells_everything() -> None:
    assert fund("1 BTC, 1 ETH", "BTC 50000, ETH 2500", "BTC 96%").orders()[0] == "sell 1 ETHUSDT"
    assert fund("1 BTC", "BTC 50000", "USDT 100%").orders() == ["sell 1 BTCUSDT"]
    assert fund("1 BTC", "BTC 50000", "").orders() == ["sell 1 BTCUSDT"]


def test_what_the_filters_do_not_let_go_stays_as_dust_and_says_why() -> None:
    leaving = fund("1.0000099 BTC, 0.0015 ETH", "BTC 50000, ETH 2500", "USDT 100%")
    # 0.0015 ETH are worth 3.75, below 5; of BTC 0.0000099 is less than a step
    assert leaving.orders() == ["sell 1 BTCUSDT"]
    assert leaving.skipped() == [f"sell 0.0015 ETHUSDT: {BELOW_NOTIONAL}"]
    after = leaving.rebalanced()
    assert (after.book.of("BTC"), after.book.of("ETH")) == (D("0.0000099"), D("0.0015"))
    assert after.orders() == []
    assert after.skipped() == [f"sell 0 BTCUSDT: {BELOW_STEP}", f"sell 0.0015 ETHUSDT: {BELOW_NOTIONAL}"]


def test_a_zero_weight_is_sold_even_when_it_is_smaller_than_the_drift_band() -> None:
    # 0.0008 BTC are worth 40, and the band is 0.005 * 10040 = 50.2
    assert fund("10000 USDT, 0.0008 BTC", "BTC 50000", "USDT 100%").orders() == ["sell 0.0008 BTCUSDT"]


@pytest.mark.parametrize(
    ("book", "expected"),
    [
        ("5000 USDT, 0.1 BTC", []),
        ("4960 USDT, 0.1008 BTC", [f"sell 0.0008 BTCUSDT: {WITHIN_BAND}"]),  # 40 of 50
        ("5040 USDT, 0.0992 BTC", [f"buy 0.0008 BTCUSDT: {WITHIN_BAND}"]),
    ],
)
def test_a_small_drift_is_left_alone_with_the_reason(book: str, expected: list[str]) -> None:
    drifted = fund(book, "BTC 50000", "BTC 50%")
    assert drifted.orders() == []
    assert drifted.skipped() == expected


@pytest.mark.parametrize(
    ("book", "expected"),
    [
        ("4950 USDT, 0.101 BTC", ["sell 0.00101 BTCUSDT"]),  # 50 of 50, and half of what selling costs
        ("5055 USDT, 0.0989 BTC", ["buy 0.00109 BTCUSDT"]),  # 55 of 50
        ("5050 USDT, 0.099 BTC", []),  # 50 of 50; paying for it would bring it back inside
    ],
)
def test_a_drift_of_the_band_is_put_right_if_it_still_is_one_after_paying(book: str, expected: list[str]) -> None:
    drifted = fund(book, "BTC 50000", "BTC 50%")
    assert drifted.orders() == expected
    assert drifted.rebalanced().orders() == []


def test_a_symbol_without_a_price_is_skipped_with_the_reason_and_the_others_go_on() -> None:
    half = fund("10000 USDT", "BTC 50000", "BTC 40%, ETH 30%")
    assert half.orders() == ["buy 0.07995 BTCUSDT"]
    assert half.skipped() == [f"buy 0 ETHUSDT: {NO_PRICE}"]


def test_a_held_asset_without_a_price_stops_the_plan() -> None:
    unpriced = fund("10000 USDT, 1 ETH", "BTC 50000", "BTC 40%")
    for planned in (unpriced.sells, lambda: unpriced.buys(unpriced.book)):
        with pytest.raises(MissingPrice, match="1 ETH"):
            planned()


def test_without_cash_nothing_is_bought_and_the_reason_is_told() -> None:
    # the sell that should have paid for it did not happen
    unfunded = fund("1 BTC", "BTC 50000, ETH 2500", "ETH 100%")
    assert (legs(unfunded.buys(unfunded.book)), skips(unfunded.buys(unfunded.book))) == (
        [],
        [f"buy 19.94 ETHUSDT: {NO_CASH}"],
    )


def test_no_order_is_larger_than_the_exchange_takes() -> None:
    small = listed(coin("BTC", "0.1", max_quantity="2.05"))
    assert fund("1000 USDT", "BTC 100", "BTC 100%", symbols=small).orders() == ["buy 2 BTCUSDT"]
    assert fund("100 BTC", "BTC 100", "USDT 100%", symbols=small).orders() == ["sell 2 BTCUSDT"]


def test_a_buy_that_scaling_takes_below_the_minimum_is_skipped_with_the_reason() -> None:
    # the wish of 10 costs 10.015015, cash is 5: 10 * 0.49925 = 4.9925 and 5 is the least that can be traded
    target = Target(W("BTC 10%"), "USDT", D("0.005"))
    plan = plan_buys(
        B("5 USDT, 95 ETH"), P("BTC 1, ETH 1"), S("BTC, ETH"), target, Aim({"BTCUSDT": D(10)}, D("0.5")), USUAL
    )
    assert (legs(plan), skips(plan)) == ([], [f"buy 10 BTCUSDT: {BELOW_NOTIONAL}"])


def test_of_two_buys_that_only_roundings_make_too_dear_the_smaller_is_given_up() -> None:
    # both scaled to 0.1: 0.2911455 + 0.00002912 and 0.094047 + 0.00000941 are 0.00000001 more than there is
    symbols, aim = listed(coin("AAA", "0.1"), coin("BBB", "0.1")), Aim({"AAAUSDT": D("0.2"), "BBBUSDT": D("0.2")}, D(0))
    target, costs = Target(W("AAA 75%, BBB 25%"), "USDT", D("0.005")), Costs(D(1), D(5))
    plan = plan_buys(B("0.38523102 USDT"), P("AAA 2.91, BBB 0.94"), symbols, target, aim, costs)
    assert (legs(plan), skips(plan)) == (["buy 0.1 AAAUSDT"], [f"buy 0.2 BBBUSDT: {NO_CASH}"])


def test_roundings_that_add_up_are_paid_for_in_steps_and_never_in_debt() -> None:
    # two of the smallest units of cash: 0.00013333 would take 2 of them and 1 as fee, 0.00009999 takes 1 and 1
    symbols = listed(coin("AAA", "0.00000001"))
    cents = fund("0.00000002 USDT", "AAA 0.0001", "AAA 100%", costs=Costs(D(1), D(0)), symbols=symbols)
    assert cents.orders() == ["buy 0.00009999 AAAUSDT"]
    assert held(cents.rebalanced().book) == "0.00009999 AAA"


def test_a_repeated_target_gives_no_order_though_a_position_was_at_the_edge_of_the_band() -> None:
    # Value 10000: BTC is 5049.5, 49.5 too much, and the band 50. But buying ETH costs 7.4, and of what is left BTC
    # is 53.5 too much, and the band 49.96: so it is sold in the first run and not in the second.
    edge = fund("4950.5 USDT, 0.10099 BTC", "BTC 50000, ETH 2500", "BTC 50%, ETH 50%")
    assert edge.rebalanced().orders() == []


def test_a_repeated_target_gives_no_order_though_scaling_took_buys_below_the_minimum() -> None:
    # Value 100, of which 4.9 CCC are dust. Scaled by 95.1 / 100.15, BBB and DDD would fall below 5. Only DDD, the
    # smaller one, is given up, and its cash is enough for BBB: nothing is left for a second run.
    symbols = listed(*(coin(base, "0.01", min_notional="5") for base in ("AAA", "BBB", "CCC", "DDD")))
    prices = "AAA 1, BBB 1, CCC 1, DDD 1"
    tight = fund("95.1 USDT, 4.9 CCC", prices, "AAA 89.8%, BBB 5.2%, DDD 5%", symbols=symbols)
    assert tight.rebalanced().orders() == []


# By property

FILTERS = st.builds(
    lambda step, least, most, notional: (D(step), D(step) * least, D(step) * most, D(notional)),
    st.sampled_from(["0.00000001", "0.00001", "0.001", "0.25", "0.3", "1", "7"]),
    st.sampled_from([D("0.5"), D(1), D("2.5"), D(100)]),
    st.sampled_from([D(10**9), D(10_000), D("1000.5")]),
    st.sampled_from(["0", "5", "100"]),
)
BASES = ("AAA", "BBB", "CCC", "DDD")


@st.composite
def any_fund(draw: st.DrawFn) -> Fund:
    """Any book, any filters, any prices, some of them absent, any weights: only the rules on the band are kept."""
    count = draw(st.integers(1, 4))
    symbols, prices, balances, weights = {}, {}, {}, {}
    parts = draw(st.lists(st.integers(0, 100), min_size=count + 1, max_size=count + 1).filter(any))
    for base, part in zip(BASES[:count], parts, strict=False):
        name = f"{base}USDT"
        step, least, most, notional = draw(FILTERS)
        symbols[name] = Symbol(name, base, "USDT", step, least, most, D("0.01"), notional)
        balances[base] = draw(st.just(D(0)) | st.decimals(0, 10_000, places=8))
        if balances[base] or draw(st.integers(0, 5)):
            prices[name] = draw(st.decimals("0.0001", 100_000, places=4))
        weights[name] = Decimal(part) / sum(parts)
    balances["USDT"] = draw(st.decimals(0, 10**6, places=8))
    fee, slip = draw(st.sampled_from([0, 1, 10, 75])), draw(st.sampled_from([0, 5, 50]))
    band = Decimal(2 * (fee + slip)) / 10_000 + D("0.001") + draw(st.sampled_from([D(0), D("0.01")]))
    book = Book({asset: amount for asset, amount in balances.items() if amount})
    return Fund(book, prices, symbols, Target(weights, "USDT", band), Costs(D(fee), D(slip)))


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


@st.composite
def tidy_fund(draw: st.DrawFn) -> Fund:
    """A fund for which the planner is a fixed point: steps and minimum far below the band, no largest quantity."""
    count, worth = draw(st.integers(1, 4)), draw(st.integers(5_000, 10_000_000))
    fee, slip = draw(st.sampled_from([0, 1, 10, 75])), draw(st.sampled_from([0, 5, 50]))
    band = Decimal(2 * (fee + slip)) / 10_000 + D("0.001") + draw(st.sampled_from([D(0), D("0.01")]))
    notional = draw(st.sampled_from([D(0), worth * band / 3]))
    prices = {f"{base}USDT": draw(st.decimals("0.01", 100_000, places=2)) for base in BASES[:count]}
    symbols = {}
    for name, price in prices.items():
        step = D(10) ** (worth / price / 10_000).adjusted()  # a step is worth at most a ten-thousandth of the fund
        symbols[name] = Symbol(name, name[:3], "USDT", step, step, D(10) ** 15, D("0.01"), notional)
    sizes = st.lists(st.integers(0, 100), min_size=count + 1, max_size=count + 1).filter(any)
    shares, goals = draw(sizes), draw(sizes)
    balances = {"USDT": (worth * Decimal(shares[-1]) / sum(shares)).quantize(D("1E-8"))}
    weights = {}
    for (name, price), share, goal in zip(prices.items(), shares, goals, strict=False):
        balances[name[:3]] = (worth * Decimal(share) / sum(shares) / price).quantize(D("1E-8"))
        drift = draw(st.none() | st.integers(-8, 8))
        near = Decimal(share) / sum(shares) + band * (drift or 0) / 4
        weights[name] = Decimal(goal) / sum(goals) if drift is None else max(D(0), near)
    assume(sum(weights.values()) <= 1)
    book = Book({asset: amount for asset, amount in balances.items() if amount})
    return Fund(book, prices, symbols, Target(weights, "USDT", band), Costs(D(fee), D(slip)))


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
