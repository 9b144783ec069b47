"""Whatever is traded and however its fee is taken: what we book of it is what the account moved, to the last digit."""

import random

import pytest

from market.core.symbols import DEFAULT_SYMBOLS, pick
from portfolio.core.orders import Execution, Fill, Order, Side
from portfolio.core.reconciling import moved_by
from portfolio.core.venue_answers import Acknowledged
from portfolio.core.venue_fills import execution_of
from portfolio.core.venue_orders import market_order, payload_of
from portfolio.testnet import Keys, Testnet
from tests.notation import D
from tests.portfolio.venue_notation import NOON_MS
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.server import venue_double

ORDERS = 40
SYMBOLS = pick(["BTCUSDT", "BNBUSDT", "ADAUSDT"], DEFAULT_SYMBOLS)


def shake(venue: Venue, dice: random.Random) -> str:
    """Another book, another way to take fees, and sometimes an order that ends before it is filled; the symbol."""
    symbol = dice.choice(list(SYMBOLS))
    step, price = SYMBOLS[symbol].step, dice.randint(500_000, 99_999_999)  # 4 places; with a step of 5, amounts are cut
    rows = [[str(D(price + n) / 10_000), str(step * dice.randint(500, 9_000))] for n in range(1, 6)]
    venue.set(
        books={symbol: {"asks": rows, "bids": rows[::-1]}}, prices={symbol: str(D(price) / 10_000), "BNBUSDT": "500"}
    )
    venue.set(commission=dice.choice(["received", "BNB", "none"]))
    if dice.random() < 0.3:
        venue.script("POST /api/v3/order", faults.expires(dice.choice(["0", "0.3", "0.77"])))
    return symbol


@pytest.mark.parametrize("seed", range(3))
def test_what_is_booked_is_what_the_account_moved(seed: int) -> None:
    dice, fills, placed = random.Random(seed), list[Fill](), 0
    with (
        venue_double(lambda: NOON_MS) as venue,
        Testnet(Keys(KEY, SECRET), venue.url, clock=lambda: NOON_MS / 1000) as us,
    ):
        venue.set(balances={"USDT": "1000000", "BTC": "10", "BNB": "100", "ADA": "100000"})
        before = us.balances()
        for number in range(ORDERS):
            symbol = shake(venue, dice)
            quantity = SYMBOLS[symbol].step * dice.randint(1, 20_000)
            order = Order(f"oo-{number}", symbol, dice.choice(list(Side)), quantity, D(1))
            outcome = us.send(payload_of(market_order(order, order.client_order_id, NOON_MS)), order.client_order_id)
            if not isinstance(outcome, Acknowledged):
                continue
            placed += 1
            found = us.order(symbol, order.client_order_id)
            assert found is not None
            execution = execution_of(order, found, us.trades(symbol, found.order_id), venue_epoch=1)
            assert isinstance(execution, Execution), execution
            fills += execution.fills
        after = us.balances()
    moved = {a: after.get(a, D(0)) - before.get(a, D(0)) for a in {*after, *before}}
    assert {asset: amount for asset, amount in moved.items() if amount} == moved_by(fills, SYMBOLS)
    assert placed > ORDERS // 4
    assert len(fills) > placed, "most orders meet several levels"
    assert len({fill.fee_asset for fill in fills if fill.fee}) >= 3
    assert any(fill.price * fill.quantity != fill.quote_amount for fill in fills), "some amounts were cut"
