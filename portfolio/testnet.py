"""The account on the spot testnet over signed HTTP. The one place from which an order can leave this program.

Where it speaks to is chosen in market/core/hosts.py, among the testnet and a double on this machine. Each method is
one request: nothing is tried again, since a second try of an order could be a second order. Redirects, proxies of the
environment, cookies and packed bodies are off, connections are not kept, and ten seconds end everything. Making a
client touches no network.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType
from yarl import URL

from market.core.answers import ExchangeError, Json, Refused, Unusable, read_answer
from market.core.hosts import orders_url
from market.core.weights import USED_HEADER
from portfolio.core.venue_account import balances_of
from portfolio.core.venue_answers import REFUSALS, Outcome, RefusalClass, Unknown, outcome_of
from portfolio.core.venue_fields import Nonsense
from portfolio.core.venue_fills import VenueOrder, VenueTrade, venue_order, venue_trades
from portfolio.core.venue_orders import RECV_WINDOW_MS, Params, payload_of, signature_of

ORDER, OPEN_ORDERS, ALL_ORDERS, TRADES = (
    "/api/v3/order",
    "/api/v3/openOrders",
    "/api/v3/allOrders",
    "/api/v3/myTrades",
)
ACCOUNT, TIME, INFO = "/api/v3/account", "/api/v3/time", "/api/v3/exchangeInfo"
TIMEOUT_S = 10.0
BODY_BYTES_MAX = 8 * 1024 * 1024
PAGE_ROWS = 1000
NO_SUCH_ORDER, CANCEL_REJECTED = -2013, -2011
WITHHELD = b"[withheld]"
SECRET_CHARS_MIN = 8  # shorter ones are no keys, and might be part of any word
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class NoAnswer(ExchangeError):
    """A question got no usable answer; ask again later, after `after_s` seconds if the exchange named them."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        self.after_s = after_s
        super().__init__(f"The exchange gave no answer: {why}.")


def stops(error: ExchangeError) -> bool:
    """Whether nothing more may be sent until somebody has looked: key, permission or firewall."""
    if not isinstance(error, Refused):
        return False
    return error.status in (401, 403) or REFUSALS.get(error.code) is RefusalClass.KEYS


class Keys:
    """The key and the secret of an account, which no repr, log or traceback of it shows."""

    __slots__ = ("key", "secret")

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = key, secret

    def __repr__(self) -> str:
        return "Keys(redacted)"


