"""The contract between orchestrator and runner. `docs/runner.schema.json` is generated from it.

    POST /v1/decide      DecideRequest    -> DecideResponse
    POST /v1/preflight   PreflightRequest -> PreflightResponse
    GET  /livez          200 ok

A 4xx says that no model was asked, and so does a 503 whose body is `{"error": sentence}`: too many questions are open.
Only `run_token` and `reply` of a response are required, so an agent in any language can take part with a few lines.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.core.calls import CallRecord
from agents.core.pricing import ModelCard, Worst
from agents.core.reply import REPLY_BYTES_MAX

CALLS_BYTES_MAX = 1_048_576
REQUEST_BYTES_MAX = 1_048_576


class Contract(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentPart(Contract):
    """Who is asked. `parameters` are the agent's own; a runner reads what it understands."""

    kind: Literal["single", "firm"] = "single"
    model: str = Field(max_length=120)
    parameters: Mapping[str, Any] = {}


class Objection(Contract):
    rule: str = Field(max_length=200)
    detail: str


class DecideRequest(Contract):
    """A question. `seconds` is how long the answer may take; a later one does not count.

    `allowance` is the most that all calls together may use, priced by `cards`; without it nothing may be called
    that costs. `objections` says what was wrong with the reply before, `last_reply` is that reply.
    """

    run_token: str = Field(min_length=1, max_length=64)
    seconds: float = Field(gt=0, le=86_400)
    agent: AgentPart
    brief: Mapping[str, Any]
    objections: tuple[Objection, ...] = ()
    last_reply: str = Field(default="", max_length=REPLY_BYTES_MAX)
    cards: tuple[ModelCard, ...] = ()
    allowance: Worst = Worst(tokens=0, usd=Decimal(0))


class DecideResponse(BaseModel):
    """An answer. `reply` is the agent's own text, verbatim; None with a `reason` when there is none.

    `truncated` is true when the model was cut off: such a reply never counts. `deliberation` is a firm's record of
    who said what, `calls` is what was asked of models on the way.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    run_token: str = Field(max_length=64)
    reply: str | None
    reason: str = Field(default="", max_length=300)
    truncated: bool = False
    calls: tuple[CallRecord, ...] = Field(default=(), max_length=100)
    deliberation: dict[str, Any] | None = None


class PreflightRequest(Contract):
    """Can this agent be asked here? With `call`, one cheap question is really put to each of its models."""

    agent: AgentPart
    cards: tuple[ModelCard, ...] = ()
    call: bool = False
    allowance: Worst = Worst(tokens=0, usd=Decimal(0))


class Finding(Contract):
    """One thing looked at: what, whether it is all right, and what to do if not. Never a key."""

    check: str = Field(max_length=60)
    ok: bool
    detail: str = Field(default="", max_length=500)


class PreflightResponse(Contract):
    findings: tuple[Finding, ...]
    calls: tuple[CallRecord, ...] = ()
