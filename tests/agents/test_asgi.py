"""The door of a service: how many are let in at once, and what the one too many is told."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from agents.asgi import FULL, App, Message, door

POST = {"type": "http", "method": "POST"}
GET = {"type": "http", "method": "GET"}
WHOLE = {"type": "http.request", "body": b"question", "more_body": False}
PART = {**WHOLE, "more_body": True}
GONE = {"type": "http.disconnect"}


class Service:
    """Lets in one request at a time and answers none before it is told to."""

    def __init__(self, open_max: int = 1) -> None:
        self.go_on = asyncio.Event()
        self.let_in = 0
        self.app: App = door(
            self._inner, bytes_max=1_000, open_max=lambda: open_max, start=lambda: None, stop=self.go_on.wait
        )

    async def _inner(self, scope: Message, receive: Any, send: Any) -> None:
        self.let_in += 1
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def begin(self, scope: Message = POST, body: Iterable[Message] = (WHOLE,)) -> "asyncio.Task[list[Message]]":
        return asyncio.create_task(self._request(scope, list(body)))

    async def _request(self, scope: Message, body: list[Message]) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return body.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent


async def until_idle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_one_question_too_many_is_turned_away_when_its_body_has_come_and_the_next_is_let_in() -> None:
    async def story() -> None:
        service = Service()
        first = service.begin()
        await until_idle()
        start, body = await service.begin(body=[PART, PART, WHOLE])
        assert start["status"] == 503
        assert json.loads(body["body"]) == {"error": FULL}
        service.go_on.set()
        assert (await first)[0]["status"] == 200
        assert (await service.begin())[0]["status"] == 200
        assert service.let_in == 2

    asyncio.run(story())


def test_whoever_looks_after_a_full_service_is_answered() -> None:
    async def story() -> None:
        service = Service()
        first, look = service.begin(), service.begin(GET)
        await until_idle()
        assert service.let_in == 2
        service.go_on.set()
        assert [(await task)[0]["status"] for task in (first, look)] == [200, 200]

    asyncio.run(story())


def test_a_request_that_ends_badly_takes_no_place_from_the_next() -> None:
    async def story() -> None:
        service = Service()
        assert await service.begin(body=[PART, GONE]) == []
        assert (await service.begin(body=[{**WHOLE, "body": b"x" * 1_001}]))[0]["status"] == 413
        cancelled = service.begin()
        await until_idle()
        cancelled.cancel()
        await until_idle()
        service.go_on.set()
        assert (await service.begin())[0]["status"] == 200

    asyncio.run(story())


def test_one_turned_away_who_sends_too_much_or_leaves_is_not_waited_for() -> None:
    async def story() -> None:
        service = Service(open_max=0)
        assert await service.begin(body=[PART, GONE]) == []
        assert (await service.begin(body=[PART] * 200))[0]["status"] == 503
        assert service.let_in == 0

    asyncio.run(story())
