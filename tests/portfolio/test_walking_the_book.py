"""On paper an order walks the recorded order book, pays the stated slippage only beyond it, and never overdraws."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from market.core.canonical import plain
from market.core.depth import Level, OrderBook, mid_price
from portfolio.core.book import fill_journal, fold, overdrawn
from portfolio.core.brokers import DEARER, Costs, PaperBroker
from portfolio.core.orders import Execution, OrderState
from tests.notation import MONDAY, B, D, P, S, many, order

SYMBOLS = S("BTC, ETH")
USUAL = Costs(D(10), D(5))  # 0.1 % fee, 0.05 % slippage
FREE = Costs(D(0), D(5))


def book(bids: str, asks: str) -> OrderBook:
    """`0.1 at 49999, 2 at 49998`, best first."""

    def side(text: str) -> tuple[Level, ...]:
        pairs = (part.split(" at ") for part in text.split(", "))
        return tuple(Level(D(price), D(quantity)) for quantity, price in pairs)

    return OrderBook("BTCUSDT", side(bids), side(asks))


BOOK = book(bids="0.1 at 49999, 0.2 at 49990", asks="0.1 at 50001, 0.2 at 50010")


def place(text: str, costs: Costs = USUAL, depth: OrderBook = BOOK) -> Execution:
    broker = PaperBroker(P("BTC 50000"), SYMBOLS, costs, MONDAY, {"BTCUSDT": depth})
    return broker.place(order(text, "oo-abc-00001-01", "50000"))


def lines(execution: Execution) -> list[str]:
    return [f"{plain(fill.quantity)} at {plain(fill.price)} for {plain(fill.quote_amount)}" for fill in execution.fills]


def test_a_small_buy_pays_the_best_ask_without_slippage() -> None:
    bought = place("buy 0.05 BTC")
    # 0.05 * 50001 = 2500.05, fee 2.50005
    assert lines(bought) == ["0.05 at 50001 for 2500.05"]
    assert (bought.state, bought.fills[0].fee) == (OrderState.FILLED, D("2.50005"))


def test_a_buy_walks_level_by_level_with_a_fill_for_each() -> None:
    bought = place("buy 0.25 BTC")
    assert lines(bought) == ["0.1 at 50001 for 5000.1", "0.15 at 50010 for 7501.5"]
    assert [fill.trade_id for fill in bought.fills] == ["oo-abc-00001-01/1", "oo-abc-00001-01/2"]


def test_what_is_beyond_the_recorded_levels_pays_the_stated_slippage_on_the_last_of_them() -> None:
    sold = place("sell 0.5 BTC")
    # beyond 0.3: 49990 * 0.9995 = 49965.005
    assert lines(sold) == [
        "0.1 at 49999 for 4999.9",
        "0.2 at 49990 for 9998",
        "0.2 at 49965.005 for 9993.001",
    ]
    assert sold.state is OrderState.FILLED


def test_a_buy_in_a_dear_book_stops_where_the_planned_cash_ends_and_says_so() -> None:
    # planned: 1 * 50000 * 1.0005 = 50025; a tenth at 50001 leaves 45024.9, which buys 0.89153 at 50503 and no more
    bought = place("buy 1 BTC", FREE, book(bids="1 at 49999", asks="0.1 at 50001, 2 at 50503"))
    assert lines(bought)[0] == "0.1 at 50001 for 5000.1"
    assert (bought.state, bought.reason) == (OrderState.PARTIAL, DEARER)
    spent = sum(fill.quote_amount for fill in bought.fills)
    assert D(50_025) - D(50_503) * SYMBOLS["BTCUSDT"].step < spent <= D(50_025)


def test_a_book_of_which_nothing_is_affordable_lets_the_order_expire() -> None:
    step = SYMBOLS["BTCUSDT"].step
    expired = place(f"buy {step} BTC", FREE, book(bids="1 at 49999", asks="1 at 60000"))
    assert (expired.state, expired.fills, expired.reason) == (OrderState.EXPIRED, (), DEARER)


def test_a_symbol_without_a_recorded_book_is_filled_as_ever() -> None:
    broker = PaperBroker(P("BTC 50000, ETH 3000"), SYMBOLS, USUAL, MONDAY, {"BTCUSDT": BOOK})
    without = PaperBroker(P("BTC 50000, ETH 3000"), SYMBOLS, USUAL, MONDAY)
    assert broker.place(order("buy 2 ETH")) == without.place(order("buy 2 ETH"))


def test_a_halted_symbol_is_rejected_with_what_the_exchange_says() -> None:
    broker = PaperBroker(P("BTC 50000"), SYMBOLS, USUAL, MONDAY, {"BTCUSDT": BOOK}, {"BTCUSDT": "it says HALT"})
    rejected = broker.place(order("buy 0.1 BTC"))
    assert (rejected.state, rejected.fills, rejected.reason) == (OrderState.REJECTED, (), "it says HALT")


def test_the_middle_of_a_book_is_exact() -> None:
    assert mid_price(book(bids="1 at 0.00001234", asks="1 at 0.00001235")) == D("0.000012345")


steps = st.integers(1, 400).map(lambda n: n * D("0.00001"))
sides = st.lists(st.tuples(st.integers(1, 300), steps), min_size=1, max_size=6, unique_by=lambda level: level[0])
bps = st.decimals(0, 100, places=2)


@many
@given(sides, sides, st.integers(1, 3000).map(lambda n: n * D("0.00001")), st.builds(Costs, bps, bps))
def test_a_buy_never_costs_more_than_it_was_planned_with_and_a_sell_always_sells_all(
    below: list[tuple[int, Decimal]], above: list[tuple[int, Decimal]], quantity: Decimal, costs: Costs
) -> None:
    bids = tuple(Level(D(50_000) - cents, size) for cents, size in sorted(below))
    asks = tuple(Level(D(50_000) + cents, size) for cents, size in sorted(above))
    depth = OrderBook("BTCUSDT", bids, asks)
    cash = costs.to_buy(quantity, D(50_000))
    bought = place(f"buy {quantity} BTC", costs, depth)
    after = fold([fill_journal(fill, SYMBOLS["BTCUSDT"]) for fill in bought.fills], B(f"{cash} USDT"))
    assert overdrawn(after) == ()
    got = sum((fill.quantity for fill in bought.fills), D(0))
    assert (got == quantity) is (bought.state is OrderState.FILLED)
    assert got <= quantity
    sold = place(f"sell {quantity} BTC", costs, depth)
    assert sum((fill.quantity for fill in sold.fills), D(0)) == quantity
    assert sold.state is OrderState.FILLED
    assert all(fill.price <= 49_999 for fill in sold.fills)
