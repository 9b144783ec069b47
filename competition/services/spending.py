"""What asking costs: the worst case of every attempt is set aside before it is asked, and settled with its end."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from pydantic import ValidationError

from agents.budget import caps_of, charge_unknown, open_reservations, settle_all
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.budgeting import (
    Caps,
    PricedCall,
    Refused,
    Scope,
    allowance_for,
    makes_calls_of_ours,
    models_of,
    priced,
    scopes_for,
)
from agents.core.parameters import AgentParameters
from agents.core.planned_calls import planned_calls
from agents.core.pricing import NOTHING, ModelCard, Worst
from agents.core.redaction import redact
from agents.models import Agent, Attempt, Reservation
from agents.prices import cards_for, parameters_of
from agents.recording import record_calls
from competition.models import Cycle, Turn
from portfolio.core.decisions import Violation

logger = logging.getLogger(__name__)

UNREADABLE = Refused("the agent's parameters cannot be read, so nobody knows what asking it would cost")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a round pays by, read once: the caps, and the present prices of the models its entries ask."""

    caps: Caps
    cards: Mapping[str, ModelCard]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one attempt may use, in which accounts, at which prices; nothing for whoever makes no calls of ours."""

    worst: Worst = NOTHING
    scopes: tuple[Scope, ...] = ()
    cards: tuple[ModelCard, ...] = ()


def terms_for(agents: Iterable[Agent], now: datetime) -> Terms:
    """The caps and prices that hold now for asking these agents."""
    names = {name for agent in agents for name in _models(agent)}
    return Terms(caps_of(settings), cards_for(names, now) if names else {})


def _models(agent: Agent) -> tuple[str, ...]:
    try:
        return models_of(agent.kind, agent.model, parameters_of(agent))
    except ValidationError:
        return ()  # `allowed` refuses this one


def allowed(
    terms: Terms,
    cycle: Cycle,
    turn: Turn,
    brief: Brief,
    objections: Sequence[Violation],
    last_reply: str,
    now: datetime,
) -> Allowed | Refused:
    """What the next attempt of a turn may use, or why it may not be made at all."""
    agent, season = turn.entry.agent, cycle.season
    if not makes_calls_of_ours(agent.model):
        return Allowed()
    try:
        parameters = parameters_of(agent)
    except ValidationError:
        return UNREADABLE
    planned = planned_calls(agent.kind, brief.content, objections, last_reply, parameters)
    worst = allowance_for(agent.model, parameters, planned, terms.cards, terms.caps)
    if isinstance(worst, Refused):
        return worst
    turn_key = f"{season.slug}/{cycle.number}/{turn.entry.slug}"
    scopes = scopes_for(turn_key, agent.slug, now.astimezone(UTC).date(), season.slug, terms.caps)
    cards = tuple(terms.cards[name] for name in models_of(agent.kind, agent.model, parameters))
    return Allowed(worst, scopes, cards)


def settle_attempts(ended: Sequence[tuple[Attempt, Question, Answer | NoAnswer]], now: datetime) -> None:
    """Write every call that was made and charge each attempt what it used; its `cost_usd` is set, unsaved.

    An attempt that nobody can account for is charged all that was set aside for it. One that was given up and
    charged so before keeps that charge, whatever is learnt later. Inside the caller's transaction.
    """
    reservations = {row.attempt_id: row for row in Reservation.objects.filter(attempt__in=[a for a, _, _ in ended])}
    charges: list[tuple[Reservation, Worst]] = []
    for attempt, question, answer in ended:
        reservation = reservations.get(attempt.id)
        held = Worst(tokens=reservation.tokens, usd=reservation.usd) if reservation else NOTHING
        used = _record(attempt, question, answer, held)
        if reservation and reservation.settled_at is None:
            charges.append((reservation, used))
    settle_all(charges, now)
    for attempt, _, _ in ended:
        reservation = reservations.get(attempt.id)
        if reservation and reservation.usd_charged is not None:
            attempt.cost_usd = reservation.usd_charged


def _record(attempt: Attempt, question: Question, answer: Answer | NoAnswer, held: Worst) -> Worst:
    """Write an attempt's calls; what it is to be charged."""
    is_accounted_for = isinstance(answer, Answer) or answer.calls_known
    if answer.calls:
        cards = {card.model: card for card in question.cards}
        plan = _plan(question, cards) if held != NOTHING else ()
        recorded = record_calls(attempt, answer.calls, plan, cards, held, _clean)
        for doubt in recorded.doubts:
            logger.warning("attempt %s of %s: %s", attempt.id, question.agent, doubt)
        return recorded.charged if is_accounted_for else held
    return NOTHING if is_accounted_for else held


def _clean(text: str) -> str:
    """Without anything that has the shape of a key; the runner, which knows its keys, has taken those out before."""
    return redact(text, ())


def _plan(question: Question, cards: Mapping[str, ModelCard]) -> tuple[PricedCall, ...]:
    parameters = AgentParameters.model_validate(question.parameters)
    planned = planned_calls(question.kind, question.brief.content, question.objections, question.last_reply, parameters)
    calls = priced(planned, question.model, parameters, cards)
    return () if isinstance(calls, Refused) else calls


def charge_lost(attempts: Sequence[Attempt], now: datetime) -> None:
    """Charge attempts that nobody waits for any more all that was set aside: what they used is not known.

    Two may give up the same one at once: the second waits for the first, and finds it charged. In a transaction.
    """
    lost = {row.attempt_id: row for row in open_reservations(attempts).select_for_update()}
    charge_unknown(lost.values(), now)
    for attempt in attempts:
        if attempt.id in lost:
            attempt.cost_usd = lost[attempt.id].usd_charged or attempt.cost_usd
            attempt.save(update_fields=["cost_usd"])
