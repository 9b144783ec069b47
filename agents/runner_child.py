"""The child that does one turn, or one preflight, for the runner, and tells over its line what it does.

The zygote imports this module once, and litellm with it. An event is one of:

    {"try": key, "fields": {...}}    the record of a try as it begins, and again, with what has changed, as it ends
    {"answer": {...}}                the last: what the turn or the preflight came to
    {"trouble": text}                the last: a fault of our own, for the log
"""

import asyncio
import json
import os
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from agents import llm
from agents.calling import Complete, Purse
from agents.contract import DecideRequest, PreflightRequest
from agents.core.addresses import AllowedAddresses
from agents.core.calls import Message, ModelCall
from agents.core.firm import deliberate
from agents.core.parameters import AgentParameters
from agents.core.prompts import REPLY_SCHEMA, single_messages
from agents.core.records import clean
from agents.core.redaction import redact, secrets_of
from agents.core.said import CallFailed
from agents.core.text import storable
from agents.desk import FIRM, Desk
from agents.preflight import examine
from agents.zygote import Tell

# A turn should end by itself, with every try accounted for, before its process is killed.
RESERVE_SHARE, RESERVE_MAX_S = 0.1, 1.0
SINGLE = "single"
WARM_UP_S = 5.0


def warm() -> None:
    """Put one call to a scripted model and one to a port where nobody listens, so that no child has to import for it.

    litellm imports half of itself at the first call, and a provider's library at the first call to such a provider.
    """
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and never listening: it can only be refused
        base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        complete = partial(llm.complete, addresses=AllowedAddresses.of([base], ["127.0.0.1"]))
        for model, api_base in (("offline/steady", None), ("llamafile/nobody", base)):
            asyncio.run(_warm_up(complete, model, api_base))


async def _warm_up(complete: Complete, model: str, api_base: str | None) -> None:
    messages = (Message(role="user", content="Are you there?"),)
    model_call = ModelCall(role="warm-up", model=model, messages=messages, max_output_tokens=1, api_base=api_base)
    with suppress(CallFailed):  # of the second it is certain
        await complete(model_call, timeout_s=WARM_UP_S, supports_schema=False)


def run(job: bytes, seconds: float, tell: Tell) -> None:
    """Do a job of the runner: `{"decide" or "preflight": request, "bases": [...], "private_hosts": [...]}`."""
    fix = partial(_fit_to_keep, secrets_of(os.environ))
    deadline = time.monotonic() + seconds - min(seconds * RESERVE_SHARE, RESERVE_MAX_S)
    try:
        tell({"answer": asyncio.run(_do(json.loads(job), deadline, tell, fix))})
    except Exception:
        tell({"trouble": fix(traceback.format_exc())})


def _fit_to_keep(secrets: Any, text: str) -> str:
    return redact(storable(text), secrets)


async def _do(job: Mapping[str, Any], deadline: float, tell: Tell, fix: Callable[[str], str]) -> dict[str, Any]:
    addresses = AllowedAddresses.of(job["bases"], job["private_hosts"])
    complete = partial(llm.complete, addresses=addresses)
    if "preflight" in job:
        request = PreflightRequest.model_validate(job["preflight"])
        findings = await examine(request, _desk(request, deadline, complete, tell, fix), llm.facts_of, addresses)
        return {"findings": [finding.model_dump() for finding in findings]}
    asked = DecideRequest.model_validate(job["decide"])
    desk = _desk(asked, deadline, complete, tell, fix)
    return await (_firm(asked, desk) if asked.agent.kind == FIRM else _single(asked, desk))


def _desk(
    request: DecideRequest | PreflightRequest,
    deadline: float,
    complete: Complete,
    tell: Tell,
    fix: Callable[[str], str],
) -> Desk:
    return Desk(
        model=request.agent.model,
        parameters=AgentParameters.model_validate(request.agent.parameters),
        cards={card.model: card for card in request.cards},
        purse=Purse(request.allowance),
        deadline=deadline,
        complete=complete,
        fix=fix,
        tell=tell,
    )


async def _single(asked: DecideRequest, desk: Desk) -> dict[str, Any]:
    messages = single_messages(asked.brief, asked.objections, asked.last_reply)
    outcome = await desk.ask(SINGLE, messages, REPLY_SCHEMA)
    return {"reply": outcome.text, "reason": outcome.reason, "truncated": outcome.truncated, "deliberation": None}


async def _firm(asked: DecideRequest, desk: Desk) -> dict[str, Any]:
    quorum = desk.parameters.analysts_quorum
    said = await deliberate(asked.brief, asked.objections, asked.last_reply, desk.ask_role, quorum, asyncio.gather)
    return {
        "reply": said.reply,
        "reason": said.reason,
        "truncated": said.truncated,
        "deliberation": clean(said.content, desk.fix),
    }