@dataclass(frozen=True, slots=True)
class _Raw:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Testnet:
    """One account. Not for two threads at once, nor inside a running event loop. Close it, or use it in a `with`.

    `send` says what became of an order and raises nothing. Every other method raises `ExchangeError`, whose message is
    for an operator: `NoAnswer` when asking later may help, `Refused` when not; `stops` says which want an alarm.
    """

    __test__ = False  # it is not a test, whatever its name begins with

    def __init__(
        self, keys: Keys, double: str = "", *, clock: Callable[[], float] = time.time, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._base = orders_url(double)
        self._keys = keys
        self._clock = clock
        self._timeout_s = timeout_s
        self._runner = asyncio.Runner()
        self.offset_ms = 0
        self.asked: Counter[str] = Counter()  # requests by method and path
        self.weight_used = 0  # of this minute, as the exchange last told it

    def __repr__(self) -> str:
        return f"Testnet({self._base})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._runner.close()

    # -- Orders -----------------------------------------------------------------------------------

    def send(self, payload: str, client_order_id: str) -> Outcome:
        """Send exactly this stored payload, once, and say what became of it. Never raises for what the line does."""
        try:
            raw = self._signed("POST", ORDER, payload)
        except ExchangeError as error:
            return Unknown(str(error))
        return outcome_of(raw.status, raw.headers, raw.body, client_order_id)

    def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """The order of this id, or None when the exchange says it has none, which soon after sending is no proof."""
        try:
            content = self._ask("GET", ORDER, (("symbol", symbol), ("origClientOrderId", client_order_id)))
        except Refused as refused:
            if refused.code == NO_SUCH_ORDER:
                return None
            raise
        return _sensible(venue_order, content)

    def trades(self, symbol: str, order_id: int) -> tuple[VenueTrade, ...]:
        """The trades of one order, oldest first; perhaps not all of them yet."""
        return _sensible(venue_trades, self._ask("GET", TRADES, (("symbol", symbol), ("orderId", str(order_id)))))

    def open_orders(self, symbol: str) -> tuple[VenueOrder, ...]:
        """Orders of a symbol that can still be executed."""
        return _orders(self._ask("GET", OPEN_ORDERS, (("symbol", symbol),)))

    def all_orders(self, symbol: str, from_order_id: int = 0) -> tuple[VenueOrder, ...]:
        """At most `PAGE_ROWS` orders of a symbol, open and closed, from this order id on, oldest first."""
        asked = (("symbol", symbol), ("orderId", str(from_order_id)), ("limit", str(PAGE_ROWS)))
        return _orders(self._ask("GET", ALL_ORDERS, asked))

    def cancel(self, symbol: str, client_order_id: str) -> bool:
        """Ask for the end of an open order; False when it is closed already. What it executed, `order` tells."""
        try:
            self._ask("DELETE", ORDER, (("symbol", symbol), ("origClientOrderId", client_order_id)))
        except Refused as refused:
            if refused.code == CANCEL_REJECTED:
                return False
            raise
        return True

    # -- The account and the market ---------------------------------------------------------------

    def balances(self) -> Mapping[str, Decimal]:
        """What the account holds, free and locked together, by asset; assets of which it has nothing are left out."""
        return _sensible(balances_of, self._ask("GET", ACCOUNT, (("omitZeroBalances", "true"),)))

    def server_time_ms(self) -> int:
        """The exchange's clock in ms since 1970, as it was when it answered."""
        content = self._read(self._exchange("GET", TIME, "", {}))
        told = content.get("serverTime") if isinstance(content, dict) else None
        if type(told) is not int or not 0 < told < 10**13:
            raise Unusable("The exchange's answer about its time has no serverTime in milliseconds.")
        return told

    def sync(self) -> int:
        """Measure `offset_ms`, what to add to this machine's clock to get the exchange's, and return the half width of
        the span in which it lies: half of the time that asking took, in ms."""
        asked_ms = self._own_ms()
        told_ms = self.server_time_ms()
        answered_ms = self._own_ms()
        self.offset_ms = told_ms - (asked_ms + answered_ms) // 2
        return abs(answered_ms - asked_ms + 1) // 2

    def now_ms(self) -> int:
        """The exchange's clock by ours, in ms since 1970: what a request is stamped with."""
        return self._own_ms() + self.offset_ms

    def exchange_info(self, symbols: Sequence[str]) -> Any:
        """The exchange information of these symbols, for `listings` and `market_maxima`."""
        wanted = payload_of([("symbols", json.dumps(list(symbols), separators=(",", ":")))])
        return self._read(self._exchange("GET", INFO, wanted, {}))

    # -- One request ------------------------------------------------------------------------------

    def _own_ms(self) -> int:
        return int(self._clock() * 1000)

    def _ask(self, method: str, path: str, params: Params) -> Any:
        stamp = (("recvWindow", str(RECV_WINDOW_MS)), ("timestamp", str(self.now_ms())))
        return self._read(self._signed(method, path, payload_of((*params, *stamp))))

    def _read(self, raw: _Raw) -> Any:
        answer = read_answer(raw.status, raw.headers, raw.body)
        if isinstance(answer, Json):
            return answer.value
        raise NoAnswer(answer.why, answer.after_s)

    def _signed(self, method: str, path: str, payload: str) -> _Raw:
        signed = f"{payload}&signature={signature_of(payload, self._keys.secret)}"
        return self._exchange(method, path, signed, {"X-MBX-APIKEY": self._keys.key})

    def _exchange(self, method: str, path: str, text: str, headers: Mapping[str, str]) -> _Raw:
        """One request and its answer; `NoAnswer` when there is none. Errors name no address, which holds signatures."""
        self.asked[f"{method} {path}"] += 1
        why = ""
        try:
            raw = self._runner.run(self._fetch(method, path, text, headers))
        except TimeoutError:
            why = f"none came within {self._timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"no connection, or a broken one ({type(error).__name__})"
        if why:  # outside of the except, so that no traceback carries the request along
            raise NoAnswer(why)
        if len(raw.body) > BODY_BYTES_MAX:
            raise NoAnswer(f"it has more than {BODY_BYTES_MAX} bytes")
        raw = self._without_secrets(raw, text)
        used = raw.headers.get(USED_HEADER, "")
        self.weight_used = int(used) if used.isascii() and used.isdigit() and len(used) < 10 else self.weight_used
        return raw

    def _without_secrets(self, raw: _Raw, text: str) -> _Raw:
        """The answer without what only the question should hold: it is stored, logged and shown in parts."""
        secrets = (self._keys.key, self._keys.secret, text.partition("&signature=")[2])
        body = raw.body
        for secret in secrets:
            if len(secret) >= SECRET_CHARS_MIN:
                body = body.replace(secret.encode(), WITHHELD)
        return replace(raw, body=body)

    async def _fetch(self, method: str, path: str, text: str, headers: Mapping[str, str]) -> _Raw:
        url, data = f"{self._base}{path}", None
        if method == "POST":
            data, headers = text.encode("ascii"), {**headers, **_FORM}
        elif text:
            url = f"{url}?{text}"
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                trust_env=False,
            ) as session,
            session.request(
                method,
                URL(url, encoded=True),
                data=data,
                headers=headers,
                allow_redirects=False,
                middlewares=(_only_once(),),
            ) as response,
        ):
            body = bytearray()
            async for block in response.content.iter_any():
                body += block
                if len(body) > BODY_BYTES_MAX:
                    break
            return _Raw(response.status, {name.lower(): value for name, value in response.headers.items()}, bytes(body))


def _only_once() -> ClientMiddlewareType:
    """Ends the second try that aiohttp makes by itself of a GET or a DELETE whose connection broke."""
    tries = count()

    async def once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        if next(tries):
            raise aiohttp.ClientConnectionError("the connection broke")
        return await handler(request)

    return once


def _orders(content: Any) -> tuple[VenueOrder, ...]:
    if not isinstance(content, list):
        raise Unusable("The exchange's list of orders is no list.")
    return tuple(_sensible(venue_order, row) for row in content)


def _sensible[T](read: Callable[[Any], T], content: Any) -> T:
    try:
        return read(content)
    except Nonsense as nonsense:
        raise Unusable(f"The exchange's answer makes no sense: {nonsense}.") from None
