"""The only way out for a call: one request, to an allowed address, without redirects, its answer cut at a stated size.

It takes the place of the HTTP client inside litellm, which by itself follows redirects, reads bodies of any size and
sends again after a broken connection. Proxies named in the environment are not used either: what is behind one, nobody
here could check. What came over the wire is kept in the `Sending`: the record is made from that, not from what a
library makes of it.
"""

import json
from contextvars import ContextVar
from dataclasses import dataclass, field
from socket import AF_INET, AddressFamily
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from agents.core.addresses import AllowedAddresses
from agents.core.calls import ErrorClass
from agents.core.provider_json import USAGE_NAMES, json_object, numbers_only, usage_raw_of
from agents.core.redaction import redact, redact_within
from agents.core.wire_answer import error_of, holds_answer
from agents.llm_errors import error_class_in_body, status_in

RESPONSE_BYTES_MAX = 4 * 1_048_576
CONNECT_TIMEOUT_S = 5.0


@dataclass
class Sending:
    """Leave to send one request, and what came of it. `failure` is why no answer came through, if none did.

    `sent` is true once the library has made use of the leave, `left` once anything of it may have left this process.
    """

    addresses: AllowedAddresses
    api_base: str | None
    secrets: frozenset[str]
    sent: bool = False
    left: bool = False
    request: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    usage_raw: dict[str, Any] = field(default_factory=dict)
    failure: ErrorClass | None = None


SENDING: ContextVar[Sending | None] = ContextVar("sending", default=None)


class NothingCame(httpx.TransportError):
    """A request was not sent, or its answer not let through; why is in the `Sending`. Its text says nothing."""


class CheckedResolver(AbstractResolver):
    """Looks a name up and gives it back only if every address behind it may be connected to."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._names = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        if self._sending.addresses.refusal_of_resolved(host, [address["host"] for address in found]):
            self._sending.failure = ErrorClass.ADDRESS_REFUSED
            raise OSError("refused")
        return found

    async def close(self) -> None:
        await self._names.close()


class OneRequest(httpx.AsyncBaseTransport):
    """Carries the one request that the current `Sending` allows; every other is refused."""

    def __init__(self, ssl_context: Any = None) -> None:
        self._ssl = ssl_context or True  # True: certificates are checked

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sending = SENDING.get()
        if sending is None or sending.sent:
            raise NothingCame("Not the one request of a call.")
        sending.sent = True  # first of all: whatever happens now, the library gets no second try
        origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii', 'replace')}"
        if sending.addresses.refusal_of_request(origin, sending.api_base):
            sending.failure = ErrorClass.ADDRESS_REFUSED
            raise NothingCame("The address is not allowed.")
        content = await request.aread()
        sending.request = json_object(content) or {}
        data = await self._answer(sending, request, content)
        if data is None:
            raise NothingCame("No answer came through.")
        kept = {name: value for name, value in sending.headers.items() if name in ("content-type", "retry-after")}
        return httpx.Response(sending.status or 0, headers=kept, content=data, request=request)

    async def _answer(self, sending: Sending, request: httpx.Request, content: bytes) -> bytes | None:
        """The body for the library, or None with the reason in `sending`; no exception's text leaves this function."""
        try:
            data = await self._exchange(sending, request, content)
        except aiohttp.ClientResponseError:
            failure = ErrorClass.MALFORMED  # what answered does not speak HTTP
        except (aiohttp.ClientError, OSError, ValueError):  # a connect timeout is an OSError
            failure = ErrorClass.CONNECTION
        else:
            return None if data is None else _let_through(sending, data)
        sending.failure = sending.failure or failure
        return None

    async def _exchange(self, sending: Sending, request: httpx.Request, content: bytes) -> bytes | None:
        headers = {**request.headers, "accept-encoding": "identity"}  # what is not packed cannot burst
        connector = aiohttp.TCPConnector(ssl=self._ssl, resolver=CheckedResolver(sending), use_dns_cache=False)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[_watch(sending)],
            ) as session,
            session.request(
                request.method,
                str(request.url),
                headers=headers,
                data=content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            ) as response,
        ):
            sending.status = response.status
            sending.headers = {name.lower(): value for name, value in response.headers.items()}
            return await _body_of(sending, response)


def _watch(sending: Sending) -> aiohttp.TraceConfig:
    """Notes the instant from which bytes of a request may be under way: when its connection, TLS and all, stands."""

    async def note(*_: Any) -> None:
        sending.left = True

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(note)
    return watch


async def _body_of(sending: Sending, response: aiohttp.ClientResponse) -> bytes | None:
    """The body, read only as far as it may go; a redirect's is not read at all."""
    if 300 <= response.status < 400:
        sending.failure = ErrorClass.BAD_REQUEST
    elif response.headers.get("content-encoding", "identity").lower() != "identity":
        sending.failure = ErrorClass.MALFORMED
    elif (response.content_length or 0) > RESPONSE_BYTES_MAX:
        sending.failure = ErrorClass.TOO_LARGE
    if sending.failure:
        response.close()  # hangs up: what is still coming is not wanted
        return None
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > RESPONSE_BYTES_MAX:
            sending.failure = ErrorClass.TOO_LARGE
            response.close()
            return None
    return bytes(data)


def _let_through(sending: Sending, data: bytes) -> bytes | None:
    """What the library gets to see, redacted: a JSON object under a good status, anything under a bad one."""
    good = sending.status is not None and sending.status < 300
    try:
        body = redact_within(json_object(data), sending.secrets)
        sending.usage_raw = usage_raw_of(body or {})
        if not isinstance(body, dict):
            if good:
                sending.failure = ErrorClass.MALFORMED
            return None if good else redact(data.decode("utf-8", "replace"), sending.secrets).encode()
        sending.body = body
        names = error_of(body)
        if good and names:
            sending.failure = error_class_in_body(names)
            if not holds_answer(body):  # then it is as if the gateway had said it by the status
                sending.status = status_in(names) or sending.status
            return None
        # A report that cannot be read would cost the whole answer; it is kept in usage_raw.
        seen = {name: value for name, value in body.items() if name not in USAGE_NAMES or numbers_only(value)}
        return json.dumps(seen).encode()
    except RecursionError:
        sending.failure = ErrorClass.MALFORMED
        return None
