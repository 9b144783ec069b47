"""One call to one model, tried again after errors that may pass. Never another model, never beyond what is allowed.

Every try is told twice: when it begins, as a record that says it was killed, and when it ends, as what became of it.
So whoever listens knows of every try, even of one that was ended from outside.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from agents.core.calls import PASSING, CallRecord, ErrorClass, ModelCall, Usage
from agents.core.pricing import NOTHING, ModelCard, Worst, usd_of, worst_of_call
from agents.core.records import record_of
from agents.core.reply import REPLY_BYTES_MAX
from agents.core.said import CallFailed, Said
from agents.core.wire_answer import is_whole

# How long to wait before the second try, by what went wrong; it doubles from try to try.
BACK_OFF_S = {
    ErrorClass.RATE_LIMITED: 2.0,
    ErrorClass.SERVER_ERROR: 1.0,
    ErrorClass.CONNECTION: 0.5,
    ErrorClass.TIMEOUT: 0.5,
    ErrorClass.MALFORMED: 0.5,
}
BACK_OFF_MAX_S = 30.0
# By then it has ended by itself, if it keeps its own time; then it can say more of what it saw.
OVERRUN_S = 0.25
NO_TIME = "no time was left for a try"
KILLED = "it was under way when its process ended"
NOT_SENT = "nothing was sent"

Tell = Callable[[CallRecord], None]


class Complete(Protocol):
    """Put one call to its provider, once: `agents.llm.complete`."""

    def __call__(self, call: ModelCall, *, timeout_s: float, supports_schema: bool) -> Coroutine[Any, Any, Said]: ...


@dataclass(frozen=True, slots=True)
class World:
    """What a call needs from outside: a provider, time, chance, and someone to tell of every try.

    `jitter` gives a fraction from 0 to 1; `fix` takes out of a text what must not be kept of it: secrets above all.
    """

    complete: Complete
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    tell: Tell
    fix: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one call: its tries, seconds per try, and the instant (monotonic, s) by which it must be over."""

    tries_max: int
    call_timeout_s: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model said in the end; None with the reason when it said nothing that can be used."""

    text: str | None
    reason: str = ""
    truncated: bool = False


class Purse:
    """What is left of a turn's allowance. Calls of one event loop share it: between checking and taking none waits."""

    def __init__(self, allowance: Worst) -> None:
        self.left = allowance

    def take(self, worst: Worst) -> bool:
        """Set the worst case of a try aside; False, and nothing is set aside, when it does not fit."""
        if not worst.fits_in(self.left):
            return False
        self.left = Worst(tokens=self.left.tokens - worst.tokens, usd=self.left.usd - worst.usd)
        return True

    def settle(self, worst: Worst, used: Worst) -> None:
        """Give back what a try did not need of its worst case, or take what it needed beyond."""
        self.left = Worst(
            tokens=max(self.left.tokens + worst.tokens - used.tokens, 0),
            usd=max(self.left.usd + worst.usd - used.usd, Decimal(0)),
        )


async def call(model_call: ModelCall, card: ModelCard | None, purse: Purse, limits: Limits, world: World) -> Outcome:
    """Put a call to its model, again after a passing error while tries, time and allowance last.

    Without a card the price is unknown, and nothing is sent. Cancelling leaves the try under way told as killed.
    """
    if card is None:
        return _unsent(model_call, 1, f"no price is known for {model_call.model}", world)
    worst, reason = worst_of_call(model_call, card), NO_TIME
    for number in range(1, limits.tries_max + 1):
        left_s = limits.deadline - world.monotonic()
        if left_s <= 0:
            break
        if not purse.take(worst):
            return _unsent(model_call, number, _shortage(worst, purse.left), world)
        tried = await _try(model_call, number, card, min(limits.call_timeout_s, left_s), world)
        purse.settle(worst, worst if tried.used is None else tried.used)
        failure = tried.failure
        if failure is None or failure.error_class not in PASSING or number == limits.tries_max:
            return tried.outcome
        reason = f"{tried.outcome.reason}; {NO_TIME}"
        wait_s = wait_before_next(failure.error_class, number, failure.retry_after_s, world.jitter())
        if world.monotonic() + wait_s >= limits.deadline:
            break
        await world.sleep(wait_s)
    return Outcome(None, reason)


def wait_before_next(error_class: ErrorClass, number: int, retry_after_s: float | None, jitter: float) -> float:
    """Seconds to wait after failed try `number`: doubling, between half and all of it by chance; never less than asked.

    `jitter` is a fraction from 0 to 1, `retry_after_s` what the provider asked for.
    """
    full = min(BACK_OFF_S[error_class] * 2.0 ** (number - 1), BACK_OFF_MAX_S)
    return max(full * (0.5 + jitter / 2), retry_after_s or 0.0)


