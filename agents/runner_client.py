"""Asking a runner over HTTP. Whatever goes wrong on the way is an answer that did not come, with the reason.

Nothing a runner sends is trusted: not its size, its pace, its type, nor that it is about this question.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Protocol

import aiohttp
from pydantic import BaseModel, ValidationError

from agents.contract import (
    CALLS_BYTES_MAX,
    REQUEST_BYTES_MAX,
    AgentPart,
    DecideRequest,
    DecideResponse,
    Objection,
    PreflightRequest,
    PreflightResponse,
)
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.providers import host_name
from agents.core.records import clean
from agents.core.reply import REPLY_BYTES_MAX
from agents.core.strict_json import NotStrictJson, strict_object
from agents.core.text import storable

# As JSON, a reply of nothing but control characters takes six times its size.
RESPONSE_BYTES_MAX = CALLS_BYTES_MAX + 8 * REPLY_BYTES_MAX
CONNECT_TIMEOUT_S = 5.0
PREFLIGHT_S = 90.0
LOOK_S = 2.0
# A runner has its whole answer before it begins to send; one that drips it would hold up the others.
BODY_S = 15.0
READ_BUFFER_BYTES = 16_384
# What a runner keeps of a question's time to say what was called, when a model does not answer within it.
RETURN_SHARE, RETURN_MAX_S = 0.1, 2.0
REASON_CHARACTERS = 300
REFUSAL_BYTES_MAX = 4_096

# Waits until there is room for one more answer
Admit = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """There is always room."""


class Ask(Protocol):
    """Puts a question to its runner. What comes back is read only when `admit` returns."""

    def __call__(self, question: Question, admit: Admit = at_once) -> Awaitable[Answer | NoAnswer]: ...


class Unheard(Exception):
    """No response that can be used. `calls_known`: it is certain that the runner asked no model."""

    def __init__(self, reason: str, *, calls_known: bool = False, status: int | None = None) -> None:
        super().__init__(reason)
        self.calls_known = calls_known
        self.status = status


def address_for(agent: str, usual: str, others: Mapping[str, str]) -> str:
    """The runner of the agent with this slug: its own in `others`, else the `usual` one, whose `{agent}` it fills."""
    return others.get(agent, usual.replace("{agent}", host_name(agent))).rstrip("/")


def addresses_in(usual: str, others: Mapping[str, str]) -> Callable[[Question], str]:
    """`address_for` whoever is asked."""
    return lambda question: address_for(question.agent, usual, others)


async def agents_away(agents: Iterable[str], address_of: Callable[[str], str]) -> frozenset[str]:
    """Those of the agents whose runner does not answer GET /livez within two seconds; each address is asked once."""
    by_address: dict[str, list[str]] = {}
    for agent in agents:
        by_address.setdefault(address_of(agent), []).append(agent)
    async with _session() as session:
        there = await asyncio.gather(*(_is_there(session, address) for address in by_address))
    away = [address for address, answers in zip(by_address, there, strict=True) if not answers]
    return frozenset(agent for address in away for agent in by_address[address])


async def _is_there(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        timeout = aiohttp.ClientTimeout(total=LOOK_S)
        async with session.get(f"{address}/livez", timeout=timeout, allow_redirects=False) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return False


@asynccontextmanager
async def runners_at(address_of: Callable[[Question], str]) -> AsyncIterator[Ask]:
    """An `Ask` that puts each question to the runner at its own address, as many at once as are asked."""
    async with _session() as session:

        async def ask(question: Question, admit: Admit = at_once) -> Answer | NoAnswer:
            return await _ask(session, address_of(question), question, admit)

        yield ask


async def preflight(url: str, request: PreflightRequest) -> PreflightResponse:
    """What the runner at `url` finds when it looks whether an agent can be asked. Raises `Unheard`."""
    async with _session() as session:
        body = await _post(session, f"{url}/v1/preflight", request, PREFLIGHT_S)
    try:
        return PreflightResponse.model_validate(clean(strict_object(body), storable))
    except (NotStrictJson, ValidationError) as error:
        raise Unheard(f"the runner's answer is not readable: {_first_fault(error)}") from None


def _session() -> aiohttp.ClientSession:
    """One connection per question, so that what a runner sends too much is never taken for another's answer."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=READ_BUFFER_BYTES,  # what is not read yet waits with the sender
        headers={"Accept-Encoding": "identity"},  # what is not packed cannot burst
    )


