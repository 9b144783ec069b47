"""What a backtest will cost and how long its models will take, before it starts. The web process asks through here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from pydantic import ValidationError

from agents.core.baselines import OF_THE_HOUSE
from agents.core.budgeting import (
    Caps,
    Projection,
    Refused,
    makes_calls_of_ours,
    model_of_tier,
    models_of,
    priced,
    projected_cost,
)
from agents.core.parameters import AgentParameters
from agents.models import Call
from agents.prices import cards_for
from competition.core.backtest_parameters import AgentSpec, BacktestParameters, rules_of
from market.core.canonical import plain

SCRIPTED = "offline/"  # decides in process, for nothing
UNMEASURED_S = 15.0  # of one call, until there are calls of that model on record
CALLS_LOOKED_AT = 100
SPECIMEN_ROWS = 1
FREE = Projection(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class AgentCost:
    """What asking one agent costs if nothing was answered before; `problem` says why it cannot be asked at all."""

    agent: str
    questions: int
    cost: Projection
    seconds: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BacktestCost:
    """`agents` are those that are asked through a runner; everybody else costs nothing but a moment.

    `usd_cap` is what all of them together may cost, if that was said.
    """

    agents: tuple[AgentCost, ...]
    usd_cap: Decimal | None = None

    @property
    def total(self) -> Projection:
        return _at_most(sum((agent.cost for agent in self.agents), FREE), self.usd_cap)

    @property
    def seconds(self) -> float:
        return sum(agent.seconds for agent in self.agents)

    @property
    def spends(self) -> bool:
        return self.total.worst_usd > 0

    def sentence(self) -> str:
        """For whoever is about to start it; empty when nobody is asked."""
        if not self.agents:
            return ""
        questions = sum(agent.questions for agent in self.agents)
        took = timedelta(seconds=round(self.seconds))
        cost = f"about {plain(self.total.expected_usd)} USD, at the very most {plain(self.total.worst_usd)}"
        return (
            f"{questions} questions to models: {cost}; about {took}. What was answered before costs nothing; "
            "what was asked before and got no answer is asked again, and paid for again."
        )


def cost_of(parameters: BacktestParameters, caps: Caps, now: datetime) -> BacktestCost:
    """Project what asking the models costs, at the prices of `now` and with briefs as long as theirs will be.

    At the very most is what the caps let through: the backtest's own, or the one of a season when it has none.
    """
    asked = [spec for spec in parameters.agents if is_asked(spec.model)]
    if not asked:
        return BacktestCost(())
    from competition.services.projections import specimen_brief  # only here, and below: nobody is asked most times

    brief = specimen_brief(rules_of(parameters), SPECIMEN_ROWS)
    agents = (_agent_cost(spec, parameters, brief, caps, now) for spec in asked)
    return BacktestCost(tuple(agents), parameters.max_usd)


def cost_problems(parameters: BacktestParameters, cost: BacktestCost) -> dict[str, str]:
    """Why it cannot be started, by field: nobody knows what it costs, or nobody has said what it may cost."""
    if problems := [f"{agent.agent}: {agent.problem}" for agent in cost.agents if agent.problem]:
        return {"agents": f"{'; '.join(problems)}. Set a price with manage.py set_price or import_prices."}
    if cost.spends and parameters.max_usd is None:
        return {"max_usd": f"This asks models. {cost.sentence()} Say what it may cost at most."}
    return {}


def is_asked(model: str) -> bool:
    """Whether this agent is asked through a runner; the house and scripted models decide in process."""
    return not model.startswith((*OF_THE_HOUSE, SCRIPTED))


def may_cost(model: str) -> bool:
    """Whether anybody could be paid for what this agent is asked, whatever prices are today."""
    return is_asked(model) and makes_calls_of_ours(model)


def models_behind(spec: AgentSpec) -> tuple[str, ...]:
    """Every model whose training matters: none of the house or of scripts; a foreign agent's is its own string."""
    if not is_asked(spec.model):
        return ()
    if not makes_calls_of_ours(spec.model):
        return (spec.model,)
    return models_of(spec.kind, spec.model, AgentParameters.model_validate(spec.parameters))


def questions_in(parameters: BacktestParameters) -> int:
    """How often an agent is asked, at the most: the first time when a candle is known, the last before the end."""
    step_ms = parameters.timeframe_ms
    window_ms = int((parameters.last - parameters.first) / timedelta(milliseconds=1))
    return max((window_ms - step_ms) // parameters.every_ms + 1, 0)


def _agent_cost(
    spec: AgentSpec, parameters: BacktestParameters, brief: Mapping[str, Any], caps: Caps, now: datetime
) -> AgentCost:
    questions, rules = questions_in(parameters), rules_of(parameters)
    if not makes_calls_of_ours(spec.model):
        return AgentCost(spec.slug, questions, FREE, questions * UNMEASURED_S)
    try:
        agent = AgentParameters.model_validate(spec.parameters)
    except ValidationError as error:
        return AgentCost(spec.slug, questions, FREE, 0.0, f"{error.error_count()} of its parameters cannot be used")
    from agents.core.planned_calls import planned_calls

    planned = planned_calls(spec.kind, brief, (), "", agent)
    calls = priced(planned, spec.model, agent, cards_for(models_of(spec.kind, spec.model, agent), now))
    if isinstance(calls, Refused):
        return AgentCost(spec.slug, questions, FREE, 0.0, calls.reason)
    attempts = rules.attempts_max + rules.repairs_max
    cost = projected_cost(calls, agent.tries_max, attempts, questions, caps)
    tiers = dict.fromkeys(call.tier if call.tier == "analyst" else call.role for call in planned)  # analysts: at once
    of_tier = {call.tier if call.tier == "analyst" else call.role: call.tier for call in planned}
    seconds = sum(_usual_s(model_of_tier(of_tier[tier], spec.model, agent)) for tier in tiers)
    return AgentCost(spec.slug, questions, _at_most(cost, parameters.max_usd), questions * seconds)


def _at_most(cost: Projection, usd: Decimal | None) -> Projection:
    return cost if usd is None else Projection(min(cost.expected_usd, usd), min(cost.worst_usd, usd))


def _usual_s(model: str) -> float:
    """How long a call to this model takes: the median of the last ones that were answered."""
    newest = Call.objects.filter(requested_model=model, error_class="").order_by("-id")[:CALLS_LOOKED_AT]
    took = list(newest.values_list("latency_ms", flat=True))
    return median(took) / 1000 if took else UNMEASURED_S
