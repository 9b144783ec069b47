"""The runner: a small service that turns a brief into a reply. It has no database, no Redis and no exchange keys.

POST /v1/decide      DecideRequest    -> DecideResponse
POST /v1/preflight   PreflightRequest -> PreflightResponse
GET  /livez          200 as soon as the service answers
GET  /readyz         200 when questions would be answered at once, else 503

Every question is answered by a process of its own, forked from the zygote, which has litellm; this one never imports
it. An error is JSON with a sentence that says what to change. A 4xx means that no model was asked, and so does a 503
with such a sentence, which a question gets at once when too many are open already.
"""

import json
import os
import time
from functools import cache
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from pydantic import BaseModel, ValidationError

from agents.asgi import door
from agents.children import Children
from agents.contract import REQUEST_BYTES_MAX, DecideRequest, PreflightRequest
from agents.core.parameters import AgentParameters
from agents.descriptors import Room, free_descriptors, room_in
from agents.transcript import Transcript

CHILD = "agents.runner_child"
PREFLIGHT_S = 60.0
OURS: Any = settings  # those of the runner; the type checker knows the site's only


class Unusable(ValueError):
    """A request that cannot be used; the message says what to change."""


@require_POST
async def decide(request: HttpRequest) -> HttpResponse:
    """Answer one question within its time, whatever it takes to end whoever is asked."""
    try:
        asked = _read(request.body, DecideRequest)
    except Unusable as error:
        return _refusal(422, str(error))
    transcript = Transcript(time.monotonic)
    ending = await children().run(_job("decide", asked), asked.seconds, transcript.take)
    return _json(transcript.decided(asked.run_token, ending, asked.seconds))


@require_POST
async def preflight(request: HttpRequest) -> HttpResponse:
    """Say whether this agent can be asked here."""
    try:
        asked = _read(request.body, PreflightRequest)
    except Unusable as error:
        return _refusal(422, str(error))
    transcript = Transcript(time.monotonic)
    ending = await children().run(_job("preflight", asked), PREFLIGHT_S, transcript.take)
    return _json(transcript.examined(ending, PREFLIGHT_S))


@require_GET
async def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@require_GET
async def readyz(request: HttpRequest) -> HttpResponse:
    is_ready = children().is_ready
    return HttpResponse("ok" if is_ready else "not ready", status=200 if is_ready else 503, content_type="text/plain")


@cache
def children() -> Children:
    """The processes that answer, of the one event loop of this service; the first call begins to prepare them."""
    return Children(CHILD, room().children)


@cache
def room() -> Room:
    """What this process can have open, once its limit is raised as far as it goes."""
    return room_in(free_descriptors(), OURS.RUNNER_CHILDREN_MAX)


def _read[R: (DecideRequest, PreflightRequest)](body: bytes, of: type[R]) -> R:
    """The request. Raises `Unusable`, also for parameters no agent can have."""
    where = ""
    try:
        asked = of.model_validate_json(body)
        where = "agent.parameters."
        AgentParameters.model_validate(asked.agent.parameters)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        told = (f"{where}{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in problems)
        raise Unusable("; ".join(told)) from None
    return asked


def _job(what: str, asked: BaseModel) -> bytes:
    """What a child is given: the request, and the addresses the operator allows."""
    allowed = {"bases": OURS.MODEL_API_BASES, "private_hosts": OURS.MODEL_PRIVATE_HOSTS}
    return json.dumps({what: asked.model_dump(mode="json"), **allowed}).encode()


def _json(answer: BaseModel) -> HttpResponse:
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


def _refusal(status: int, detail: str) -> HttpResponse:
    return HttpResponse(json.dumps({"error": detail}), status=status, content_type="application/json")


urlpatterns = [
    path("v1/decide", decide),
    path("v1/preflight", preflight),
    path("livez", livez),
    path("readyz", readyz),
]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings_runner")
application = door(
    get_asgi_application(),
    bytes_max=REQUEST_BYTES_MAX,
    open_max=lambda: room().questions,
    start=children,
    stop=lambda: children().close(),
)
