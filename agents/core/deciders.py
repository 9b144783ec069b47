"""Deciders that need nobody outside: baselines and offline models, as the engine's `decide`."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.core.answers import Answer, Decide, NoAnswer
from agents.core.baselines import BASELINES, UnknownBaseline, baseline_reply
from agents.core.brief import Brief
from agents.core.offline import OFFLINE_MODELS, UnknownOfflineModel, offline_reply
from portfolio.core.decisions import Violation

LATE = "no reply by the deadline"


class NotDecidedInProcess(ValueError):
    """A model that only a runner can ask."""


def decider(model: str, parameters: Mapping[str, Any]) -> Decide:
    """`decide` for a model that needs no runner.

    Raises `NotDecidedInProcess`, `UnknownBaseline` or `UnknownOfflineModel`.
    """
    if model.startswith("baseline/"):
        return _baseline(model, parameters)
    if model.startswith("offline/"):
        return _offline(model, parameters)
    raise NotDecidedInProcess(f"{model} has to be asked through a runner; here only baseline/… and offline/… decide")


def _baseline(model: str, parameters: Mapping[str, Any]) -> Decide:
    if model not in BASELINES:
        raise UnknownBaseline(f"{model!r} is no baseline. There are: {', '.join(BASELINES)}.")

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        return Answer(baseline_reply(model, parameters, brief.content))

    return decide


def _offline(model: str, parameters: Mapping[str, Any]) -> Decide:
    """A late reply is one that never comes: here nobody waits, in a season the runner does."""
    if model not in OFFLINE_MODELS:
        raise UnknownOfflineModel(f"{model!r} is no offline model. There are: {', '.join(OFFLINE_MODELS)}.")

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        said = offline_reply(model, parameters, brief.content, [violation.detail for violation in objections])
        return NoAnswer(LATE) if said.late else Answer(said.text)

    return decide