async def _ask(session: aiohttp.ClientSession, url: str, question: Question, admit: Admit) -> Answer | NoAnswer:
    try:
        body = await _post(session, f"{url}/v1/decide", request_of(question), question.seconds, admit)
        return _answer(body, question.run_token)
    except Unheard as unheard:
        return NoAnswer(str(unheard)[:REASON_CHARACTERS], calls_known=unheard.calls_known)


def request_of(question: Question) -> DecideRequest:
    """The question as it is sent. The runner gets a little less time than there is, so that its answer is in time."""
    agent = {"kind": question.kind, "model": question.model, "parameters": dict(question.parameters)}
    return DecideRequest(
        run_token=question.run_token,
        seconds=max(question.seconds - min(question.seconds * RETURN_SHARE, RETURN_MAX_S), 0.001),
        agent=AgentPart.model_validate(agent),
        brief=question.brief.content,
        objections=tuple(Objection(**asdict(objection)) for objection in question.objections),
        last_reply=question.last_reply,
        cards=question.cards,
        allowance=question.allowance,
    )


async def _post(
    session: aiohttp.ClientSession, url: str, request: BaseModel, seconds: float, admit: Admit = at_once
) -> bytes:
    """Send a request, and the whole body that came back within `seconds`. Raises `Unheard`."""
    content = request.model_dump_json().encode()
    if len(content) > REQUEST_BYTES_MAX:
        raise Unheard(f"the question has {len(content)} bytes, more than a runner takes", calls_known=True)
    timeout = aiohttp.ClientTimeout(total=max(seconds, 0.001), connect=CONNECT_TIMEOUT_S)
    headers = {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=content, headers=headers, timeout=timeout, allow_redirects=False) as response:
            await admit()
            return await asyncio.wait_for(_body(response), BODY_S)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unheard(f"the runner could not be asked: {type(error).__name__}", calls_known=True) from None
    except aiohttp.InvalidURL:
        raise Unheard("the runner's address is none", calls_known=True) from None
    except TimeoutError:
        raise Unheard(f"no reply within {seconds:.3g} s") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise Unheard(f"the runner could not be asked: {type(error).__name__}") from None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body of a good response, read no further than it may go. Raises `Unheard`."""
    if response.status != 200:
        # By the contract a 4xx refuses a question before any model is asked.
        is_refusal = 400 <= response.status < 500 or (response.status == 503 and await _is_full(response))
        raise Unheard(
            f"the runner answered with status {response.status}", calls_known=is_refusal, status=response.status
        )
    if response.content_type != "application/json":
        raise Unheard("the runner's answer is not called JSON")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unheard("the runner's answer is packed")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            response.close()  # hangs up: what is still coming is not wanted
            raise Unheard(f"the runner sent more than {RESPONSE_BYTES_MAX} bytes")
    return bytes(body)


async def _is_full(response: aiohttp.ClientResponse) -> bool:
    """Whether a 503 is by the contract: `{"error": sentence}`. Another may come from anything in between."""
    said = bytearray()
    async for chunk in response.content.iter_any():
        said += chunk
        if len(said) > REFUSAL_BYTES_MAX:
            response.close()
            return False
    try:
        return isinstance(strict_object(bytes(said)).get("error"), str)
    except NotStrictJson:
        return False


def _first_fault(error: NotStrictJson | ValidationError) -> str:
    if isinstance(error, NotStrictJson):
        return str(error)
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _answer(body: bytes, run_token: str) -> Answer | NoAnswer:
    """What a runner's body says. Raises `Unheard` for one that is not about this question, or not by the contract."""
    try:
        content = strict_object(body)
    except NotStrictJson as error:
        raise Unheard(f"the runner's answer is not JSON: {error}") from None
    if content.get("run_token") != run_token:
        raise Unheard("the runner answered another question")
    try:
        said = DecideResponse.model_validate(clean(content, storable))
    except ValidationError as error:
        raise Unheard(f"the runner's answer is not by the contract: {_first_fault(error)}") from None
    if said.reply is None:
        return NoAnswer(said.reason or "the runner gave no reason", said.calls, said.deliberation)
    size = len(said.reply.encode("utf-8", "surrogatepass"))
    if size > REPLY_BYTES_MAX:
        return NoAnswer(f"the reply has {size} bytes, more than {REPLY_BYTES_MAX}", said.calls, said.deliberation)
    return Answer(said.reply, said.truncated, said.calls, said.deliberation)
