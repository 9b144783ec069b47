"""Asking one agent what it would do now, without trading: enqueued by the API, asked by whoever ticks.

It is asked once, about its present book and the newest frozen snapshot. It has accounts of its own in the budget, so
that nobody can use up what an entry needs for its turns; and it has no turn, so there is nothing it could trade by.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.budget import hold, reservation_of
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.budgeting import Refused, Scope
from agents.core.deciders import decider
from agents.models import Attempt
from agents.models import Brief as BriefRow
from agents.runner_client import Ask, addresses_in, runners_at
from competition.analyses import Analysis
from competition.core.engine import brief_turn
from competition.core.states import AnalysisState, SeasonState
from competition.models import Entry, Turn
from competition.services.asking import end_attempt
from competition.services.cycles import last_board, seat_of, setting_of
from competition.services.leasing import Round, replay
from competition.services.spending import Allowed, allowed, charge_lost, settle_attempts, terms_for
from market.core.snapshot import snapshot_of
from portfolio.core.book import Book, MissingPrice
from portfolio.core.decisions import Verdict, VerdictKind, decision_content
from portfolio.prepared import Given, Prepared
from portfolio.queries import book_of

ANSWER_S = 300
ASKED_ONCE = NoAnswer("an analysis is asked once")
NOBODY_WAITED = "whoever waited for the reply was gone"


class AnalysisRefused(ValueError):
    """It cannot be asked for now; the message says why."""


@dataclass(frozen=True, slots=True)
class _Asked:
    analysis_id: int
    attempt_id: int
    question: Question
    round: Round
    book: Book


def request_analysis(entry: Entry, token_id: int | None, now: datetime) -> Analysis:
    """Put the question into the queue. Raises `AnalysisRefused`."""
    if entry.season.state != SeasonState.OPEN:
        raise AnalysisRefused(f"Season {entry.season.slug} is {entry.season.state}; only of an open one can be asked.")
    if not entry.season.cycles.exclude(snapshot=None).exists():
        raise AnalysisRefused("There is no snapshot of the market yet; ask when the first cycle has begun.")
    try:
        with transaction.atomic():
            return Analysis.objects.create(entry=entry, asked_by_id=token_id, asked_at=now)
    except IntegrityError:
        raise AnalysisRefused(f"{entry.slug} is being asked already; wait for its answer.") from None


def waiting(now: datetime) -> list[int]:
    """Those that wait to be asked, or whose reply nobody waits for any more."""
    return [analysis_id for (analysis_id,) in _WAITING.rows(now=now)]


def _waiting() -> QuerySet[Analysis, Any]:
    due = Q(state=AnalysisState.QUEUED.value) | Q(state=AnalysisState.ASKING.value, lease_until__lte=Given("now"))
    return Analysis.objects.filter(due).order_by("id").values_list("id")


_WAITING = Prepared(_waiting)


def analyse_now(analysis_id: int) -> None:
    """`analyse` with the wall clock and the runners of this site."""
    address_of = addresses_in(settings.RUNNER_URL, settings.RUNNER_URLS)
    analyse(analysis_id, timezone.now, lambda: runners_at(address_of))


def analyse(
    analysis_id: int,
    clock: Callable[[], datetime],
    open_runner: Callable[[], AbstractAsyncContextManager[Ask]],
    new_token: Callable[[], uuid.UUID] = uuid.uuid4,
) -> None:
    """Ask, and keep what came back; does nothing for one that is being asked or has ended."""
    asked = _begin(analysis_id, clock(), new_token())
    if asked:
        _keep(asked, asyncio.run(_interview(open_runner, asked.question)), clock())


async def _interview(
    open_runner: Callable[[], AbstractAsyncContextManager[Ask]], question: Question
) -> Answer | NoAnswer:
    if question.model.startswith("baseline/"):
        return decider(question.model, question.parameters)(question.brief, question.objections)
    async with open_runner() as ask:
        return await ask(question)


@transaction.atomic
def _begin(analysis_id: int, now: datetime, token: uuid.UUID) -> _Asked | None:
    rows = Analysis.objects.select_for_update(of=("self",), skip_locked=True).filter(id=analysis_id)
    analysis = rows.select_related("entry__agent", "entry__portfolio", "entry__season").first()
    if analysis is None or analysis.state == AnalysisState.ENDED:
        return None
    if analysis.state == AnalysisState.ASKING:
        _give_up(analysis, now)
        return None
    try:
        return _written(analysis, now, token)
    except MissingPrice as missing:
        _end(analysis, Verdict(VerdictKind.SILENT, None, (), str(missing)), now)
        return None


def _give_up(analysis: Analysis, now: datetime) -> None:
    """End one whose reply never came; what it used is not known."""
    if analysis.lease_until and analysis.lease_until <= now:
        charge_lost(list(Attempt.objects.filter(brief=analysis.brief_id)), now)
        _end(analysis, Verdict(VerdictKind.SILENT, None, (), NOBODY_WAITED), now)


def _written(analysis: Analysis, now: datetime, token: uuid.UUID) -> _Asked | None:
    """The brief, the attempt and what it may use, written before anybody is asked; None when it may not be paid for."""
    entry = analysis.entry
    setting = setting_of(entry.season)
    cycle = entry.season.cycles.exclude(snapshot=None).select_related("snapshot", "season").order_by("-number")[0]
    stored: Any = cycle.snapshot
    snapshot = snapshot_of(stored.content, stored.as_of, stored.sha256)
    asked = Round(setting, cycle, snapshot, terms_for([entry.agent], now))
    book, board = book_of(entry.portfolio_id), last_board(entry.season)
    brief = brief_turn(
        seat_of(entry, cycle.number, setting.rules), book, snapshot, setting.symbols, board, setting.rules
    )
    may = allowed(asked.terms, cycle, Turn(cycle=cycle, entry=entry), brief, (), "", now)
    if isinstance(may, Refused):
        _end(analysis, Verdict(VerdictKind.OVER_BUDGET, None, (), may.reason), now)
        return None
    may = _own_accounts(may, analysis, asked, now)
    over = hold(may.scopes, may.worst) if may.scopes else None
    if over:
        _end(analysis, Verdict(VerdictKind.OVER_BUDGET, None, (), over.sentence), now)
        return None
    attempt = _attempt(analysis, brief, now, token)
    if may.scopes:
        reservation_of(attempt, may.scopes, may.worst, now).save(force_insert=True)
    return _Asked(analysis.pk, attempt.pk, _question(entry, brief, may, token), asked, book)


def _own_accounts(may: Allowed, analysis: Analysis, asked: Round, now: datetime) -> Allowed:
    """The caps of a turn and of an agent's day, in accounts that no turn counts in."""
    caps, slug = asked.terms.caps, analysis.entry.agent.slug
    scopes = (
        Scope(f"analysis {analysis.pk}", None, caps.usd_per_turn),
        Scope(f"analyses {now.astimezone(UTC).date()}/{slug}", caps.daily_token_budget, caps.usd_per_agent_day),
    )
    return replace(may, scopes=scopes) if may.scopes else may


