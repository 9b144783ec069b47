"""Leasing: a turn is offered to its agent under a token, for so long, at most so often. Whole chunks at a time."""

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.utils import InterfaceError, OperationalError

from agents.budget import hold, lock_scopes, reservation_of
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.budgeting import Refused
from agents.models import AgentKind, Attempt, AttemptOutcome, Reservation
from competition.core.engine import decide_turn
from competition.core.states import CycleState, TurnState
from competition.models import Cycle, Turn
from competition.services.cycles import Setting, setting_of
from competition.services.spending import Allowed, Terms, allowed, charge_lost, terms_for
from market.bulk_rows import update_rows
from market.core.snapshot import Snapshot, snapshot_of
from portfolio.core.book import Book
from portfolio.core.decisions import Verdict, Violation
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.queries import book_of

logger = logging.getLogger(__name__)

CHUNK = 100
_CYCLE = PreparedObjects(lambda: Cycle.objects.select_related("season", "snapshot").filter(id=Given("id")))
_UNDECIDED = Prepared(
    lambda: (
        Turn.objects.filter(cycle=Given("cycle"), state=TurnState.ASKING)
        .exclude(entry__agent__kind=AgentKind.BASELINE)
        .order_by("id")
        .values_list("entry__agent__slug")
    )
)
_GIVEN_UP = PreparedObjects(
    lambda: Attempt.objects.filter(
        OneOf("brief__turn", Given("turns")), outcome=AttemptOutcome.PENDING, lease_until__lte=Given("now")
    )
)
_ATTEMPTS = PreparedObjects(lambda: Attempt.objects.filter(OneOf("brief", Given("briefs"))).order_by("number"))


@dataclass(frozen=True, slots=True)
class Lease:
    """An attempt that has been written and now has to be put to its agent, who is waited for `until` then."""

    turn_id: int
    attempt_id: int
    question: Question
    until: datetime


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
    terms: Terms


def round_of(cycle_id: int, now: datetime) -> Round | None:
    """Everything to ask a cycle's questions with, or None when it is not asking."""
    cycle = _CYCLE.get(id=cycle_id)
    if cycle.state != CycleState.ASKING or cycle.snapshot is None:
        return None
    stored, setting = cycle.snapshot, setting_of(cycle.season)
    terms = terms_for((entry.agent for entry in setting.entries()), now)
    return Round(setting, cycle, snapshot_of(stored.content, stored.as_of, stored.sha256), terms)


def replay(asked: Round, brief: Brief, book: Book, answers: Sequence[Answer], last: NoAnswer | None = None) -> Verdict:
    """`decide_turn` with what was answered; then `last`, or `Unanswered` when the engine wants to hear more."""
    waiting = iter(answers)

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        answer = next(waiting, None) or last
        if answer is None:
            raise Unanswered(objections)
        return answer

    setting = asked.setting
    shown = asked.snapshot
    return decide_turn(brief, book, shown.prices, setting.symbols, setting.rules, decide, shown.halted)


def answers_of(attempts: Iterable[Attempt]) -> list[Answer]:
    """The replies that count, in the order they were given."""
    return [
        Answer(attempt.reply, attempt.truncated) for attempt in attempts if attempt.outcome == AttemptOutcome.ANSWERED
    ]


def attempts_by_brief(brief_ids: Iterable[int]) -> dict[int, list[Attempt]]:
    """The attempts made so far on each of these briefs, in order: one query."""
    found: defaultdict[int, list[Attempt]] = defaultdict(list)
    for attempt in _ATTEMPTS.all(briefs=list(brief_ids)):
        found[attempt.brief_id].append(attempt)
    return found


def agents_to_ask(asked: Round) -> list[str]:
    """The slugs of everybody in the cycle who is asked through a runner and has no verdict yet."""
    return [slug for (slug,) in _UNDECIDED.rows(cycle=asked.cycle.id)]


def lease_some(
    asked: Round, after: int, now: datetime, new_token: Callable[[], uuid.UUID], away: Collection[str] = ()
) -> tuple[list[Lease], int | None]:
    """Lease the next free turns behind the id `after`; with them the id to go on behind, None at the end.

    Agents that are `away` are left alone: they would only lose an attempt.
    """
    rows = _FREE.rows(cycle=asked.cycle.id, after=after, now=now, away=list(away))
    ids = [turn_id for (turn_id,) in rows]
    return lease_turns(asked, ids, now, new_token), ids[-1] if ids else None


def _free() -> QuerySet[Turn, Any]:
    turns = Turn.objects.filter(cycle=Given("cycle"), state=TurnState.ASKING, id__gt=Given("after"))
    free = turns.exclude(lease_until__gt=Given("now")).exclude(OneOf("entry__agent__slug", Given("away")))
    return free.order_by("id").values_list("id")[:CHUNK]


_FREE = Prepared(_free)


