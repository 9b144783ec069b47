"""What Django leaves to others at an ASGI door: the life of the service, a limit on bodies and one on open requests."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[..., Awaitable[None]]  # (scope, receive, send)

BODY_WITHIN_S = 30.0
TURNED_AWAY_WITHIN_S = 5.0
FULL = "Too many questions are open here. No model was asked; ask again when some of them are answered."


class Disconnected(Exception):
    """The client went away before its request was whole."""


def door(
    inner: App,
    *,
    bytes_max: int,
    open_max: Callable[[], int],
    start: Callable[[], object],
    stop: Callable[[], Awaitable[None]],
) -> App:
    """`inner` behind a limit on bodies, in bytes, and on POST requests that are open at once: one more is answered 503.

    `start` is called before the first request at the latest, `stop` at the end.
    """
    requests_open = 0

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        nonlocal requests_open
        start()
        if scope["type"] == "lifespan":
            await _live(receive, send, stop)
        elif scope["method"] != "POST":  # whoever looks after this service is answered however full it is
            await _let_in(inner, bytes_max, scope, receive, send)
        elif requests_open >= open_max():
            logger.warning("%d requests are open; one more is turned away", requests_open)
            await _turn_away(bytes_max, receive, send)
        else:
            requests_open += 1
            try:
                await _let_in(inner, bytes_max, scope, receive, send)
            finally:
                requests_open -= 1

    return app


async def _let_in(inner: App, bytes_max: int, scope: Message, receive: Receive, send: Send) -> None:
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            body = await _body(receive, bytes_max)
    except Disconnected:
        return
    except TimeoutError:
        await _refuse(send, 408, f"The body must come within {BODY_WITHIN_S:.0f} s.")
    else:
        if body is None:
            await _refuse(send, 413, f"The body may have {bytes_max} bytes.")
        else:
            await inner(scope, _replay(body, receive), send)


async def _turn_away(bytes_max: int, receive: Receive, send: Send) -> None:
    """Refuse, after the body has come: a client that is still sending could not hear why."""
    left = bytes_max
    try:
        async with asyncio.timeout(TURNED_AWAY_WITHIN_S):
            while left >= 0:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        logger.info("whoever was turned away took too long to send")
    await _refuse(send, 503, FULL)


async def _live(receive: Receive, send: Send, stop: Callable[[], Awaitable[None]]) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await stop()
    await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Receive, bytes_max: int) -> bytes | None:
    """The whole body, or None as soon as it is larger than `bytes_max`."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > bytes_max:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the whole body first, then whatever comes: that is, whether the client is still there."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _refuse(send: Send, status: int, sentence: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": sentence}).encode()})
