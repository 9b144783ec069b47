"""The request of an order: exactly these bytes, signed as the exchange signs."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.core.venue_orders import NotSendable, expires_at_ms, market_order, payload_of, signature_of
from tests.notation import D, many
from tests.portfolio.venue_notation import NOON_MS, bought, sold

RECORDED = Path(__file__).resolve().parents[3] / "shared/data/binance/signing_vectors.json"
# A secret and a signature of the exchange's own documentation (rest-api.md, "SIGNED Endpoint Examples").
DOCUMENTED_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
DOCUMENTED = [("symbol", "LTCBTC"), ("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", "1")]
DOCUMENTED += [("price", "0.1"), ("recvWindow", "5000"), ("timestamp", "1499827319559")]
DOCUMENTED_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def test_a_market_order_is_these_bytes() -> None:
    params = market_order(bought("0.00100000"), "oo-1-a1", NOON_MS)
    assert payload_of(params) == (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newClientOrderId=oo-1-a1&newOrderRespType=FULL"
        "&recvWindow=5000&timestamp=1714564800000"
    )
    assert ("side", "SELL") in market_order(sold(), "oo-1-a1", NOON_MS)


def test_the_documented_example_has_the_documented_signature() -> None:
    assert signature_of(payload_of(DOCUMENTED), DOCUMENTED_SECRET) == DOCUMENTED_SIGNATURE


def test_letters_of_other_scripts_are_encoded_before_they_are_signed() -> None:
    payload = payload_of([("symbol", "１２３４５６"), *DOCUMENTED[1:]])
    assert payload.startswith("symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY")
    documented = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"
    assert signature_of(payload, DOCUMENTED_SECRET) == documented


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded vectors are not here")
def test_every_recorded_vector_is_met() -> None:
    recorded = json.loads(RECORDED.read_text())
    for vector in recorded["vectors"]:
        params = parse_qsl(vector["payload"], keep_blank_values=True)
        assert payload_of(params) == vector["payload"]
        assert signature_of(vector["payload"], recorded["secretKey_published_example"]) == vector["hmac_sha256_hex"]


@many
@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_whatever_is_sent_is_encoded_as_rfc_3986_says(params: list[tuple[str, str]]) -> None:
    payload = payload_of(params)
    assert payload == "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in params)
    assert parse_qsl(payload, keep_blank_values=True) == params
    assert payload.isascii()


@many
@given(st.decimals("0.000000000000000001", "9e18", allow_nan=False, allow_infinity=False))
def test_a_quantity_never_has_an_exponent(quantity: D) -> None:  # type: ignore[valid-type]
    sent = dict(market_order(bought()._replace(quantity=quantity), "oo-1", NOON_MS))["quantity"]
    assert D(sent) == quantity
    assert set(sent) <= set("0123456789.")


@pytest.mark.parametrize(
    ("change", "client_order_id", "timestamp_ms", "why"),
    [
        ({"symbol": "btcusdt"}, "oo-1", NOON_MS, "no name of a symbol"),
        ({"symbol": "BTCUSDT&side=SELL"}, "oo-1", NOON_MS, "no name of a symbol"),
        ({"quantity": D("0")}, "oo-1", NOON_MS, "no quantity"),
        ({"quantity": D("-1")}, "oo-1", NOON_MS, "no quantity"),
        ({"quantity": D("NaN")}, "oo-1", NOON_MS, "no quantity"),
        ({"quantity": D("Infinity")}, "oo-1", NOON_MS, "no quantity"),
        ({}, "", NOON_MS, "no client order id"),
        ({}, "x" * 37, NOON_MS, "no client order id"),
        ({}, "oo 1", NOON_MS, "no client order id"),
        ({}, "oo-1\n", NOON_MS, "no client order id"),
        ({}, "oo-1", NOON_MS // 1000, "no instant in milliseconds"),
        ({}, "oo-1", NOON_MS * 1000, "no instant in milliseconds"),
    ],
)
def test_what_the_exchange_would_not_take_is_never_made(
    change: dict, client_order_id: str, timestamp_ms: int, why: str
) -> None:
    with pytest.raises(NotSendable, match=why):
        market_order(bought()._replace(**change), client_order_id, timestamp_ms)


def test_a_request_is_dead_one_millisecond_after_its_window() -> None:
    assert expires_at_ms(NOON_MS) == NOON_MS + 5001
