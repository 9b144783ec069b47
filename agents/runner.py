"""The runner: a small service that turns a brief into a reply. It has no database, no Redis and no exchange keys.

POST /v1/decide   {run_token, seconds, agent: {model, parameters}, brief, objections} -> {run_token, reply}
GET  /livez       ok
"""

import asyncio
import json
import os
from typing import Any

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.core.offline import OFFLINE_MODELS, offline_reply

LATE_BY_S = 2.0


class AgentPart(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=120)
    parameters: dict[str, Any] = {}


class Objection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: str = Field(max_length=200)
    detail: str


class DecideRequest(BaseModel):
    """What a runner is sent. `seconds` is the time a reply may take; one that comes later does not count."""

    model_config = ConfigDict(extra="forbid")

    run_token: str = Field(min_length=1, max_length=64)
    seconds: float = Field(gt=0, le=86_400)
    agent: AgentPart
    brief: dict[str, Any]
    objections: list[Objection] = []


async def decide(request: HttpRequest) -> HttpResponse:
    """Answer one question. Errors are JSON with a sentence that says what to change."""
    if request.method != "POST":
        return _refusal(405, "Use POST.")
    try:
        asked = DecideRequest.model_validate_json(request.body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return _refusal(422, "; ".join(f"{_where(problem['loc'])}: {problem['msg']}" for problem in problems))
    if asked.agent.model not in OFFLINE_MODELS:
        return _refusal(422, f"This runner has no model {asked.agent.model!r}; it has {', '.join(OFFLINE_MODELS)}.")
    objections = [objection.detail for objection in asked.objections]
    said = offline_reply(asked.agent.model, asked.agent.parameters, asked.brief, objections)
    if said.late:
        await asyncio.sleep(asked.seconds + LATE_BY_S)
    return JsonResponse({"run_token": asked.run_token, "reply": said.text})


async def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def _refusal(status: int, detail: str) -> HttpResponse:
    return HttpResponse(json.dumps({"error": detail}), status=status, content_type="application/json")


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


urlpatterns = [path("v1/decide", decide), path("livez", livez)]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings_runner")
application = get_asgi_application()
