"""python-binance takes the double for the exchange; and what it does that our own client does not."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from binance.client import Client
from binance.exceptions import BinanceAPIException

from tests.notation import D
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.server import venue_double

POST_ORDER = "POST /api/v3/order"


@pytest.fixture
def venue() -> Iterator[Venue]:
    with venue_double() as venue:
        venue.set(prices={"BTCUSDT": "50000", "BNBUSDT": "500"})
        yield venue


@pytest.fixture
def client(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(Client, "API_TESTNET_URL", f"{venue.url}/api")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # it wants one, and would leave its own behind
    client = Client(KEY, SECRET, testnet=True, ping=False)
    yield client
    client.close_connection()
    asyncio.set_event_loop(None)
    loop.close()


def refusal(caught: pytest.ExceptionInfo[BinanceAPIException]) -> tuple[int, int]:
    return caught.value.status_code, caught.value.code


def test_it_reads_the_market(venue: Venue, client: Client) -> None:
    assert client.ping() == {}
    assert abs(client.get_server_time()["serverTime"] - venue.now_ms()) < 1000
    assert client.get_symbol_info("BTCUSDT")["status"] == "TRADING"
    assert {row["rateLimitType"] for row in client.get_exchange_info()["rateLimits"]} >= {"REQUEST_WEIGHT", "ORDERS"}
    assert D(client.get_symbol_ticker(symbol="BTCUSDT")["price"]) == 50_000
    assert D(client.get_avg_price(symbol="BTCUSDT")["price"]) == 50_000
    assert D(client.get_orderbook_ticker(symbol="BTCUSDT")["askPrice"]) == D("50000.01")
    assert len(client.get_order_book(symbol="BTCUSDT", limit=5)["asks"]) == 5
    hours = client.get_klines(symbol="BTCUSDT", interval="1h", limit=3, startTime=venue.now_ms() - 4 * 3_600_000)
    assert [len(row) for row in hours] == [12, 12, 12]
    assert client.get_ticker(symbol="BTCUSDT")["count"] > 0


def test_it_places_market_orders_and_finds_them_again(venue: Venue, client: Client) -> None:
    placed = client.order_market_buy(symbol="BTCUSDT", quantity="0.01", newClientOrderId="oo-1")
    assert (placed["status"], placed["executedQty"]) == ("FILLED", "0.01000000")
    assert {fill["commissionAsset"] for fill in placed["fills"]} == {"BTC"}
    found = client.get_order(symbol="BTCUSDT", origClientOrderId="oo-1")
    assert (found["orderId"], found["cummulativeQuoteQty"]) == (placed["orderId"], placed["cummulativeQuoteQty"])
    assert "fills" not in found
    (trade,) = client.get_my_trades(symbol="BTCUSDT", orderId=placed["orderId"])
    assert (trade["qty"], trade["commission"]) == ("0.01000000", "0.00001000")
    assert [order["clientOrderId"] for order in client.get_all_orders(symbol="BTCUSDT")] == ["oo-1"]
    assert venue.matched() == {"oo-1": 1}


def test_an_amount_in_quote_buys_whole_steps_only(client: Client) -> None:
    placed = client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="75.3")
    assert placed["executedQty"] == "0.00150000"
    assert D(placed["cummulativeQuoteQty"]) <= D("75.3")


def test_limit_orders_wait_lock_what_they_need_and_are_cancelled(venue: Venue, client: Client) -> None:
    before = client.get_asset_balance("USDT")
    order = {"symbol": "BTCUSDT", "quantity": "0.1", "price": "40000.00", "newClientOrderId": "oo-1"}
    assert client.order_limit_buy(**order)["status"] == "NEW"
    with pytest.raises(BinanceAPIException, match="Duplicate order sent") as caught:
        client.order_limit_buy(**order)
    assert refusal(caught) == (400, -2010)
    assert D(client.get_asset_balance("USDT")["locked"]) == 4000
    venue.carry_on("oo-1", "0.5")
    (found,) = client.get_open_orders(symbol="BTCUSDT")
    assert (found["status"], found["executedQty"]) == ("PARTIALLY_FILLED", "0.05000000")
    cancelled = client.cancel_order(symbol="BTCUSDT", origClientOrderId="oo-1")
    assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "oo-1")
    after = client.get_asset_balance("USDT")
    assert (D(before["free"]) - D(after["free"]), D(after["locked"])) == (2000, 0)
    with pytest.raises(BinanceAPIException) as caught:
        client.cancel_order(symbol="BTCUSDT", origClientOrderId="oo-1")
    assert refusal(caught) == (400, -2011)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "NOPE"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"type": "WISH"}, -1116),
        ({"quantity": 1e-05}, -1100),
        ({"quantity": "0.123456789"}, -1111),
        ({"quantity": ""}, -1105),
        ({"quantity": None}, -1102),
        ({"quantity": "0.00001"}, -1013),
        ({"quantity": "100"}, -2010),
        ({"price": "1"}, -1106),
        ({"timeInForce": "GTC"}, -1106),
        ({"extra": "1"}, -1104),
        ({"newClientOrderId": "not.allowed"}, -1100),
        ({"newClientOrderId": "x" * 37}, -1100),
    ],
)
def test_what_is_wrong_is_refused_with_the_exchanges_code(
    venue: Venue, client: Client, changes: dict[str, object], code: int
) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", **changes}
    with pytest.raises(BinanceAPIException) as caught:
        client.create_order(**order)
    assert refusal(caught) == (400, code)
    assert not venue.matched()


def test_it_meets_the_limit_of_weight_and_what_gateways_send(venue: Venue, client: Client) -> None:
    venue.script("GET /api/v3/account", faults.limited("7"), faults.gateway(502))
    with pytest.raises(BinanceAPIException) as caught:
        client.get_account()
    assert (caught.value.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    with pytest.raises(BinanceAPIException) as caught:
        client.get_account()
    assert refusal(caught) == (502, 0)
    client.get_account()
    assert int(client.response.headers["X-MBX-USED-WEIGHT-1M"]) == 20


def test_a_firewall_stands_before_it(client: Client) -> None:
    with pytest.raises(BinanceAPIException) as caught:
        client.get_order(symbol="BTCUSDT", origClientOrderId="1;drop")
    assert caught.value.status_code == 403


# -- Why it places no order of ours ---------------------------------------------------------------


def test_it_replaces_the_instant_and_the_window_it_is_given(venue: Venue, client: Client) -> None:
    seen: list[dict[str, str]] = []
    take = venue.take
    venue.take = lambda request: (seen.append(request.params), take(request))[1]  # type: ignore[method-assign]
    client.create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01", timestamp=1, recvWindow=2000)
    assert seen[0]["recvWindow"] == "10000"
    assert seen[0]["timestamp"] != "1"
    assert seen[0]["newClientOrderId"].startswith("x-HNA2TXFJ")


def test_with_a_switch_it_writes_key_and_signature_to_the_log(
    venue: Venue, client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "verbose", True)
    with caplog.at_level(logging.DEBUG):
        client.get_account()
    assert "signature=" in caplog.text, "urllib3 logs the address of each request, and the address is signed"
