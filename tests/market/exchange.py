"""An exchange on loopback, over real HTTP: it serves the market data that Binance serves, and breaks as it is told.

Prices follow from symbol and time alone, so two doubles agree and a test can say what must have been stored. What goes
wrong is scripted for each path: `exchange.script(KLINES, status(429, retry_after="7"), cut_off)` spoils the next two
requests to it, and the one after is answered well. What was asked is in `exchange.requests`.
"""

import json
import socket
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from market.core.candles import TIMEFRAME_S, from_ms, to_ms
from market.core.symbols import DEFAULT_SYMBOLS

TIME, KLINES, INFO = "/api/v3/time", "/api/v3/klines", "/api/v3/exchangeInfo"
DAY, DEPTH = "/api/v3/ticker/24hr", "/api/v3/depth"
FUNDING, INTEREST = "/fapi/v1/premiumIndex", "/fapi/v1/openInterest"
RATIO, TAKER = "/futures/data/globalLongShortAccountRatio", "/futures/data/takerlongshortRatio"
WEIGHTS = {TIME: 1, KLINES: 2, INFO: 20, DAY: 2, DEPTH: 5}
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Asked:
    path: str
    params: dict[str, str]
    headers: dict[str, str]


Trouble = Callable[["Line", Any], None]  # (the connection, the good answer) -> sends something else instead


class ExchangeSays(Exception):
    """An error of the exchange's own, with the HTTP status and the code it has there."""

    def __init__(self, status: int, code: int, text: str) -> None:
        self.status, self.body = status, {"code": code, "msg": text}


