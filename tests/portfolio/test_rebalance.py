"""From target weights to orders: sells first, inside every filter, never more than there is, and then no more."""

import pytest

from portfolio.core.book import MissingPrice
from portfolio.core.brokers import Costs
from portfolio.core.purchases import BELOW_NOTIONAL, BELOW_STEP, NO_CASH, WITHIN_BAND
from portfolio.core.rebalance import (
    NO_PRICE,
    Aim,
    Target,
    plan_buys,
)
from tests.notation import B, D, P, S, W, coin, held, legs, listed, skips
from tests.portfolio.funds import USUAL, fund


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
