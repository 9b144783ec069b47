"""An order of the exchange as the bytes that are signed, stored and sent.

The payload is made once, before the order's row is committed, and holds the instant at which it was made. It is the
only request that can ever be sent for that attempt: when it is older than `RECV_WINDOW_MS`, the exchange itself refuses
it, so a process that sleeps between writing and sending can do no harm. It holds no key and no signature.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from market.core.canonical import plain
from market.core.exact import EXACT
from portfolio.core.orders import Order, Side

RECV_WINDOW_MS = 5000  # more is allowed, and would keep a late request alive for longer
FULL = "FULL"
_CLIENT_ORDER_ID = re.compile(r"[a-zA-Z0-9_-]{1,36}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9]{2,20}", re.ASCII)
_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_BPS = Decimal(10_000)

Params = tuple[tuple[str, str], ...]  # (name, value) in the order in which they are sent


class NotSendable(ValueError):
    """An order that the exchange's form does not take; the message says what is wrong. Nothing may be sent."""


def market_order(order: Order, client_order_id: str, timestamp_ms: int) -> Params:
    """The parameters of a MARKET order, every value as text.

    `client_order_id` is that of the attempt, which may differ from the order's own. `timestamp_ms` is the exchange's
    clock in milliseconds since 1970. Raises `NotSendable`.
    """
    return _params(order, client_order_id, timestamp_ms, (("type", "MARKET"),))


def limit_order(order: Order, client_order_id: str, timestamp_ms: int, worst_price: Decimal) -> Params:
    """As `market_order`, but never at a worse price than `worst_price`: what cannot be had for it at once expires."""
    if not worst_price.is_finite() or worst_price <= 0:
        raise NotSendable(f"{worst_price} is no price of an order")
    kind = (("type", "LIMIT"), ("timeInForce", "IOC"), ("price", plain(worst_price)))
    return _params(order, client_order_id, timestamp_ms, kind)


def worst_price(side: Side, reference_price: Decimal, slippage_bps: Decimal, tick: Decimal) -> Decimal:
    """The price furthest from the reference price, against the trader, that is within the slippage and on a tick."""
    off = reference_price * slippage_bps / _BPS
    rounding = ROUND_DOWN if side is Side.BUY else ROUND_UP
    ticks = EXACT.divide(reference_price + (off if side is Side.BUY else -off), tick)
    return EXACT.multiply(ticks.to_integral_value(rounding), tick)


def _params(order: Order, client_order_id: str, timestamp_ms: int, kind: Params) -> Params:
    if _SYMBOL.fullmatch(order.symbol) is None:
        raise NotSendable(f"{order.symbol!r} is no name of a symbol")
    if _CLIENT_ORDER_ID.fullmatch(client_order_id) is None:
        raise NotSendable(f"{client_order_id!r} is no client order id: 1 to 36 of a-z, A-Z, 0-9, - and _")
    if not order.quantity.is_finite() or order.quantity <= 0:
        raise NotSendable(f"{order.quantity} is no quantity of an order")
    if not 10**12 <= timestamp_ms < 10**13:  # 2001 to 2286; seconds or microseconds would be refused
        raise NotSendable(f"{timestamp_ms} is no instant in milliseconds since 1970")
    return (
        ("symbol", order.symbol),
        ("side", _SIDES[order.side]),
        *kind,
        ("quantity", plain(order.quantity)),
        ("newClientOrderId", client_order_id),
        ("newOrderRespType", FULL),
        ("recvWindow", str(RECV_WINDOW_MS)),
        ("timestamp", str(timestamp_ms)),
    )


def payload_of(params: Iterable[tuple[str, str]]) -> str:
    """The parameters as they are signed and sent: percent-encoded, in their order, joined by `&`. ASCII only."""
    return "&".join(f"{_percent_encoded(name)}={_percent_encoded(value)}" for name, value in params)


def signature_of(payload: str, secret: str) -> str:
    """HMAC-SHA256 of a payload in lower-case hex, as the exchange's rest-api.md describes it.

    `payload` is what `payload_of` returned: the exchange wants it percent-encoded before it is signed.
    """
    return hmac.new(secret.encode(), payload.encode("ascii"), hashlib.sha256).hexdigest()


def expires_at_ms(timestamp_ms: int) -> int:
    """The exchange's clock, in ms, from which on it refuses a request with this timestamp for good."""
    return timestamp_ms + RECV_WINDOW_MS + 1


def _percent_encoded(text: str) -> str:
    """RFC 3986: everything but letters, digits and `-._~` as the hex of its UTF-8 bytes."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())