@dataclass
class Exchange:
    """The state of the double. `now` is its clock, and stands still unless it is set."""

    now: datetime
    port: int = 0
    weight_limit: int = 6000
    weight_used: int = 0
    weight_minute: int = -1
    requests: list[Asked] = field(default_factory=list)
    listed_from: dict[str, datetime] = field(default_factory=dict)
    holes: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    info: dict[str, dict[str, Any]] = field(default_factory=dict)
    recorded: dict[tuple[str, str], list[list[Any]]] = field(default_factory=dict)  # rows served instead of made ones
    books: dict[str, dict[str, Any]] = field(default_factory=dict)
    troubles: dict[str, deque[Trouble]] = field(default_factory=dict)
    news: threading.Condition = field(default_factory=threading.Condition)
    end: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, path: str, *troubles: Trouble) -> None:
        self.troubles.setdefault(path, deque()).extend(troubles)

    def asked(self, path: str) -> list[dict[str, str]]:
        return [request.params for request in self.requests if request.path == path]

    def wait_until_asked(self, path: str, times: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.asked(path)) >= times, 60), f"{path} was not asked {times} times"

    # -- What it answers ------------------------------------------------------------------------------

    def answer(self, path: str, params: dict[str, str]) -> Any:
        answers = {
            TIME: self.time,
            KLINES: self.klines,
            INFO: self.exchange_info,
            DAY: self.day,
            DEPTH: self.depth,
            FUNDING: self.funding,
            INTEREST: self.interest,
            RATIO: self.ratio,
            TAKER: self.taker,
        }
        if path not in answers:
            raise ExchangeSays(404, -1000, f"no such path: {path}")
        return answers[path](params)

    def time(self, params: dict[str, str]) -> Any:
        return {"serverTime": to_ms(self.now)}

    def klines(self, params: dict[str, str]) -> Any:
        symbol, timeframe = self._known(params.get("symbol", "")), params.get("interval", "")
        if timeframe not in TIMEFRAME_S:
            raise ExchangeSays(400, -1120, "Invalid interval.")
        step, limit = TIMEFRAME_S[timeframe] * 1000, int(params.get("limit", "500"))
        first = max(int(params["startTime"]), to_ms(self.listed_from.get(symbol, datetime(2017, 8, 17, tzinfo=UTC))))
        last = min(int(params.get("endTime", to_ms(self.now))), to_ms(self.now))  # the candle of now is still open
        if (symbol, timeframe) in self.recorded:
            rows = (cells for cells in self.recorded[symbol, timeframe] if first <= cells[0] <= last)
            return list(islice(rows, min(limit, 1000)))
        opens = (at for at in range(-(-first // step) * step, last + 1, step) if self._traded(symbol, at))
        return [row(symbol, at, step) for at in islice(opens, min(limit, 1000))]

    def exchange_info(self, params: dict[str, str]) -> Any:
        names = json.loads(params["symbols"]) if "symbols" in params else list(self.info)
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight_limit}
        return {
            "timezone": "UTC",
            "serverTime": to_ms(self.now),
            "rateLimits": [limit],
            "symbols": [self.info[self._known(name)] for name in names],
        }

    def day(self, params: dict[str, str]) -> Any:
        symbol, hour = self._known(params.get("symbol", "")), 3_600_000
        end = to_ms(self.now) // hour * hour
        rows = [row(symbol, at, hour) for at in range(end - 24 * hour, end, hour)]
        opened, last = Decimal(rows[0][1]), Decimal(rows[-1][4])
        return {
            "symbol": symbol,
            "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
            "lastPrice": str(last),
            "openPrice": str(opened),
            "highPrice": max((cells[2] for cells in rows), key=Decimal),
            "lowPrice": min((cells[3] for cells in rows), key=Decimal),
            "volume": str(sum(Decimal(cells[5]) for cells in rows)),
            "quoteVolume": str(sum(Decimal(cells[7]) for cells in rows)),
            "openTime": end - 24 * hour,
            "closeTime": end,
            "count": sum(cells[8] for cells in rows),
        }

    def depth(self, params: dict[str, str]) -> Any:
        symbol = self._known(params.get("symbol", ""))
        if symbol in self.books:
            return self.books[symbol]
        price, levels = price_at(symbol, to_ms(self.now) // 60_000 * 60_000), int(params.get("limit", "100"))
        return {
            "lastUpdateId": 1,
            "bids": [[str(price - CENT * n), "0.50000000"] for n in range(1, levels + 1)],
            "asks": [[str(price + CENT * n), "0.50000000"] for n in range(1, levels + 1)],
        }

    def funding(self, params: dict[str, str]) -> Any:
        symbol, now = self._known(params.get("symbol", "")), to_ms(self.now)
        return {
            "symbol": symbol,
            "markPrice": f"{price_at(symbol, now // 60_000 * 60_000):.8f}",
            "lastFundingRate": "0.00010000",
            "nextFundingTime": now // 28_800_000 * 28_800_000 + 28_800_000,
            "time": now,
        }

    def interest(self, params: dict[str, str]) -> Any:
        return {"openInterest": "10659.509", "symbol": self._known(params.get("symbol", "")), "time": to_ms(self.now)}

    def ratio(self, params: dict[str, str]) -> Any:
        symbol, at = self._known(params.get("symbol", "")), to_ms(self.now) // 300_000 * 300_000
        row = {"symbol": symbol, "longShortRatio": "1.5000", "longAccount": "0.6000", "shortAccount": "0.4000"}
        return [{**row, "timestamp": at}]

    def taker(self, params: dict[str, str]) -> Any:
        self._known(params.get("symbol", ""))
        at = to_ms(self.now) // 300_000 * 300_000
        return [{"buySellRatio": "1.2500", "buyVol": "387.3300", "sellVol": "309.8640", "timestamp": at}]

    def _known(self, symbol: str) -> str:
        if symbol not in self.info:
            raise ExchangeSays(400, -1121, "Invalid symbol.")
        return symbol

    def _traded(self, symbol: str, at: int) -> bool:
        return not any(name == symbol and to_ms(start) <= at < to_ms(end) for name, start, end in self.holes)

    def weigh(self, path: str) -> int | None:
        """Count the request; seconds to stay away if it was too much."""
        minute, into = divmod(to_ms(self.now), 60_000)
        self.weight_used = WEIGHTS.get(path, 1) + (self.weight_used if minute == self.weight_minute else 0)
        self.weight_minute = minute
        return (60_000 - into) // 1000 if self.weight_used > self.weight_limit else None


def price_at(symbol: str, at: int) -> Decimal:
    """Between 100 and 110, with two decimals."""
    return Decimal(10_000 + zlib.crc32(f"{symbol} {at}".encode()) % 1000) / 100


def row(symbol: str, at: int, step: int) -> list[Any]:
    """A candle as the API sends it: it opens at the price of its open and closes at the price of its end."""
    opened, closed = price_at(symbol, at), price_at(symbol, at + step)
    prices = [opened, max(opened, closed) + CENT, min(opened, closed) - CENT, closed]
    return [
        at,
        *(f"{price:.8f}" for price in prices),
        "12.50000000",
        at + step - 1,
        f"{closed * Decimal('12.5'):.8f}",
        42,
        "6.25000000",
        f"{closed * Decimal('6.25'):.8f}",
        "0",
    ]


def info_row(name: str, base: str, **changes: Any) -> dict[str, Any]:
    """A symbol's row of the exchange information; `changes` replace fields of it."""
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.0", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "9000.00000000", "stepSize": "0.00010000"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "119.0", "stepSize": "0.00000000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        **changes,
    }


# -- What can go wrong --------------------------------------------------------------------------------


def status(code: int, *, retry_after: str | None = None, body: bytes = b"<html>no</html>") -> Trouble:
    """This HTTP status, with a page for people as its body, as gateways send."""

    def trouble(line: "Line", answer: Any) -> None:
        line.send(code, body, {} if retry_after is None else {"Retry-After": retry_after})

    return trouble


def error(code: int, text: str, http: int = 400) -> Trouble:
    return status(http, body=json.dumps({"code": code, "msg": text}).encode())


def edited(change: Callable[[Any], Any]) -> Trouble:
    """A good answer, but for `change`, which gets it and returns what is sent."""

    def trouble(line: "Line", answer: Any) -> None:
        line.send(200, json.dumps(change(answer)).encode())

    return trouble


def lacking(start: datetime, end: datetime) -> Trouble:
    """Candles without those that open in a span: a hole of this one answer."""
    return edited(lambda rows: [cells for cells in rows if not start <= from_ms(cells[0]) < end])


def cut_off(line: "Line", answer: Any) -> None:
    """Half of the JSON, with the length of that half."""
    body = json.dumps(answer).encode()
    line.send(200, body[: len(body) // 2])


def hung_up(line: "Line", answer: Any) -> None:
    """Half of what the header Content-Length says, and then the end."""
    body = json.dumps(answer).encode()
    line.send(200, body[: len(body) // 2], {"Content-Length": str(len(body))})
    line.close_connection = True


def reset(line: "Line", answer: Any) -> None:
    """A connection reset instead of an answer."""
    line.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.connection.close()
    line.close_connection = True


def silent(line: "Line", answer: Any) -> None:
    """No answer as long as the double lives."""
    line.exchange.end.wait(30)
    line.close_connection = True


def redirect(to: str) -> Trouble:
    return lambda line, answer: line.send(302, b"", {"Location": to})


def endless(line: "Line", answer: Any) -> None:
    """More than anybody wants to read: spaces, 64 MB of them."""
    line.send(200, b"", {"Content-Length": str(64 * 1024 * 1024)})
    try:
        for _ in range(1024):
            line.wfile.write(b" " * 65_536)
    except OSError:  # the other side has read enough
        line.close_connection = True


class Line(BaseHTTPRequestHandler):
    """One connection to the double."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart, and the second would wait for the first
    exchange: Exchange

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(parts.path, dict(parse_qsl(parts.query)), {k.lower(): v for k, v in self.headers.items()})
        with self.exchange.news:
            self.exchange.requests.append(asked)
            self.exchange.news.notify_all()
        away = self.exchange.weigh(asked.path)
        if away is not None:
            return status(429, retry_after=str(away))(self, None)
        try:
            answer = self.exchange.answer(asked.path, asked.params)
        except ExchangeSays as says:
            return self.send(says.status, json.dumps(says.body).encode())
        troubles = self.exchange.troubles.get(asked.path)
        trouble = troubles.popleft() if troubles else edited(lambda good: good)
        return trouble(self, answer)

    def send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        used = str(self.exchange.weight_used)
        for name, value in {"Content-Length": str(len(body)), "X-MBX-USED-WEIGHT-1M": used, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def exchange_double(now: datetime) -> Iterator[Exchange]:
    """A running double whose clock shows `now`, with the five default symbols."""
    exchange = Exchange(now, info={symbol.name: info_row(symbol.name, symbol.base) for symbol in DEFAULT_SYMBOLS})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisLine", (Line,), {"exchange": exchange}))
    server.daemon_threads = True
    exchange.port = server.server_port
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    try:
        yield exchange
    finally:
        exchange.end.set()
        server.shutdown()
        server.server_close()
        serving.join()
