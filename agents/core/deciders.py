"""Deciders that need nobody outside: baselines, rules and offline models, as the engine's `decide`."""

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any

from agents.core.answers import Answer, Decide, NoAnswer
from agents.core.baselines import BASELINES, UnknownBaseline, baseline_reply
from agents.core.brief import Brief
from agents.core.firm import RoleAnswer, RoleFailure, RoleQuestion, deliberate
from agents.core.offline import OFFLINE_MODELS, UnknownOfflineModel, offline_answer, offline_reply
from agents.core.offline_desk import DESK_MODEL
from agents.core.parameters import AgentParameters
from agents.core.rule_parameters import RULE
from portfolio.core.decisions import Violation

LATE = "no reply by the deadline"


class NotDecidedInProcess(ValueError):
    """A model that only a runner can ask."""


def decider(model: str, parameters: Mapping[str, Any]) -> Decide:
    """`decide` for a model that needs no runner.

    Raises `NotDecidedInProcess`, `UnknownBaseline`, `UnknownRule`, `UnknownOfflineModel` or pydantic's
    `ValidationError`.
    """
    if model.startswith("baseline/"):
        return _baseline(model, parameters)
    if model.startswith(RULE):
        return _rule(model, parameters)
    if model == DESK_MODEL:
        return _firm(model, parameters)
    if model.startswith("offline/"):
        return _offline(model, parameters)
    raise NotDecidedInProcess(
        f"{model} has to be asked through a runner; here only baseline/…, rule/… and offline/… decide"
    )


def _baseline(model: str, parameters: Mapping[str, Any]) -> Decide:
    if model not in BASELINES:
        raise UnknownBaseline(f"{model!r} is no baseline. There are: {', '.join(BASELINES)}.")

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        return Answer(baseline_reply(model, parameters, brief.content))

    return decide


def _rule(model: str, parameters: Mapping[str, Any]) -> Decide:
    """Imported here: what computes indicators weighs more than all else, and few processes ask a rule."""
    from agents.core.rule_agents import rule_agent

    agent = rule_agent(model, parameters)

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        return Answer(agent.reply(brief.content))

    return decide


def _offline(model: str, parameters: Mapping[str, Any]) -> Decide:
    """A late reply is one that never comes: here nobody waits, in a season the runner does."""
    if model not in OFFLINE_MODELS:
        raise UnknownOfflineModel(f"{model!r} is no offline model. There are: {', '.join(OFFLINE_MODELS)}.")

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        said = offline_reply(model, parameters, brief.content, [violation.detail for violation in objections])
        return NoAnswer(LATE) if said.late else Answer(said.text)

    return decide


def _firm(model: str, parameters: Mapping[str, Any]) -> Decide:
    """The offline firm, through the same prompts and hand-offs as behind a runner.

    A late analyst is a missing one there, too, when its share of the time is over; here nobody waits for that.
    """
    agent = AgentParameters.model_validate(parameters)

    async def ask(question: RoleQuestion) -> RoleAnswer | RoleFailure:
        asked = agent.analyst_model or model if question.tier == "analyst" else model
        said = offline_answer(asked, question.messages, agent.seed or 0)
        return RoleFailure(LATE) if said.late else RoleAnswer(said.text)

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        came = _finished(deliberate(brief.content, objections, "", ask, agent.analysts_quorum, _in_turn))
        if came.reply is None:
            return NoAnswer(came.reason, deliberation=came.content)
        return Answer(came.reply, deliberation=came.content)

    return decide


async def _in_turn(*awaitables: Awaitable[Any]) -> Sequence[Any]:
    """What `asyncio.gather` does, for answers that are there at once."""
    return [await awaitable for awaitable in awaitables]


def _finished[Result](work: Coroutine[Any, Any, Result]) -> Result:
    """The result of work that never waits, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    raise RuntimeError("an offline firm waited for something outside")
