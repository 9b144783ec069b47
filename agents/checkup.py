"""Before an agent is asked in earnest: is its runner there, is its key there, is its model known and priced?

The runner looks at itself (`POST /v1/preflight`); what only the database knows is looked at here. No key is ever shown.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from agents.contract import AgentPart, Finding, PreflightRequest, PreflightResponse
from agents.core.budgeting import Caps
from agents.core.pricing import NOTHING, ModelCard, Worst, usd_of, worst_of
from agents.models import Agent
from agents.prices import cards_for, models_asked
from agents.runner_client import Unheard, preflight
from market.core.canonical import plain

CHEAP_PROMPT_TOKENS, CHEAP_COMPLETION_TOKENS = 2_000, 1_000
PREFLIGHT_S, CONNECT_S = 90, 5
RESPONSE_BYTES_MAX = 1_048_576
HOW_TO_PRICE = "set one with manage.py set_price or manage.py import_prices"

AskRunner = Callable[[str, PreflightRequest], PreflightResponse]


class RunnerAway(Exception):
    """A runner that cannot be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found about one agent; `usd` is what the test calls cost, as far as the provider said."""

    findings: tuple[Finding, ...]
    usd: Decimal = Decimal(0)

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


def preflight_of(agent: Agent, address: str, ask: AskRunner, caps: Caps, now: datetime, *, call: bool) -> Preflight:
    """Look at everything an agent needs. With `call`, one cheap question is put to each of its models, and paid.

    `address` is where its runner is; `ask` raises `RunnerAway` when the runner does not answer.
    """
    if agent.kind == "baseline":
        return Preflight((Finding(check="model", ok=True, detail="a house baseline decides in process, for nothing"),))
    try:
        models = models_asked([agent])
    except ValidationError as error:
        detail = f"{error.error_count()} cannot be used; add the agent again, as its next version"
        return Preflight((Finding(check="parameters", ok=False, detail=detail),))
    cards = cards_for(models, now)
    prices = tuple(_price(model, cards) for model in models)
    allowance = _cheap(cards, caps) if call else NOTHING
    if call and any(not price.ok for price in prices):
        return Preflight(prices)  # nothing is called that has no price
    try:
        response = ask(address, _request(agent, cards, call, allowance))
    except RunnerAway as away:
        detail = f"{away}; look whether it runs and RUNNER_URL or RUNNER_URLS is right ({address})"
        return Preflight((*prices, Finding(check="runner", ok=False, detail=detail[:500])))
    return Preflight(
        (*prices, Finding(check="runner", ok=True, detail=address[:500]), *response.findings), _cost(response, cards)
    )


def told(agent: Agent, found: Preflight) -> str:
    """What was found about an agent as one message, which names its model once: all is well, or what is not."""
    name = f"{agent}, {agent.model}"
    failed = [finding for finding in found.findings if not finding.ok]
    if any(finding.check == "price" for finding in failed):
        failed = [finding for finding in failed if finding.check != "price known"]  # the same from its runner
    if failed:
        said = "; ".join(_in_short(finding, agent.model) for finding in failed)
        message = f"{name}, is not ready to be asked. {said}."
    else:
        checks = dict.fromkeys(finding.check for finding in found.findings)
        message = f"{name}: all in order ({', '.join(checks)})."
    return f"{message} The test calls cost {plain(found.usd)} USD." if found.usd else message


def _in_short(finding: Finding, model: str) -> str:
    detail = finding.detail.removeprefix(f"{model}: ").removesuffix(".")
    return f"{finding.check}: {detail or 'not in order'}"


def _price(model: str, cards: Mapping[str, ModelCard]) -> Finding:
    card = cards.get(model)
    if card is None:
        return Finding(check="price", ok=False, detail=f"{model}: no price is known; {HOW_TO_PRICE}"[:500])
    prompt, completion = plain(card.prompt_usd), plain(card.completion_usd)
    detail = f"{model}: {prompt} USD per million prompt tokens, {completion} per million of the reply"
    return Finding(check="price", ok=True, detail=detail)


def _request(agent: Agent, cards: Mapping[str, ModelCard], call: bool, allowance: Worst) -> PreflightRequest:
    part = AgentPart(kind="firm" if agent.kind == "firm" else "single", model=agent.model, parameters=agent.parameters)
    return PreflightRequest(agent=part, cards=tuple(cards.values()), call=call, allowance=allowance)


def _cheap(cards: Mapping[str, ModelCard], caps: Caps) -> Worst:
    """Enough for one short question to each model, within the cap for one call each."""
    each = (worst_of(CHEAP_PROMPT_TOKENS, CHEAP_COMPLETION_TOKENS, card) for card in cards.values())
    return sum((Worst(tokens=worst.tokens, usd=min(worst.usd, caps.usd_per_call)) for worst in each), NOTHING)


def _cost(response: PreflightResponse, cards: Mapping[str, ModelCard]) -> Decimal:
    known = ((record.usage, cards.get(record.requested_model)) for record in response.calls)
    return sum((usd_of(usage, card) for usage, card in known if usage and card), Decimal(0))


def ask_runner(url: str, request: PreflightRequest) -> PreflightResponse:
    """Put a preflight to the runner at `url`. Raises `RunnerAway`."""
    try:
        return asyncio.run(preflight(url, request))
    except Unheard as unheard:
        if unheard.status == 404:
            said = "this runner answers, but has no preflight; no more is known of it"
            return PreflightResponse(findings=(Finding(check="preflight", ok=True, detail=said),))
        raise RunnerAway(str(unheard)) from None
