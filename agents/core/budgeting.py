"""What an attempt may use: the scopes it counts in, their caps, its worst case, and what a season will cost.

A scope is one account of the budget. An attempt counts in three: its turn, its agent's day, its entry's season.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal
from typing import Protocol

from agents.core.calls import Usage
from agents.core.parameters import AgentParameters
from agents.core.pricing import NANO_USD, NOTHING, ModelCard, Worst, usd_of, worst_of
from market.core.canonical import plain

ANALYST_TIER = "analyst"
MAKE_NO_CALLS_OF_OURS = ("baseline/", "rule/", "example/", "own/")
BYTES_PER_TOKEN = 4  # of English prose and JSON, roughly, with today's tokenizers
PART_OF_OUTPUT_USED = 4
CENT = Decimal("0.01")


class PlannedCall(Protocol):
    """One call that an attempt will make, bounded: `tier` says which of the agent's models is asked."""

    @property
    def role(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def prompt_tokens_max(self) -> int: ...
    @property
    def completion_tokens_max(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Caps:
    """What an operator allows at most; `daily_token_budget` is per agent and UTC day, the season's per entry."""

    usd_per_call: Decimal
    usd_per_turn: Decimal
    usd_per_agent_day: Decimal
    usd_per_season: Decimal
    daily_token_budget: int


@dataclass(frozen=True, slots=True)
class Scope:
    """One account: nothing may be set aside in it beyond its caps. None is no cap."""

    key: str
    tokens_cap: int | None
    usd_cap: Decimal | None


@dataclass(frozen=True, slots=True)
class OverBudget:
    """A reservation that does not fit: `used` is spent or set aside in `scope`, `asked` is what was wanted besides."""

    scope: str
    what: str  # "tokens" or "usd"
    cap: Decimal
    used: Decimal
    asked: Decimal

    @property
    def sentence(self) -> str:
        """Why, for the public."""
        unit = "tokens" if self.what == "tokens" else "USD"
        cap, used, asked = (plain(value) for value in (self.cap, self.used, self.asked))
        return (
            f"over budget for {self.scope}: {used} of {cap} {unit} are spent or set aside, "
            f"and this attempt could need {asked} more"
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """An attempt that may not even be set aside for, with a sentence for the public."""

    reason: str


@dataclass(frozen=True, slots=True)
class PricedCall:
    """A planned call at the prices of `card`; `bound` is the worst case of one try of it."""

    role: str
    card: ModelCard
    prompt_tokens_max: int
    completion_tokens_max: int

    @property
    def bound(self) -> Worst:
        return worst_of(self.prompt_tokens_max, self.completion_tokens_max, self.card)


@dataclass(frozen=True, slots=True)
class Projection:
    """What a season will cost one entry, in USD: in all likelihood, and at the very most."""

    expected_usd: Decimal
    worst_usd: Decimal

    def __add__(self, other: "Projection") -> "Projection":
        return Projection(self.expected_usd + other.expected_usd, self.worst_usd + other.worst_usd)


def scopes_for(turn_key: str, agent_slug: str, day: date, season_slug: str, caps: Caps) -> tuple[Scope, ...]:
    """The accounts an attempt counts in. `turn_key` names the turn for ever, as `winter/3/steady` does."""
    return (
        Scope(f"turn {turn_key}", None, caps.usd_per_turn),
        Scope(f"day {day.isoformat()}/{agent_slug}", caps.daily_token_budget, caps.usd_per_agent_day),
        Scope(f"season {season_slug}/{agent_slug}", None, caps.usd_per_season),
    )


def makes_calls_of_ours(model: str) -> bool:
    """Whether asking this agent makes calls that we pay for: the house makes none, foreign agents make their own."""
    return not model.startswith(MAKE_NO_CALLS_OF_OURS)


def model_of_tier(tier: str, model: str, parameters: AgentParameters) -> str:
    """Which of an agent's models a tier asks."""
    return parameters.analyst_model or model if tier == ANALYST_TIER else model


def models_of(kind: str, model: str, parameters: AgentParameters) -> tuple[str, ...]:
    """Every model that an agent asks and that has to have a price, each once."""
    if not makes_calls_of_ours(model):
        return ()
    return tuple(dict.fromkeys([model, model_of_tier(ANALYST_TIER, model, parameters)] if kind == "firm" else [model]))


def priced(
    planned: Sequence[PlannedCall], model: str, parameters: AgentParameters, cards: Mapping[str, ModelCard]
) -> tuple[PricedCall, ...] | Refused:
    """The planned calls of an agent with their prices, or the refusal that says which price is missing."""
    asked = {call.role: model_of_tier(call.tier, model, parameters) for call in planned}
    if unpriced := [name for name in dict.fromkeys(asked.values()) if name not in cards]:
        return Refused(no_price(unpriced))
    return tuple(
        PricedCall(call.role, cards[asked[call.role]], call.prompt_tokens_max, call.completion_tokens_max)
        for call in planned
    )


def no_price(models: Sequence[str]) -> str:
    """Why these models cannot be asked, for the public. What an operator does about it is for the preflight to say."""
    return f"no price is known for {', '.join(models)}"


def allowance_for(
    model: str,
    parameters: AgentParameters,
    planned: Sequence[PlannedCall],
    cards: Mapping[str, ModelCard],
    caps: Caps,
) -> Worst | Refused:
    """The most that one attempt may use: every planned call, as often as it may be tried, at its worst.

    Refused when a price is missing, or when a single try could cost more than the cap for one call.
    """
    if not makes_calls_of_ours(model):
        return NOTHING
    calls = priced(planned, model, parameters, cards)
    if isinstance(calls, Refused):
        return calls
    for call in calls:
        if call.bound.usd > caps.usd_per_call:
            return Refused(
                f"one call ({call.role}) could cost {plain(call.bound.usd)} USD, "
                f"and no call may cost more than {plain(caps.usd_per_call)} USD"
            )
    return sum((call.bound for call in calls for _ in range(parameters.tries_max)), NOTHING)


def projected_cost(
    calls: Sequence[PricedCall], tries_max: int, attempts_max: int, cycles: int, caps: Caps
) -> Projection:
    """What `cycles` turns of these calls cost.

    Expected: each call is made once a turn; a prompt has a token for every four of the bytes that bound it, and a
    reply a quarter of the longest it may have. Worst: every attempt that may be made is made, every call is tried as
    often as it may be and costs all it can, until the caps of the turn and of the season stop it.
    """
    once = sum((_expected_usd(call) for call in calls), Decimal(0))
    worst_attempt = sum((call.bound.usd for call in calls), Decimal(0)) * tries_max
    worst_turn = min(worst_attempt * attempts_max, caps.usd_per_turn)
    worst = min(worst_turn * cycles, caps.usd_per_season)
    return Projection(min(once * cycles, worst).quantize(CENT, ROUND_UP), worst.quantize(CENT, ROUND_UP))


def _expected_usd(call: PricedCall) -> Decimal:
    usage = Usage(
        prompt=-(-call.prompt_tokens_max // BYTES_PER_TOKEN),
        completion=-(-call.completion_tokens_max // PART_OF_OUTPUT_USED),
    )
    return usd_of(usage, call.card).quantize(NANO_USD)
