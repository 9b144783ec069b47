"""Asking: replies are stored verbatim first, and judged by replaying them through the engine.

A reply counts when it comes under the lease the turn has now and before the deadline. Everything else is kept as
evidence and changes nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from django.db import transaction
from django.db.utils import InterfaceError, OperationalError

from agents.core.answers import Answer, NoAnswer
from agents.core.brief import Brief
from agents.core.redaction import redact, redact_within
from agents.core.text import storable
from agents.models import Attempt, AttemptOutcome
from competition.core.rules import Rules
from competition.core.states import CycleState, TurnState, check_transition
from competition.models import Cycle, Turn
from competition.services.cycles import books_by_portfolio, locked, move
from competition.services.leasing import Lease, Round, Unanswered, answers_of, attempts_by_brief, replay, round_of
from competition.services.spending import charge_lost, settle_attempts
from market.bulk_rows import update_rows
from portfolio.core.book import Book
from portfolio.core.decisions import Verdict, VerdictKind, decision_content
from portfolio.one_of import OneOf
from portfolio.prepared import Given, PreparedObjects
from portfolio.queries import books_of

logger = logging.getLogger(__name__)

NO_REPLY_IN_TIME = "no reply by the deadline"
_VERDICT_FIELDS = (
    *("state", "verdict", "verdict_reason", "decision", "violations", "unwrapped", "decided_at"),
    *("token", "lease_until"),
)
_TURNS = PreparedObjects(
    lambda: (
        Turn.objects.select_for_update(of=("self",))
        .select_related("entry")
        .filter(OneOf("id", Given("turns")))
        .order_by("id")
    )
)
# A lease, and what came of it
Arrival = tuple[Lease, Answer | NoAnswer]


def accept(asked: Round, arrivals: Sequence[Arrival], now: datetime) -> list[int]:
    """Store what came back, verbatim, and then every verdict that now stands; the turns that want one more answer.

    Replies are committed before they are judged, so nothing that goes wrong in judging can lose one. An answer under
    a lease that has moved on, or after the deadline, is stored as late and changes nothing. May be called again with
    the same answers when it is not known whether the last call got through.
    """
    _each_alone_at_need(_store, asked, arrivals, now, at_last=_store_bare)
    return _each_alone_at_need(_judge, asked, [arrival for arrival in arrivals if isinstance(arrival[1], Answer)], now)


def _each_alone_at_need(
    work: Callable[[Round, Sequence[Arrival], datetime], list[int]],
    asked: Round,
    arrivals: Sequence[Arrival],
    now: datetime,
    at_last: Callable[[Round, Sequence[Arrival], datetime], list[int]] | None = None,
) -> list[int]:
    """All in one transaction; when that breaks, each in its own, so that one's trouble stays its own.

    For one that breaks even alone, `at_last` does what can be done.
    """
    try:
        return work(asked, arrivals, now) if arrivals else []
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if len(arrivals) == 1:
            logger.exception("the answer to turn %s could not be dealt with", arrivals[0][0].turn_id)
            return _each_alone_at_need(at_last, asked, arrivals, now) if at_last else []
        alone = ([arrival] for arrival in arrivals)
        return [turn_id for one in alone for turn_id in _each_alone_at_need(work, asked, one, now, at_last)]


@transaction.atomic
def _store(asked: Round, arrivals: Sequence[Arrival], now: datetime) -> list[int]:
    """End each attempt with what came of it, unless it has ended already."""
    turns = _locked_turns(arrivals)
    attempts = {
        attempt.id: attempt
        for attempt in Attempt.objects.select_for_update()
        .filter(id__in=[lease.attempt_id for lease, _ in arrivals], outcome=AttemptOutcome.PENDING)
        .order_by("id")
    }
    in_time = now < asked.cycle.deadline_at
    ended = [(attempts[lease.attempt_id], lease, answer) for lease, answer in arrivals if lease.attempt_id in attempts]
    settle_attempts([(attempt, lease.question, answer) for attempt, lease, answer in ended], now)
    for attempt, lease, answer in ended:
        turn = turns[lease.turn_id]
        is_current = turn.state == TurnState.ASKING and turn.token == attempt.run_token
        end_attempt(attempt, answer, is_current and in_time, now)
    fields = ["ended_at", "outcome", "reply", "truncated", "deliberation", "reason", "cost_usd"]
    update_rows([attempt for attempt, _, _ in ended], fields)
    return []


def end_attempt(attempt: Attempt, answer: Answer | NoAnswer, counts: bool, now: datetime) -> None:
    """Let an attempt end with what came of it, cleaned of keys; unsaved. Without `counts` a reply came too late."""
    attempt.ended_at = now
    attempt.deliberation = redact_within(dict(answer.deliberation), frozenset()) if answer.deliberation else None
    if isinstance(answer, Answer):
        attempt.outcome = AttemptOutcome.ANSWERED if counts else AttemptOutcome.LATE
        attempt.reply = storable(redact(answer.text, ()))
        attempt.truncated = answer.truncated
    else:
        attempt.outcome = AttemptOutcome.NO_ANSWER
        attempt.reason = storable(redact(answer.reason, ()))[:300]


def _store_bare(asked: Round, arrivals: Sequence[Arrival], now: datetime) -> list[int]:
    """The reply alone, when the record of its calls cannot be written: what they used is then not known."""
    bare: list[Arrival] = [(lease, replace(answer, calls=(), deliberation=None)) for lease, answer in arrivals]
    with transaction.atomic():
        charge_lost(list(Attempt.objects.filter(id__in=[lease.attempt_id for lease, _ in bare])), now)
        return _store(asked, bare, now)


@transaction.atomic
def _judge(asked: Round, arrivals: Sequence[Arrival], now: datetime) -> list[int]:
    """Decide the turns whose replies on record suffice; the ids of those of which the engine wants one more.

    Leaves alone whoever's lease has moved on, and everybody after the deadline.
    """
    if now >= asked.cycle.deadline_at:
        return []
    turns = _locked_turns(arrivals)
    current = [
        (turns[lease.turn_id], lease)
        for lease, _ in arrivals
        if turns[lease.turn_id].state == TurnState.ASKING
        and str(turns[lease.turn_id].token) == lease.question.run_token
    ]
    attempts = attempts_by_brief(turn.brief_id for turn, _ in current)
    heard = {a.id for several in attempts.values() for a in several if a.outcome == AttemptOutcome.ANSWERED}
    current = [(turn, lease) for turn, lease in current if lease.attempt_id in heard]
    books = books_of([turn.entry.portfolio_id for turn, _ in current])
    wanting = []
    for turn, lease in current:
        book, answers = books[turn.entry.portfolio_id], answers_of(attempts[turn.brief_id])
        try:
            _decide(turn, replay(asked, lease.question.brief, book, answers), now)
        except Unanswered:
            turn.lease_until = now
            wanting.append(turn.id)
    update_rows([turn for turn, _ in current], _VERDICT_FIELDS)
    return wanting


def _locked_turns(arrivals: Sequence[Arrival]) -> dict[int, Turn]:
    return {turn.id: turn for turn in _TURNS.all(turns=[lease.turn_id for lease, _ in arrivals])}


def _decide(turn: Turn, verdict: Verdict, now: datetime) -> None:
    """Set the verdict of a locked turn, unsaved; without a token every open lease is worthless."""
    check_transition(TurnState(turn.state), TurnState.DECIDED)
    turn.state = TurnState.DECIDED
    turn.verdict = verdict.kind.value
    turn.verdict_reason = verdict.reason[:300]
    turn.decision = decision_content(verdict.decision) if verdict.decision else None
    turn.violations = [asdict(violation) for violation in verdict.violations]
    turn.unwrapped = list(verdict.unwrapped)
    turn.decided_at = now
    turn.token = turn.lease_until = None


@transaction.atomic
def end_asking(cycle_id: int, now: datetime, trade_as_of: Callable[[Rules, Cycle, datetime], datetime]) -> bool:
    """At the deadline: whoever has no verdict gets the one their silence deserves, and trading begins."""
    cycle = locked(cycle_id, CycleState.ASKING)
    asked = round_of(cycle_id, now)
    if cycle is None or asked is None or now < cycle.deadline_at:
        return False
    books = books_by_portfolio(asked.setting.entries())
    undecided = (
        cycle.turns.select_for_update(of=("self",))
        .filter(state=TurnState.ASKING)
        .select_related("brief", "entry")
        .prefetch_related("brief__attempts")
    )
    turns = list(undecided.order_by("id"))  # locked before anything else, as whoever stores a reply does it
    charge_lost(_given_up(cycle), now)
    for turn in turns:
        _decide_at_last(asked, turn, books[turn.entry.portfolio_id], now)
    cycle.trade_as_of = trade_as_of(asked.setting.rules, cycle, now)
    move(cycle, CycleState.TRADING)
    return True


def _given_up(cycle: Cycle) -> list[Attempt]:
    return list(Attempt.objects.filter(brief__turn__cycle=cycle, outcome=AttemptOutcome.PENDING))


def _decide_at_last(asked: Round, turn: Turn, book: Book, now: datetime) -> None:
    """The verdict at the deadline. Whatever goes wrong in judging or writing one must not hold up the others."""
    attempts = sorted(turn.brief.attempts.all(), key=lambda attempt: attempt.number)
    brief = Brief(turn.brief.content, turn.brief.sha256)
    try:
        with transaction.atomic():
            _decide(turn, _last_verdict(asked, turn, brief, book, attempts), now)
            turn.save(update_fields=_VERDICT_FIELDS)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("%s could not be judged", turn)
        turn.refresh_from_db(fields=_VERDICT_FIELDS)
        reason = f"the reply could not be judged: {type(error).__name__}"
        _decide(turn, Verdict(VerdictKind.REJECTED, reason=reason), now)
        turn.save(update_fields=_VERDICT_FIELDS)


def _last_verdict(asked: Round, turn: Turn, brief: Brief, book: Book, attempts: Sequence[Attempt]) -> Verdict:
    """By the replies there were; whoever was never asked, because it could not be paid for, is over budget."""
    answers = answers_of(attempts)
    if turn.over_budget and not attempts:
        return Verdict(VerdictKind.OVER_BUDGET, reason=turn.over_budget)
    return replay(asked, brief, book, answers, NoAnswer(_why_silent(attempts)))


def _why_silent(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "never asked while replies could be asked for"
    return attempts[-1].reason or NO_REPLY_IN_TIME
