"""Binance's public market data over HTTP. The one place that speaks to the exchange's market data.

Our own thin client, for the reasons in docs/decisions/0014. It asks one thing at a time, counts weight, and tries again
what may pass. Making one touches no network; redirects, proxies and cookies are off.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import aiohttp

from market.core.answers import ExchangeError, Json, TryAgain, Unavailable, Unusable, read_answer
from market.core.backoff import Backoff
from market.core.candles import Series, from_ms, to_ms
from market.core.depth import DayStatistics, OrderBook, day_statistics, order_book
from market.core.exchange_info import listings, weight_limit
from market.core.hosts import market_data_url
from market.core.kline_json import PAGE_ROWS, page_of
from market.core.symbols import Symbol
from market.core.weights import (
    ASSUMED_LIMIT,
    EXCHANGE_INFO_WEIGHT,
    KLINES_WEIGHT,
    STATISTICS_WEIGHT,
    TIME_WEIGHT,
    WeightUse,
    after_answer,
    depth_weight,
    wait_s,
)

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 8 * 1024 * 1024  # a page of candles has 0.2 MB, the exchange information of 100 symbols 0.5 MB
OFFSET_WITHIN_MS = 500
# The newest candle can change for a moment after its close, while the exchange's database catches up. What is stored is
# never asked for again, so the moment is waited for.
SETTLED_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Around:
    """What a client takes from the world beside the network: seconds since 1970, sleep, and numbers in [0, 1)."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class Binance:
    """Public market data of Binance spot, or of the exchange double at the address `double`.

    Every method may raise `ExchangeError`, whose message is for an operator. Not for use by two threads at once, nor
    inside a running event loop. Close it, or use it in a `with`.
    """

    def __init__(
        self, double: str = "", *, around: Around | None = None, backoff: Backoff | None = None, timeout_s: float = 15.0
    ) -> None:
        self._base = market_data_url(double)
        self._around = around or Around()
        self._backoff = backoff or Backoff()
        self._timeout_s = timeout_s
        self._use = WeightUse()
        self._weight_limit = ASSUMED_LIMIT
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._session is not None:
            self._runner.run(self._session.close())
            self._session = None
        self._runner.close()

    def server_time(self) -> datetime:
        """The exchange's clock, in UTC, as it was when it answered."""
        content = self._get("/api/v3/time", {}, TIME_WEIGHT)
        told = content.get("serverTime") if isinstance(content, dict) else None
        if type(told) is not int or not 0 < told < 10**13:
            raise Unusable("The exchange's answer about its time has no serverTime in milliseconds.")
        return from_ms(told)

    def closed_until(self) -> datetime:
        """Candles that closed at or before this instant will not change any more, by the exchange's own clock."""
        return self.server_time() - SETTLED_AFTER

    def symbols(self, names: Sequence[str]) -> Mapping[str, Symbol]:
        """These symbols with the filters they have now. `Refused` with code -1121 when any is unknown."""
        wanted = {"symbols": json.dumps(list(names), separators=(",", ":"))}
        content = self._get("/api/v3/exchangeInfo", wanted, EXCHANGE_INFO_WEIGHT)
        self._weight_limit = weight_limit(content) or self._weight_limit
        found = listings(content)
        if set(found) != set(names):
            raise Unusable("The exchange information is not about the symbols that were asked for.")
        return {name: found[name] for name in names}

    def klines(self, symbol: str, timeframe: str, first_open_ms: int, last_open_ms: int, as_of: datetime) -> Series:
        """Up to 1000 candles that open from `first_open_ms` to `last_open_ms` and closed by `as_of`, oldest first.

        Fewer, or none, when the exchange has no more in that span.
        """
        params = {
            "symbol": symbol,
            "interval": timeframe,
            "startTime": str(first_open_ms),
            "endTime": str(last_open_ms),
            "limit": str(PAGE_ROWS),
        }
        rows = self._get("/api/v3/klines", params, KLINES_WEIGHT)
        return page_of(rows, symbol, timeframe, first_open_ms, last_open_ms, as_of)

    def day_statistics(self, symbol: str) -> DayStatistics:
        """The last 24 hours of a symbol, as the exchange sums them up."""
        return day_statistics(self._get("/api/v3/ticker/24hr", {"symbol": symbol}, STATISTICS_WEIGHT), symbol)

    def order_book(self, symbol: str, levels: int = 100) -> OrderBook:
        """The order book of a symbol now, at most `levels` (1 to 5000) of each side."""
        params = {"symbol": symbol, "limit": str(levels)}
        return order_book(self._get("/api/v3/depth", params, depth_weight(levels)), symbol)

    def clock_offset_ms(self) -> int:
        """What to add to this machine's clock to get the exchange's, as if it had answered half-way.

        Wrong by half of `OFFSET_WITHIN_MS` at most: an answer that took longer, or came after a pause, is not used.
        """
        for _ in range(self._backoff.tries):
            asked_ms = self._now_ms()
            told_ms = to_ms(self.server_time())
            answered_ms = self._now_ms()
            if 0 <= answered_ms - asked_ms <= OFFSET_WITHIN_MS:
                return told_ms - (asked_ms + answered_ms) // 2
        raise Unavailable(
            f"The exchange did not tell its time within {OFFSET_WITHIN_MS} ms; how far the clocks are apart is unknown."
        )

    def _get(self, path: str, params: Mapping[str, str], weight: int) -> Any:
        """The parsed answer to a question, asked until there is one or until it is no use."""
        last = TryAgain("never asked")
        for tried in range(1, self._backoff.tries + 1):
            self._wait_for_weight(weight)
            answer = self._ask(path, params, weight)
            if isinstance(answer, Json):
                return answer.value
            last = answer
            if tried < self._backoff.tries:
                self._pause(path, tried, answer)
        raise Unavailable(f"The exchange was asked {self._backoff.tries} times for {path}, at last: {last.why}.")

    def _wait_for_weight(self, weight: int) -> None:
        seconds = wait_s(self._use, self._now_ms(), weight, self._weight_limit)
        if seconds:
            log.info("weight %d of %d used: waiting %.1f s", self._use.used, self._weight_limit, seconds)
            self._around.sleep(seconds)

    def _pause(self, path: str, tried: int, answer: TryAgain) -> None:
        seconds = self._backoff.pause_s(tried, self._around.jitter()) if answer.after_s is None else answer.after_s
        log.warning("%s: %s; asking again in %.1f s", path, answer.why, seconds)
        self._around.sleep(seconds)

    def _now_ms(self) -> int:
        return int(self._around.clock() * 1000)

    def _ask(self, path: str, params: Mapping[str, str], weight: int) -> Json | TryAgain:
        headers: dict[str, str] = {}
        try:
            status, headers, body = self._runner.run(self._fetch(path, params))
        except TimeoutError:
            return TryAgain(f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return TryAgain(f"no connection, or a broken one ({type(error).__name__})")
        finally:  # what got lost on the way may have been counted there
            self._use = after_answer(self._use, self._now_ms(), weight, headers)
        if len(body) > BODY_BYTES_MAX:
            raise ExchangeError(f"The exchange's answer to {path} has more than {BODY_BYTES_MAX} bytes.")
        return read_answer(status, headers, body)

    async def _fetch(self, path: str, params: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with names in small letters, and at most one byte more than the limit of the body."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},  # what is not packed cannot burst
                trust_env=False,
            )
        # When a connection breaks, aiohttp asks a question a second time by itself, at once and once.
        async with self._session.get(self._base + path, params=params, allow_redirects=False) as response:
            body = bytearray()
            async for block in response.content.iter_any():
                body += block
                if len(body) > BODY_BYTES_MAX:
                    break
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, headers, bytes(body)