@dataclass(frozen=True, slots=True)
class _Tried:
    """One try when it is over: `used` is None when the provider did not say what it used."""

    outcome: Outcome
    used: Worst | None = None
    failure: CallFailed | None = None


async def _try(model_call: ModelCall, number: int, card: ModelCard, timeout_s: float, world: World) -> _Tried:
    """Send it once, told before and after."""
    fields = _fields(model_call, number, world)
    world.tell(record_of({**fields, "error_class": ErrorClass.KILLED, "error_detail": KILLED}, world.fix))
    began = world.monotonic()
    try:
        asked = world.complete(model_call, timeout_s=timeout_s, supports_schema=card.supports_schema)
        said = await _within(asked, timeout_s)
    except CallFailed as failure:
        fields["latency_ms"] = _milliseconds(world.monotonic() - began)
        world.tell(record_of({**fields, **_failure_fields(failure)}, world.fix))
        words = f": {failure.detail}" if failure.detail else ""
        reason = f"{model_call.model}: {failure.error_class.value}{words}"
        return _Tried(Outcome(None, reason), _used(failure.usage, card) if failure.was_sent else NOTHING, failure)
    fields["latency_ms"] = _milliseconds(world.monotonic() - began)
    too_large = _excess(said.text)
    world.tell(record_of({**fields, **_said_fields(said), **too_large}, world.fix))
    used = _used(said.usage, card)
    if too_large:
        return _Tried(Outcome(None, f"{model_call.model}: {too_large['error_detail']}"), used)
    is_cut = not is_whole(said.finish_reason, str(said.parameters.get("strategy", "")))
    return _Tried(Outcome(world.fix(said.text), truncated=is_cut), used)


def _used(usage: Usage | None, card: ModelCard) -> Worst | None:
    return None if usage is None else Worst(tokens=usage.total, usd=usd_of(usage, card))


async def _within(asked: Coroutine[Any, Any, Said], timeout_s: float) -> Said:
    """What was said in time. A library that takes no notice of being cancelled is not waited for either."""
    task = asyncio.ensure_future(asked)
    try:
        await asyncio.wait({task}, timeout=timeout_s + OVERRUN_S)
        if not task.done():
            raise CallFailed(ErrorClass.TIMEOUT)
        return task.result()
    finally:
        task.cancel()


def _unsent(model_call: ModelCall, number: int, reason: str, world: World) -> Outcome:
    fields = _fields(model_call, number, world)
    refused = {"error_class": ErrorClass.OVER_ALLOWANCE, "error_detail": reason, "was_sent": False}
    world.tell(record_of({**fields, **refused}, world.fix))
    return Outcome(None, reason)


def _shortage(worst: Worst, left: Worst) -> str:
    return f"a try may take {worst.tokens} tokens and {worst.usd} USD; {left.tokens} tokens and {left.usd} USD are left"


def _fields(model_call: ModelCall, number: int, world: World) -> dict[str, Any]:
    """What a record says from the start."""
    return {
        "role": model_call.role,
        "number": number,
        "requested_model": model_call.model,
        "messages": [message.model_dump() for message in model_call.messages],
        "started_at": world.clock().isoformat(),
        "latency_ms": 0,
        "request_sha256": model_call.sha256,
    }


def _failure_fields(failure: CallFailed) -> dict[str, Any]:
    return {
        "error_class": failure.error_class,
        "error_detail": failure.detail or ("" if failure.was_sent else NOT_SENT),
        "was_sent": failure.was_sent,
        "status": failure.status,
        "provider_request_id": failure.provider_request_id,
        "usage": failure.usage.model_dump() if failure.usage else None,
        "usage_raw": failure.usage_raw,
    }


def _said_fields(said: Said) -> dict[str, Any]:
    return {
        "returned_model": said.returned_model,
        "parameters": dict(said.parameters),
        "reply": said.text,
        "usage": said.usage.model_dump() if said.usage else None,
        "usage_raw": dict(said.usage_raw),
        "finish_reason": said.finish_reason,
        "status": said.status,
        "provider_request_id": said.provider_request_id,
    }


def _excess(text: str) -> dict[str, Any]:
    """What a record says of a reply that is larger than any may be; nothing for another."""
    content = text.encode("utf-8", "surrogatepass")
    if len(content) <= REPLY_BYTES_MAX:
        return {}
    detail = f"the reply had {len(content)} bytes; the first {REPLY_BYTES_MAX} are kept"
    kept = content[:REPLY_BYTES_MAX].decode("utf-8", "ignore")
    return {"error_class": ErrorClass.TOO_LARGE, "error_detail": detail, "reply": kept}


def _milliseconds(seconds: float) -> int:
    return max(round(seconds * 1000), 0)
