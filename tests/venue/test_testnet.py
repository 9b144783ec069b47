"""Our signed client against an exchange that checks what the real one checks."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from market.core.answers import ExchangeError, Refused, Unusable
from market.core.exchange_info import listings, market_maxima
from portfolio.core.orders import Execution, Order, OrderState
from portfolio.core.venue_answers import Acknowledged, AlreadyThere, Outcome, RefusalClass, Unknown, Wait
from portfolio.core.venue_answers import Refused as OrderRefused
from portfolio.core.venue_fills import execution_of
from portfolio.core.venue_orders import market_order, payload_of
from portfolio.testnet import Keys, NoAnswer, Testnet, stops
from tests.notation import D
from tests.portfolio.venue_notation import NOON_MS, bought, sold
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.faults import Fault
from tests.venue.server import venue_double

POST_ORDER, GET_ORDER = "POST /api/v3/order", "GET /api/v3/order"


class Clock:
    """The time of everybody, in ms; it moves when it is told to."""

    now_ms = NOON_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def venue(clock: Clock) -> Iterator[Venue]:
    with venue_double(clock) as venue:
        venue.set(prices={"BTCUSDT": "100", "BNBUSDT": "500"})
        yield venue


@pytest.fixture
def testnet(venue: Venue, clock: Clock) -> Iterator[Testnet]:
    with client(venue, clock) as testnet:
        yield testnet


def client(venue: Venue, clock: Callable[[], int], keys: Keys | None = None, timeout_s: float = 5.0) -> Testnet:
    return Testnet(keys or Keys(KEY, SECRET), venue.url, clock=lambda: clock() / 1000, timeout_s=timeout_s)


def send(testnet: Testnet, order: Order, stamp_ms: int | None = None) -> Outcome:
    payload = payload_of(market_order(order, order.client_order_id, stamp_ms or testnet.now_ms()))
    return testnet.send(payload, order.client_order_id)


def ended(testnet: Testnet, order: Order) -> Execution:
    """The end of an order as its query and its trades tell it."""
    found = testnet.order(order.symbol, order.client_order_id)
    assert found is not None
    execution = execution_of(order, found, testnet.trades(order.symbol, found.order_id), venue_epoch=1)
    assert isinstance(execution, Execution), execution
    return execution


def test_a_client_is_made_without_a_network() -> None:
    Testnet(Keys("key", "secret")).close()


def test_an_order_is_placed_asked_for_and_booked(venue: Venue, testnet: Testnet) -> None:
    before = testnet.balances()
    outcome = send(testnet, bought("0.5"))
    assert isinstance(outcome, Acknowledged)
    assert (outcome.order.status, outcome.order.executed) == ("FILLED", D("0.5"))
    execution = ended(testnet, bought("0.5"))
    assert execution.state is OrderState.FILLED
    (fill,) = execution.fills
    assert (fill.quantity, fill.price, fill.fee, fill.fee_asset) == (D("0.5"), D("100.01"), D("0.0005"), "BTC")
    after = testnet.balances()
    assert after["BTC"] - before["BTC"] == D("0.4995")
    assert after["USDT"] - before["USDT"] == -fill.quote_amount == D("-50.005")


@pytest.mark.parametrize(("commission", "fees"), [("BNB", {"BNB"}), ("none", {"USDT"}), ("received", {"USDT"})])
def test_a_sale_is_booked_in_whatever_its_fee_was_taken(
    venue: Venue, testnet: Testnet, commission: str, fees: set[str]
) -> None:
    venue.set(commission=commission)
    send(testnet, sold("0.1"))
    execution = ended(testnet, sold("0.1"))
    assert {fill.fee_asset for fill in execution.fills} == fees
    assert all((fill.fee > 0) == (commission != "none") for fill in execution.fills)


def test_an_order_over_several_levels_pays_each_ones_price(venue: Venue, testnet: Testnet) -> None:
    venue.set(books={"BTCUSDT": {"asks": [["100.33", "0.00333"], ["100.77", "0.4"]]}})
    send(testnet, bought("0.1"))
    execution = ended(testnet, bought("0.1"))
    assert [fill.price for fill in execution.fills] == [D("100.33"), D("100.77")]
    found = testnet.order("BTCUSDT", "oo-1")
    assert found is not None
    assert sum(fill.quote_amount for fill in execution.fills) == found.quote_total


@pytest.mark.parametrize(
    ("order", "code", "text"),
    [
        (bought("0.000015"), -1013, "Filter failure: LOT_SIZE"),
        (bought("0.00001"), -1013, "Filter failure: NOTIONAL"),
        (bought("9001"), -1013, "Filter failure: LOT_SIZE"),
        (bought("181"), -1013, "Filter failure: MARKET_LOT_SIZE"),
        (bought("0.0000000001"), -1111, "too much precision"),
        (bought("5", symbol="NOPEUSDT"), -1121, "Invalid symbol."),
        (sold("100"), -2010, "insufficient balance"),
        (bought("5", symbol="SOLUSDT"), -2010, "insufficient balance"),
    ],
)
def test_what_the_rules_refuse_is_refused_and_changes_nothing(
    venue: Venue, testnet: Testnet, order: Order, code: int, text: str
) -> None:
    venue.set(prices={"SOLUSDT": "30000"})
    before = testnet.balances()
    outcome = send(testnet, order)
    assert isinstance(outcome, OrderRefused)
    assert (outcome.code, text in outcome.message) == (code, True), outcome
    assert testnet.balances() == before
    assert not venue.matched()


def test_a_halted_symbol_takes_no_order(venue: Venue, testnet: Testnet) -> None:
    venue.market.info["BTCUSDT"]["status"] = "HALT"
    outcome = send(testnet, bought())
    assert isinstance(outcome, OrderRefused)
    assert outcome.message == "Market is closed."


def test_a_wrong_secret_a_wrong_key_and_a_malformed_one_are_refused(venue: Venue, clock: Clock) -> None:
    wanted = [
        (Keys(KEY, "wrong"), -1022, RefusalClass.FAULTY, 400),
        (Keys("unknown" * 4, SECRET), -2015, RefusalClass.KEYS, 401),
        (Keys("not a key", SECRET), -2014, RefusalClass.KEYS, 401),
    ]
    for keys, code, kind, status in wanted:
        with client(venue, clock, keys) as testnet:
            outcome = send(testnet, bought())
            assert isinstance(outcome, OrderRefused)
            assert (outcome.code, outcome.kind, outcome.stops) == (code, kind, kind is RefusalClass.KEYS)
            with pytest.raises(Refused) as caught:
                testnet.balances()
            assert (caught.value.code, caught.value.status) == (code, status)
            assert stops(caught.value) is outcome.stops
    assert not venue.matched()


def test_a_stored_request_is_dead_after_its_window(venue: Venue, testnet: Testnet, clock: Clock) -> None:
    stamp_ms = clock.now_ms
    for late_ms in (5001, 60_000, 3_600_000):
        clock.now_ms = stamp_ms + late_ms
        outcome = send(testnet, bought(), stamp_ms)
        assert isinstance(outcome, OrderRefused)
        assert (outcome.code, outcome.kind) == (-1021, RefusalClass.LATE)
    clock.now_ms = stamp_ms + 5000
    assert isinstance(send(testnet, bought(), stamp_ms), Acknowledged)
    assert venue.matched() == {"oo-1": 1}


def test_the_window_is_checked_again_before_matching(venue: Venue, testnet: Testnet) -> None:
    venue.script(POST_ORDER, faults.held(5001))
    outcome = send(testnet, bought())
    assert isinstance(outcome, OrderRefused)
    assert outcome.code == -1021
    assert not venue.matched()


def test_clocks_that_differ_are_measured_and_made_up_for(venue: Venue, testnet: Testnet) -> None:
    venue.set(skew_ms=-61_000)
    with pytest.raises(Refused, match="1000ms ahead"):
        testnet.balances()
    assert testnet.sync() == 0
    assert testnet.offset_ms == -61_000
    assert isinstance(send(testnet, bought()), Acknowledged)


def test_an_id_is_unique_among_open_orders_only(venue: Venue, testnet: Testnet) -> None:
    venue.script(POST_ORDER, faults.partly("0.5"))
    assert isinstance(send(testnet, bought()), Acknowledged)
    assert isinstance(send(testnet, bought()), AlreadyThere)
    assert [order.executed for order in testnet.open_orders("BTCUSDT")] == [D("0.5")]
    assert testnet.cancel("BTCUSDT", "oo-1")
    assert not testnet.cancel("BTCUSDT", "oo-1")
    execution = ended(testnet, bought())
    assert (execution.state, execution.reason) == (OrderState.PARTIAL, "the exchange says CANCELED")
    assert isinstance(send(testnet, bought()), Acknowledged), "the exchange does not protect from a second fill"
    assert venue.matched() == {"oo-1": 2}


@pytest.mark.parametrize(("fraction", "state"), [("0", OrderState.EXPIRED), ("0.25", OrderState.PARTIAL)])
def test_what_an_expired_order_executed_counts(
    venue: Venue, testnet: Testnet, fraction: str, state: OrderState
) -> None:
    venue.script(POST_ORDER, faults.expires(fraction))
    outcome = send(testnet, bought())
    assert isinstance(outcome, Acknowledged)
    assert outcome.order.status == "EXPIRED"
    execution = ended(testnet, bought())
    assert execution.state is state
    assert sum(fill.quantity for fill in execution.fills) == D(fraction)
    assert "INSUFFICIENT_LIQUIDITY" in execution.reason


def test_an_empty_book_expires_an_order_and_a_thin_one_executes_part(venue: Venue, testnet: Testnet) -> None:
    venue.set(books={"BTCUSDT": {"asks": []}})
    assert isinstance(outcome := send(testnet, bought()), Acknowledged)
    assert (outcome.order.status, outcome.order.executed) == ("EXPIRED", D(0))
    venue.set(books={"BTCUSDT": {"asks": [["100", "0.3"]]}})
    assert isinstance(outcome := send(testnet, bought()), Acknowledged)
    assert (outcome.order.status, outcome.order.executed) == ("EXPIRED", D("0.3"))


UNKNOWN = [
    faults.gateway(500),
    faults.gateway(502, executed=True),
    faults.gateway(503),
    faults.gateway(504, executed=True),
    faults.says(-1000, "An unknown error occurred while processing the request.", 400, executed=True),
    faults.says(-1006, "An unexpected response was received from the message bus.", 400, executed=True),
    faults.says(-1007, "Timeout waiting for response from backend server.", 504, executed=True),
    faults.silent(),
    faults.silent(executed=True),
    faults.reset(),
    faults.reset(executed=True),
    faults.cut_off(),
    faults.hung_up(),
    faults.firewall(),
    faults.redirect("https://testnet.binance.vision/api/v3/order"),
    faults.endless(),
]


@pytest.mark.parametrize("fault", UNKNOWN, ids=lambda fault: f"{fault.line} {fault.status} {fault.executed}")
def test_after_a_broken_answer_the_order_is_unknown_and_only_a_question_tells(
    venue: Venue, clock: Clock, fault: Fault
) -> None:
    venue.script(POST_ORDER, fault)
    with client(venue, clock, timeout_s=0.4 if fault.line == "silent" else 5.0) as testnet:
        outcome = send(testnet, bought())
        assert isinstance(outcome, Unknown), outcome
        assert outcome.stops is (fault.status == 403)
        assert venue.asked[POST_ORDER] == 1, "nothing is sent twice"
        assert (testnet.order("BTCUSDT", "oo-1") is not None) is fault.executed
        assert venue.matched()["oo-1"] == fault.executed


def test_an_order_matched_long_after_its_answer_is_found_later(venue: Venue, testnet: Testnet, clock: Clock) -> None:
    venue.script(POST_ORDER, faults.later(9000))
    assert isinstance(send(testnet, bought()), Unknown)
    assert testnet.order("BTCUSDT", "oo-1") is None
    clock.now_ms += 9000
    assert ended(testnet, bought()).state is OrderState.FILLED


def test_queries_lag_behind_so_an_early_no_proves_nothing(venue: Venue, testnet: Testnet, clock: Clock) -> None:
    venue.set(lag_ms=2000, trades_lag_ms=4000)
    assert isinstance(send(testnet, bought()), Acknowledged)
    assert testnet.order("BTCUSDT", "oo-1") is None
    assert testnet.all_orders("BTCUSDT") == ()
    clock.now_ms += 2000
    found = testnet.order("BTCUSDT", "oo-1")
    assert found is not None
    assert testnet.trades("BTCUSDT", found.order_id) == ()
    clock.now_ms += 2000
    assert ended(testnet, bought()).state is OrderState.FILLED
    assert [order.client_order_id for order in testnet.all_orders("BTCUSDT")] == ["oo-1"]


@pytest.mark.parametrize(
    ("fault", "seconds"), [(faults.limited("7"), 7), (faults.limited(None), 60), (faults.banned("259200"), 259_200)]
)
def test_who_is_told_to_wait_has_placed_nothing(venue: Venue, testnet: Testnet, fault: Fault, seconds: int) -> None:
    venue.script(POST_ORDER, fault)
    assert send(testnet, bought()) == Wait(seconds)
    assert not venue.matched()


@pytest.mark.parametrize(
    ("fault", "kind", "after_s"),
    [
        (faults.gateway(502), NoAnswer, None),
        (faults.limited("7"), NoAnswer, 7),
        (faults.reset(), NoAnswer, None),
        (faults.cut_off(), NoAnswer, None),
        (faults.endless(), NoAnswer, None),
        (faults.firewall(), Refused, None),
        (faults.redirect("https://testnet.binance.vision/api/v3/order"), Refused, None),
        (faults.says(-1000, "unknown"), Refused, None),
    ],
)
def test_a_question_without_an_answer_is_an_error_and_never_a_no(
    venue: Venue, testnet: Testnet, fault: Fault, kind: type[ExchangeError], after_s: float | None
) -> None:
    send(testnet, bought())
    venue.script(GET_ORDER, fault)
    with pytest.raises(kind) as caught:
        testnet.order("BTCUSDT", "oo-1")
    assert getattr(caught.value, "after_s", None) == after_s
    assert venue.asked[GET_ORDER] == 1, "nothing is tried again by itself"


def test_the_whole_of_a_request_ends_after_its_time(venue: Venue, clock: Clock) -> None:
    venue.script("GET /api/v3/account", faults.silent())
    with client(venue, clock, timeout_s=0.3) as testnet:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match=r"none came within 0\.3 s"):
            testnet.balances()
        assert time.monotonic() - begun < 2


def test_a_wipe_forgets_orders_and_refills_balances_and_keeps_keys(venue: Venue, testnet: Testnet) -> None:
    fresh = testnet.balances()
    send(testnet, bought())
    venue.wipe()
    assert testnet.order("BTCUSDT", "oo-1") is None
    assert testnet.balances() == fresh
    outcome = send(testnet, bought(client_order_id="oo-2"))
    assert isinstance(outcome, Acknowledged)
    assert outcome.order.order_id == 1, "ids begin again"


def test_the_exchange_counts_weight_and_tells_it(venue: Venue, testnet: Testnet) -> None:
    testnet.balances()
    send(testnet, bought())
    ended(testnet, bought())
    assert testnet.weight_used == 20 + 1 + 4 + 5 == venue.weighed
    assert dict(testnet.asked) == dict(venue.asked)


def test_too_many_requests_are_held_off_and_going_on_is_a_ban(venue: Venue, testnet: Testnet, clock: Clock) -> None:
    venue.market.exchange.weight_minute, venue.market.exchange.weight_used = clock.now_ms // 60_000, 5990
    for _ in range(19):
        with pytest.raises(NoAnswer) as caught:
            testnet.balances()
        assert caught.value.after_s == 60
    with pytest.raises(NoAnswer) as caught:
        testnet.balances()
    assert caught.value.after_s == 120


def test_the_filters_are_those_of_the_exchange_information(venue: Venue, testnet: Testnet) -> None:
    content = testnet.exchange_info(["BTCUSDT", "ADAUSDT"])
    assert {name: symbol.step for name, symbol in listings(content).items()} == {
        "BTCUSDT": D("0.00001"),
        "ADAUSDT": D("0.1"),
    }
    assert market_maxima(content) == {"BTCUSDT": D("180"), "ADAUSDT": D("18000")}


@pytest.mark.parametrize(
    "content", [[], {}, {"balances": {}}, {"balances": [{"asset": "BTC", "free": 1.0, "locked": "0"}]}]
)
def test_an_account_that_makes_no_sense_is_refused(venue: Venue, testnet: Testnet, content: Any) -> None:
    venue.trading.endpoints["GET /api/v3/account"] = lambda *_: content
    with pytest.raises(Unusable):
        testnet.balances()
