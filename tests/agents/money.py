"""Notation of the budget's tests: worst cases, prices, attempts that need no season."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from agents.core.budgeting import Caps, PricedCall
from agents.core.calls import CallRecord, Message, Usage
from agents.core.pricing import ModelCard, Worst
from agents.models import Agent, Attempt, Brief

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MODEL = "openai/gpt-5"
CAPS = Caps(Decimal(2), Decimal(5), Decimal(10), Decimal(500), 2_000_000)


def worst(tokens: int, usd: str = "0") -> Worst:
    return Worst(tokens=tokens, usd=Decimal(usd))


def card(
    model: str = MODEL, prompt: str = "1", completion: str = "4", cached: str = "0.1", price_id: int = 1
) -> ModelCard:
    return ModelCard(
        model=model,
        price_id=price_id,
        prompt_usd=Decimal(prompt),
        completion_usd=Decimal(completion),
        cached_usd=Decimal(cached),
    )


def planned(role: str = "decider", prompt: int = 1_000, completion: int = 500, **of_card: Any) -> PricedCall:
    return PricedCall(role, card(**of_card), prompt, completion)


def an_attempt(number: int = 1, brief: Brief | None = None) -> Attempt:
    """An attempt of an agent that is in no season."""
    return Attempt.objects.create(
        brief=brief or a_brief(), number=number, run_token=uuid.uuid4(), started_at=NOW, lease_until=NOW
    )


def a_brief(slug: str = "mine", model: str = MODEL) -> Brief:
    agent, _ = Agent.objects.get_or_create(
        slug=slug, version=1, defaults={"name": slug, "kind": "single", "model": model}
    )
    return Brief.objects.create(agent=agent, sha256="0" * 64, content={"cycle": 1}, created_at=NOW)


def a_record(prompt: int | None = 100, completion: int = 50, **changes: Any) -> CallRecord:
    """A try that went well, unless `changes` say otherwise; `prompt` None: the provider told no usage."""
    given: dict[str, Any] = {
        "role": "decider",
        "number": 1,
        "requested_model": MODEL,
        "returned_model": "gpt-5-2026-01-01",
        "messages": (Message(role="user", content="What now?"),),
        "reply": '{"action": "hold"}',
        "usage": None if prompt is None else Usage(prompt=prompt, completion=completion),
        "started_at": NOW,
        "latency_ms": 12,
    }
    return CallRecord(**{**given, **changes})