def lease_turns(asked: Round, ids: Sequence[int], now: datetime, new_token: Callable[[], uuid.UUID]) -> list[Lease]:
    """Take the leases of these turns and write their next attempts, without those that another has or that are done.

    One turn that makes trouble must not keep the others from being asked, so then each is taken alone.
    """
    try:
        if not ids:
            return []
        _charge_given_up(ids, now)
        return _lease(asked, ids, now, new_token)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if len(ids) == 1:
            logger.exception("turn %s could not be leased; the others are asked", ids[0])
            return []
        return [lease for turn_id in ids for lease in lease_turns(asked, [turn_id], now, new_token)]


@transaction.atomic
def _charge_given_up(ids: Sequence[int], now: datetime) -> None:
    """Settle the attempts on these turns whose lease ran out without a word: nobody knows what they used."""
    charge_lost(_GIVEN_UP.all(turns=list(ids), now=now), now)


def _still_free() -> QuerySet[Turn]:
    rows = Turn.objects.select_for_update(of=("self",), skip_locked=True).select_related("brief", "entry__agent")
    asking = rows.filter(OneOf("id", Given("turns")), state=TurnState.ASKING)
    return asking.exclude(lease_until__gt=Given("now")).order_by("id")


_STILL_FREE = PreparedObjects(_still_free)


@transaction.atomic
def _lease(asked: Round, ids: Sequence[int], now: datetime, new_token: Callable[[], uuid.UUID]) -> list[Lease]:
    turns = _STILL_FREE.all(turns=list(ids), now=now)
    before = attempts_by_brief(turn.brief_id for turn in turns)
    wanted = [offer for turn in turns if (offer := _offer(asked, turn, before[turn.brief_id], now))]
    # Every round holds its budgets in the same order, so that no two can wait for each other.
    wanted.sort(key=lambda offer: offer.question.agent)
    lock_scopes(scope for offer in wanted for scope in offer.allowed.scopes)
    offers = [offer for offer in wanted if offer.is_affordable()]
    for offer in offers:
        offer.take(now, new_token())
    Attempt.objects.bulk_create(offer.attempt for offer in offers)
    Reservation.objects.bulk_create(
        reservation_of(offer.attempt, offer.allowed.scopes, offer.allowed.worst, now)
        for offer in offers
        if offer.allowed.scopes
    )
    update_rows(turns, ["token", "lease_until", "over_budget"])
    return [Lease(offer.turn.id, offer.attempt.id, offer.question, offer.attempt.lease_until) for offer in offers]


@dataclass(slots=True)
class _Offer:
    """The next attempt of a locked turn, and what it may use, before it is written."""

    turn: Turn
    attempt: Attempt
    question: Question
    allowed: Allowed

    def is_affordable(self) -> bool:
        """Hold the worst case in every account; when it does not fit, the turn says why."""
        over = hold(self.allowed.scopes, self.allowed.worst) if self.allowed.scopes else None
        self.turn.over_budget = over.sentence[:300] if over else ""
        return over is None

    def take(self, now: datetime, token: uuid.UUID) -> None:
        """Give the attempt and the turn the lease's token."""
        self.turn.token = self.attempt.run_token = token
        self.turn.lease_until = self.attempt.lease_until
        self.question = replace(self.question, run_token=str(token))


def _offer(asked: Round, turn: Turn, before: Sequence[Attempt], now: datetime) -> _Offer | None:
    """What would be asked of a locked turn next; None when nothing is left to ask, or it may not be paid for."""
    rules = asked.setting.rules
    if now >= asked.cycle.deadline_at or len(before) >= rules.attempts_max + rules.repairs_max:
        return None
    brief = Brief(turn.brief.content, turn.brief.sha256)
    said = answers_of(before)
    objections = _objections(asked, turn, brief, said)
    if objections is None:
        return None
    last_reply = said[-1].text if objections else ""
    may = allowed(asked.terms, asked.cycle, turn, brief, objections, last_reply, now)
    if isinstance(may, Refused):
        turn.over_budget = may.reason[:300]
        return None
    lease_until = min(now + timedelta(seconds=rules.attempt_s), asked.cycle.deadline_at)
    attempt = Attempt(
        brief=turn.brief,
        number=len(before) + 1,
        objections=[asdict(objection) for objection in objections],
        started_at=now,
        lease_until=lease_until,
    )
    agent = turn.entry.agent
    question = Question(
        run_token="",
        model=agent.model,
        parameters=agent.parameters,
        brief=brief,
        objections=objections,
        seconds=(lease_until - now).total_seconds(),
        agent=agent.slug,
        kind=agent.kind,
        last_reply=last_reply,
        cards=may.cards,
        allowance=may.worst,
    )
    return _Offer(turn, attempt, question, may)


def _objections(asked: Round, turn: Turn, brief: Brief, answers: Sequence[Answer]) -> tuple[Violation, ...] | None:
    """What the next attempt must be told; None when no further answer is wanted."""
    if not answers:
        return ()
    try:
        replay(asked, brief, book_of(turn.entry.portfolio_id), answers)
    except Unanswered as unanswered:
        return unanswered.objections
    return None