def _attempt(analysis: Analysis, brief: Brief, now: datetime, token: uuid.UUID) -> Attempt:
    agent = analysis.entry.agent
    analysis.brief = BriefRow.objects.create(agent=agent, sha256=brief.sha256, content=brief.content, created_at=now)
    analysis.state, analysis.lease_until = AnalysisState.ASKING.value, now + timedelta(seconds=2 * ANSWER_S)
    analysis.save()
    return Attempt.objects.create(
        brief=analysis.brief, number=1, run_token=token, started_at=now, lease_until=now + timedelta(seconds=ANSWER_S)
    )


def _question(entry: Entry, brief: Brief, may: Allowed, token: uuid.UUID) -> Question:
    agent = entry.agent
    return Question(
        run_token=str(token),
        model=agent.model,
        parameters=agent.parameters,
        brief=brief,
        objections=(),
        seconds=ANSWER_S,
        agent=agent.slug,
        kind=agent.kind,
        cards=may.cards,
        allowance=may.worst,
    )


@transaction.atomic
def _keep(asked: _Asked, answer: Answer | NoAnswer, now: datetime) -> None:
    """The reply, verbatim, what it cost, and what it would have come to in a turn."""
    analysis = Analysis.objects.select_for_update().get(id=asked.analysis_id)
    if analysis.state != AnalysisState.ASKING:
        return  # it was given up meanwhile
    attempt = Attempt.objects.select_for_update().get(id=asked.attempt_id)
    settle_attempts([(attempt, asked.question, answer)], now)
    end_attempt(attempt, answer, True, now)
    attempt.save()
    answers = [Answer(attempt.reply, attempt.truncated)] if isinstance(answer, Answer) else []
    last = answer if isinstance(answer, NoAnswer) else ASKED_ONCE
    _end(analysis, replay(asked.round, asked.question.brief, asked.book, answers, last), now)


def _end(analysis: Analysis, verdict: Verdict, now: datetime) -> None:
    analysis.state, analysis.ended_at = AnalysisState.ENDED.value, now
    analysis.verdict, analysis.reason = verdict.kind.value, verdict.reason[:300]
    analysis.decision = decision_content(verdict.decision) if verdict.decision else None
    analysis.violations = [asdict(violation) for violation in verdict.violations]
    analysis.save()
