"""Asking a runner over HTTP. Whatever goes wrong on the way is an answer that did not come, with the reason."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import aiohttp

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.reply import REPLY_BYTES_MAX

RESPONSE_BYTES_MAX = 1_048_576 + REPLY_BYTES_MAX
CONNECT_TIMEOUT_S = 5

Ask = Callable[[Question], Awaitable[Answer | NoAnswer]]


@asynccontextmanager
async def runner_at(url: str) -> AsyncIterator[Ask]:
    """An `Ask` that puts questions to the runner at `url`, as many at once as are asked."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(question: Question) -> Answer | NoAnswer:
            return await _ask(session, url, question)

        yield ask


async def _ask(session: aiohttp.ClientSession, url: str, question: Question) -> Answer | NoAnswer:
    timeout = aiohttp.ClientTimeout(total=max(question.seconds, 0.001), connect=CONNECT_TIMEOUT_S)
    try:
        async with session.post(
            f"{url}/v1/decide", json=_request(question), timeout=timeout, allow_redirects=False
        ) as response:
            body = await _read_at_most(response, RESPONSE_BYTES_MAX)
            return _answer(response.status, body, question.run_token)
    except TimeoutError:
        return NoAnswer(f"no reply within {question.seconds:.3g} s")
    except aiohttp.ClientError as error:
        return NoAnswer(f"the runner could not be asked: {type(error).__name__}")


def _request(question: Question) -> dict[str, object]:
    return {
        "run_token": question.run_token,
        "seconds": question.seconds,
        "agent": {"model": question.model, "parameters": dict(question.parameters)},
        "brief": dict(question.brief.content),
        "objections": [asdict(objection) for objection in question.objections],
    }


async def _read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The body, or None as soon as it is longer than `limit`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _answer(status: int, body: bytes | None, run_token: str) -> Answer | NoAnswer:
    if body is None:
        return NoAnswer(f"the runner sent more than {RESPONSE_BYTES_MAX} bytes")
    if status != 200:
        return NoAnswer(f"the runner answered with status {status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return NoAnswer("the runner's answer is not JSON")
    if not isinstance(answer, dict) or answer.get("run_token") != run_token:
        return NoAnswer("the runner answered another question")
    if not isinstance(answer.get("reply"), str):
        return NoAnswer("the runner's answer holds no reply")
    return Answer(answer["reply"])
