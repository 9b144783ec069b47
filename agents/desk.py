"""The desk from which all calls of one turn are made: one allowance, one deadline, and every try told."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from agents.calling import Complete, Limits, Outcome, Purse, World, call
from agents.contract import AgentPart
from agents.core.calls import CallRecord, Message, ModelCall
from agents.core.firm import RoleAnswer, RoleFailure, RoleQuestion, role_ends_at
from agents.core.parameters import AgentParameters
from agents.core.pricing import ModelCard, Worst
from agents.zygote import Tell

OFFLINE, FIRM = "offline/", "firm"
FREE, BOUNDLESS = Decimal(0), Worst(tokens=10**12, usd=Decimal(10**6))


@dataclass(slots=True)
class Desk:
    """Asks the models of one agent. `deadline` is an instant of the monotonic clock, in seconds."""

    model: str
    parameters: AgentParameters
    cards: Mapping[str, ModelCard]
    purse: Purse
    deadline: float
    complete: Complete
    fix: Callable[[str], str]
    tell: Tell
    monotonic: Callable[[], float] = time.monotonic
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def ask_role(self, question: RoleQuestion) -> RoleAnswer | RoleFailure:
        """Put a firm's question to the model of its tier, for as long as this tier may take."""
        ends_at = role_ends_at(question.tier, self.monotonic(), self.deadline)
        model = self.parameters.analyst_model if question.tier == "analyst" else None
        outcome = await self.ask(question.role, question.messages, question.reply_schema, model, ends_at)
        if outcome.text is None:
            return RoleFailure(outcome.reason)
        return RoleAnswer(outcome.text, outcome.truncated)

    async def ask(
        self,
        role: str,
        messages: Sequence[Message],
        reply_schema: Mapping[str, Any] | None,
        model: str | None = None,
        ends_at: float | None = None,
    ) -> Outcome:
        """Put messages to the agent's own model, or to `model`; every try is told under a key of this call's.

        It is over at the desk's deadline, or at `ends_at`, an instant of the same clock.
        """
        model_call = self.model_call(role, messages, reply_schema, model or self.model)
        deadline = self.deadline if ends_at is None else ends_at
        limits = Limits(self.parameters.tries_max, self.parameters.call_timeout_s, deadline)
        card, purse = self.cards.get(model_call.model), self.purse
        if card is None and model_call.model.startswith(OFFLINE):
            card, purse = _free_card(model_call.model), Purse(BOUNDLESS)  # nothing leaves this process
        return await call(model_call, card, purse, limits, self._world())

    def model_call(
        self, role: str, messages: Sequence[Message], reply_schema: Mapping[str, Any] | None, model: str
    ) -> ModelCall:
        """The whole question, as the agent's parameters want it put.

        An `api_base` is the address of the agent's own provider, so a model of another provider goes without.
        """
        parameters = self.parameters
        return ModelCall(
            role=role,
            model=model,
            messages=tuple(messages),
            reply_schema=reply_schema,
            max_output_tokens=parameters.max_output_tokens,
            temperature=parameters.temperature,
            seed=parameters.seed,
            effort=parameters.effort,
            api_base=parameters.api_base if _provider(model) == _provider(self.model) else None,
        )

    def _world(self) -> World:
        number, told = next(self.numbers), set[int]()

        def tell(record: CallRecord) -> None:
            known = {"messages"} if record.number in told else set()
            told.add(record.number)
            fields = record.model_dump(mode="json", exclude=known)
            self.tell({"try": f"{number}/{record.number}", "fields": fields})

        return World(
            complete=self.complete,
            clock=lambda: datetime.now(UTC),
            monotonic=self.monotonic,
            sleep=asyncio.sleep,
            jitter=random.random,
            tell=tell,
            fix=self.fix,
        )


def models_of(agent: AgentPart, parameters: AgentParameters) -> tuple[str, ...]:
    """Every model an agent may ask, its own first."""
    analyst = parameters.analyst_model if agent.kind == FIRM else None
    return tuple(dict.fromkeys(filter(None, (agent.model, analyst))))


def _provider(model: str) -> str:
    return model.partition("/")[0]


def _free_card(model: str) -> ModelCard:
    return ModelCard(model=model, price_id=0, prompt_usd=FREE, completion_usd=FREE, cached_usd=FREE)
