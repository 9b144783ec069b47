"""What Django leaves to others at an ASGI door: the life of the service, and cutting off a body that is too large."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[..., Awaitable[None]]  # (scope, receive, send)

BODY_WITHIN_S = 30.0


class Disconnected(Exception):
    """The client went away before its request was whole."""


def door(inner: App, *, bytes_max: int, start: Callable[[], object], stop: Callable[[], Awaitable[None]]) -> App:
    """`inner` behind a limit on bodies. `start` is called before the first request at the latest, `stop` at the end."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        start()
        if scope["type"] == "lifespan":
            await _live(receive, send, stop)
            return
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

    return app


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
