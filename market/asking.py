"""Questions over HTTP to the exchange's data hosts: asked one at a time, weighed, and again when that may help.

Making one touches no network; redirects, proxies and cookies are off. Nothing here can send anything but a GET.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from market.core.answers import ExchangeError, Json, TryAgain, Unavailable, read_answer
from market.core.backoff import Backoff
from market.core.weights import ASSUMED_LIMIT, WeightUse, after_answer, wait_s

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 8 * 1024 * 1024  # a page of candles has 0.2 MB, the exchange information of 100 symbols 0.5 MB


@dataclass(frozen=True, slots=True)
class Around:
    """What a client takes from the world beside the network: seconds since 1970, sleep, and numbers in [0, 1)."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class Asking:
    """A line to one of the exchange's data hosts, with the weight used there.

    `get` may raise `ExchangeError`, whose message is for an operator. Not for use by two threads at once, nor inside
    a running event loop. Close it, or use it in a `with`.
    """

    def __init__(
        self,
        around: Around | None = None,
        backoff: Backoff | None = None,
        timeout_s: float = 15.0,
        weight_limit: int = ASSUMED_LIMIT,
    ) -> None:
        self.weight_limit = weight_limit
        self.requests = 0
        self.weight_spent = 0
        self._around = around or Around()
        self._backoff = backoff or Backoff()
        self._timeout_s = timeout_s
        self._use = WeightUse()
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

    @property
    def weight_used(self) -> int:
        """Weight used in the newest minute, by the exchange's own count where it tells one."""
        return self._use.used

    @property
    def tries(self) -> int:
        """How often one question is asked at most."""
        return self._backoff.tries

    def now_ms(self) -> int:
        """This machine's clock."""
        return int(self._around.clock() * 1000)

    def get(self, url: str, params: Mapping[str, str], weight: int) -> Any:
        """The parsed answer to a question, asked until there is one or until it is no use."""
        last = TryAgain("never asked")
        for tried in range(1, self._backoff.tries + 1):
            self._wait_for_weight(weight)
            answer = self._ask(url, params, weight)
            if isinstance(answer, Json):
                return answer.value
            last = answer
            if tried < self._backoff.tries:
                self._pause(url, tried, answer)
        raise Unavailable(
            f"The exchange was asked {self._backoff.tries} times for {urlsplit(url).path}, at last: {last.why}."
        )

    def _wait_for_weight(self, weight: int) -> None:
        seconds = wait_s(self._use, self.now_ms(), weight, self.weight_limit)
        if seconds:
            log.info("weight %d of %d used: waiting %.1f s", self._use.used, self.weight_limit, seconds)
            self._around.sleep(seconds)

    def _pause(self, url: str, tried: int, answer: TryAgain) -> None:
        seconds = self._backoff.pause_s(tried, self._around.jitter()) if answer.after_s is None else answer.after_s
        log.warning("%s: %s; asking again in %.1f s", urlsplit(url).path, answer.why, seconds)
        self._around.sleep(seconds)

    def _ask(self, url: str, params: Mapping[str, str], weight: int) -> Json | TryAgain:
        headers: dict[str, str] = {}
        self.requests += 1
        self.weight_spent += weight
        try:
            status, headers, body = self._runner.run(self._fetch(url, params))
        except TimeoutError:
            return TryAgain(f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return TryAgain(f"no connection, or a broken one ({type(error).__name__})")
        finally:  # what got lost on the way may have been counted there
            self._use = after_answer(self._use, self.now_ms(), weight, headers)
        if len(body) > BODY_BYTES_MAX:
            raise ExchangeError(f"The exchange's answer to {urlsplit(url).path} has more than {BODY_BYTES_MAX} bytes.")
        return read_answer(status, headers, body)

    async def _fetch(self, url: str, params: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
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
        async with self._session.get(url, params=params, allow_redirects=False) as response:
            body = bytearray()
            async for block in response.content.iter_any():
                body += block
                if len(body) > BODY_BYTES_MAX:
                    break
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, headers, bytes(body)
