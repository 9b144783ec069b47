"""Asking: turns are leased, replies stored verbatim first, and judged by replaying them through the engine.

A reply counts when it comes under the lease the turn has now and before the deadline. Everything else is kept as
evidence and changes nothing.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.utils import InterfaceError, OperationalError

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.text import storable
from agents.models import Attempt, AttemptOutcome
from competition.core.engine import decide_turn
from competition.core.rules import Rules
from competition.core.states import CycleState, TurnState, check_transition
from competition.models import Cycle, Turn
from competition.services.cycles import Setting, books_by_portfolio, locked, move, setting_of
from market.core.snapshot import Snapshot, snapshot_of
from portfolio.core.book import Book
from portfolio.core.decisions import Verdict, VerdictKind, Violation, decision_content
from portfolio.queries import book_of

logger = logging.getLogger(__name__)

NO_REPLY_IN_TIME = "no reply by the deadline"
_VERDICT_FIELDS = (
    *("state", "verdict", "verdict_reason", "decision", "violations", "unwrapped", "decided_at"),
    *("token", "lease_until"),
)


@dataclass(frozen=True, slots=True)
class Lease:
    """An attempt that has been written and now has to be put to its agent."""

    turn_id: int
    attempt_id: int
    question: Question


class Unanswered(Exception):
    """Raised by the replay when the engine asks for more than has been answered so far."""

    def __init__(self, objections: Sequence[Violation]) -> None:
        super().__init__("one more answer is needed")
        self.objections = tuple(objections)


@dataclass(frozen=True, slots=True)
class Round:
    """What the questions of one cycle have in common; it does not change while they are asked."""

    setting: Setting
    cycle: Cycle
    snapshot: Snapshot


def round_of(cycle_id: int) -> Round | None:
    """Everything to ask a cycle's questions with, or None when it is not asking."""
    cycle = Cycle.objects.select_related("season", "snapshot").get(id=cycle_id)
    if cycle.state != CycleState.ASKING or cycle.snapshot is None:
        return None
    stored = cycle.snapshot
    return Round(setting_of(cycle.season), cycle, snapshot_of(stored.content, stored.as_of, stored.sha256))


def lease_turns(asked: Round, now: datetime, new_token: Callable[[], uuid.UUID]) -> list[Lease]:
    """Lease every turn of the cycle that nobody is asking now, and say what to ask. One transaction per turn."""
    free = asked.cycle.turns.filter(state=TurnState.ASKING).exclude(lease_until__gt=now).order_by("id")
    leases = (_lease_or_none(asked, turn_id, now, new_token()) for turn_id in free.values_list("id", flat=True))
    return [lease for lease in leases if lease]


def _lease_or_none(asked: Round, turn_id: int, now: datetime, token: uuid.UUID) -> Lease | None:
    """A lease; None also when this one turn makes trouble, which must not keep the others from being asked."""
    try:
        return lease_turn(asked, turn_id, now, token)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("turn %s could not be leased; the others are asked", turn_id)
        return None


@transaction.atomic
def lease_turn(asked: Round, turn_id: int, now: datetime, token: uuid.UUID) -> Lease | None:
    """Take the lease of one turn and write its next attempt; None when another has it, or there is no attempt left."""
    turn = (
        Turn.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("brief", "entry__agent")
        .filter(id=turn_id, state=TurnState.ASKING)
        .exclude(lease_until__gt=now)
        .first()
    )
    if turn is None or now >= asked.cycle.deadline_at:
        return None
    rules = asked.setting.rules
    brief = Brief(turn.brief.content, turn.brief.sha256)
    attempts = list(turn.brief.attempts.order_by("number"))
    objections = _objections(asked, turn, brief, attempts)
    if objections is None or len(attempts) >= rules.attempts_max + rules.repairs_max:
        return None
    turn.token = token
    turn.lease_until = min(now + timedelta(seconds=rules.attempt_s), asked.cycle.deadline_at)
    turn.save(update_fields=["token", "lease_until"])
    attempt = Attempt.objects.create(
        brief=turn.brief,
        number=len(attempts) + 1,
        run_token=token,
        objections=[asdict(objection) for objection in objections],
        started_at=now,
        lease_until=turn.lease_until,
    )
    agent, seconds = turn.entry.agent, (turn.lease_until - now).total_seconds()
    question = Question(
        str(token), agent.model, agent.parameters, brief, objections, seconds, agent=agent.slug, kind=agent.kind
    )
    return Lease(turn.id, attempt.id, question)


def _objections(asked: Round, turn: Turn, brief: Brief, attempts: Iterable[Attempt]) -> tuple[Violation, ...] | None:
    """What the next attempt must be told; None when no further answer is wanted."""
    answers = _answers(attempts)
    if not answers:
        return ()
    try:
        _replay(asked, brief, book_of(turn.entry.portfolio_id), answers)
    except Unanswered as unanswered:
        return unanswered.objections
    return None


def accept(asked: Round, lease: Lease, answer: Answer | NoAnswer, now: datetime) -> bool:
    """Store what came back, verbatim, and then the verdict if it now stands. True when one more answer is wanted.

    The reply is committed before it is judged, so nothing that goes wrong in judging can lose it. An answer under a
    lease that has moved on, or after the deadline, is stored as late and changes nothing. May be called again with
    the same answer when it is not known whether the last call got through.
    """
    store(asked, lease, answer, now)
    return isinstance(answer, Answer) and judge_turn(asked, lease, now)


