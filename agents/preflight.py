"""Can this agent be asked here? One finding for each thing looked at; of a key only whether it is there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from agents.contract import Finding, PreflightRequest
from agents.core.addresses import AllowedAddresses
from agents.core.calls import Message
from agents.core.parameters import AgentParameters
from agents.core.pricing import ModelCard
from agents.desk import OFFLINE, Desk, models_of

TEST_QUESTION = (Message(role="user", content="This is a test of the line. Answer with one word: ready"),)
TEST_ROLE = "preflight"
TEST_TOKENS = 64


class Facts(Protocol):
    """What the library itself knows of a model; `key_variables` are those it needs that are not set."""

    @property
    def known(self) -> bool: ...
    @property
    def supports_schema(self) -> bool: ...
    @property
    def key_variables(self) -> tuple[str, ...]: ...


async def examine(
    request: PreflightRequest, desk: Desk, facts_of: Callable[[str], Facts], addresses: AllowedAddresses
) -> list[Finding]:
    """Everything there is to say before this agent is asked; with `request.call`, each model is really asked once."""
    findings = [_address(desk.parameters, addresses)]
    for model in models_of(request.agent, desk.parameters):
        findings += _of_model(model, desk.cards, facts_of(model))
        if request.call:
            findings.append(await _asked(model, desk))
    return findings


def _address(parameters: AgentParameters, addresses: AllowedAddresses) -> Finding:
    refusal = addresses.refusal_of(parameters.api_base)
    if refusal:
        return Finding(check="address allowed", ok=False, detail=f"{refusal}: see MODEL_API_BASES of the runner")
    return Finding(check="address allowed", ok=True, detail=parameters.api_base or "the provider's own")


def _of_model(model: str, cards: Mapping[str, ModelCard], facts: Facts) -> Iterator[Finding]:
    card, missing = cards.get(model), ", ".join(facts.key_variables)
    in_list = "known to the library" if facts.known else "not in the library's list: see that it is written right"
    yield Finding(check="model known", ok=facts.known, detail=f"{model}: {in_list}")
    key = f"set {missing} where the runner runs" if missing else "present, or none is needed"
    yield Finding(check="key present", ok=not missing, detail=f"{model}: {key}")
    is_priced = card is not None or model.startswith(OFFLINE)
    price = "in the price list" if is_priced else "add a price, or it will not be called"
    yield Finding(check="price known", ok=is_priced, detail=f"{model}: {price}")
    yield _structured_output(model, card is not None and card.supports_schema, facts.supports_schema)


def _structured_output(model: str, in_card: bool, in_facts: bool) -> Finding:
    if in_card and not in_facts:
        detail = "the price list says that it keeps to a schema, the library does not"
    elif in_card:
        detail = "it is given the schema of its reply"
    else:
        detail = "the schema of its reply stands in its prompt alone"
    return Finding(check="structured output", ok=in_facts or not in_card, detail=f"{model}: {detail}")


async def _asked(model: str, desk: Desk) -> Finding:
    modest = desk.parameters.model_copy(update={"max_output_tokens": TEST_TOKENS, "tries_max": 1, "effort": None})
    outcome = await replace(desk, parameters=modest).ask(TEST_ROLE, TEST_QUESTION, None, model)
    detail = "it answers" if outcome.text is not None else outcome.reason
    return Finding(check="test call", ok=outcome.text is not None, detail=f"{model}: {detail}"[:500])