@transaction.atomic
def store(asked: Round, lease: Lease, answer: Answer | NoAnswer, now: datetime) -> None:
    """End the attempt with what came back, unless it has ended already."""
    turn = Turn.objects.select_for_update(of=("self",)).get(id=lease.turn_id)
    attempt = Attempt.objects.select_for_update().get(id=lease.attempt_id)
    if attempt.outcome != AttemptOutcome.PENDING:
        return
    is_current = turn.state == TurnState.ASKING and turn.token == attempt.run_token
    _end_attempt(attempt, answer, is_current and now < asked.cycle.deadline_at, now)


@transaction.atomic
def judge_turn(asked: Round, lease: Lease, now: datetime) -> bool:
    """Decide a turn from the replies on record if they suffice; True when the engine wants one more.

    Does nothing when the lease has moved on or the deadline has passed.
    """
    turn = Turn.objects.select_for_update(of=("self",)).select_related("entry").get(id=lease.turn_id)
    if turn.state != TurnState.ASKING or str(turn.token) != lease.question.run_token:
        return False
    if now >= asked.cycle.deadline_at:
        return False
    answers = _answers(Attempt.objects.filter(brief=turn.brief_id).order_by("number"))
    try:
        verdict = _replay(asked, lease.question.brief, book_of(turn.entry.portfolio_id), answers)
    except Unanswered:
        turn.lease_until = now
        turn.save(update_fields=["lease_until"])
        return True
    _decide(turn, verdict, now)
    return False


def _end_attempt(attempt: Attempt, answer: Answer | NoAnswer, counts: bool, now: datetime) -> None:
    attempt.ended_at = now
    if isinstance(answer, Answer):
        attempt.outcome = AttemptOutcome.ANSWERED if counts else AttemptOutcome.LATE
        attempt.reply = storable(answer.text)
    else:
        attempt.outcome = AttemptOutcome.NO_ANSWER
        attempt.reason = answer.reason[:300]
    attempt.save(update_fields=["ended_at", "outcome", "reply", "reason"])


def _answers(attempts: Iterable[Attempt]) -> list[Answer]:
    return [Answer(attempt.reply) for attempt in attempts if attempt.outcome == AttemptOutcome.ANSWERED]


def _replay(asked: Round, brief: Brief, book: Book, answers: Sequence[Answer], last: NoAnswer | None = None) -> Verdict:
    """`decide_turn` with what was answered; then `last`, or `Unanswered` when the engine wants to hear more."""
    waiting = iter(answers)

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        answer = next(waiting, None) or last
        if answer is None:
            raise Unanswered(objections)
        return answer

    setting = asked.setting
    return decide_turn(brief, book, asked.snapshot, setting.symbols, setting.rules, decide)


def _decide(turn: Turn, verdict: Verdict, now: datetime) -> None:
    """Write the verdict of a locked turn; a new token makes every open lease worthless."""
    check_transition(TurnState(turn.state), TurnState.DECIDED)
    turn.state = TurnState.DECIDED
    turn.verdict = verdict.kind.value
    turn.verdict_reason = verdict.reason[:300]
    turn.decision = decision_content(verdict.decision) if verdict.decision else None
    turn.violations = [asdict(violation) for violation in verdict.violations]
    turn.unwrapped = list(verdict.unwrapped)
    turn.decided_at = now
    turn.token = turn.lease_until = None
    turn.save(update_fields=_VERDICT_FIELDS)


@transaction.atomic
def end_asking(cycle_id: int, now: datetime, trade_as_of: Callable[[Rules, Cycle, datetime], datetime]) -> bool:
    """At the deadline: whoever has no verdict gets the one their silence deserves, and trading begins."""
    cycle = locked(cycle_id, CycleState.ASKING)
    asked = round_of(cycle_id)
    if cycle is None or asked is None or now < cycle.deadline_at:
        return False
    books = books_by_portfolio(asked.setting.entries())
    undecided = (
        cycle.turns.select_for_update(of=("self",))
        .filter(state=TurnState.ASKING)
        .select_related("brief", "entry")
        .prefetch_related("brief__attempts")
    )
    for turn in undecided.order_by("id"):
        _decide_at_last(asked, turn, books[turn.entry.portfolio_id], now)
    cycle.trade_as_of = trade_as_of(asked.setting.rules, cycle, now)
    move(cycle, CycleState.TRADING)
    return True


def _decide_at_last(asked: Round, turn: Turn, book: Book, now: datetime) -> None:
    """The verdict at the deadline. Whatever goes wrong in judging or writing one must not hold up the others."""
    attempts = sorted(turn.brief.attempts.all(), key=lambda attempt: attempt.number)
    brief = Brief(turn.brief.content, turn.brief.sha256)
    try:
        with transaction.atomic():
            _decide(turn, _replay(asked, brief, book, _answers(attempts), NoAnswer(_why_silent(attempts))), now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("%s could not be judged", turn)
        turn.refresh_from_db(fields=_VERDICT_FIELDS)
        reason = f"the reply could not be judged: {type(error).__name__}"
        _decide(turn, Verdict(VerdictKind.REJECTED, reason=reason), now)


def _why_silent(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "never asked: nobody was running during the asking phase"
    return attempts[-1].reason or NO_REPLY_IN_TIME
