"""Models in backtests: asked through their runners as in a season, paid for in advance, and never twice the same.

Before each question its worst case is set aside, in the account of the backtest and in that of the agent's day of
backtests; seasons have accounts of their own. Every try is a row, as in a season. A worker that is cut off leaves its
question charged at the worst; whoever goes on asks that one again and finds all others answered.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from agents.budget import reserve
from agents.core.answers import Answer, Decide, Decided, DecideFreely, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.budgeting import OverBudget, Refused, Scope, allowance_for, makes_calls_of_ours
from agents.core.charging import was_never_sent
from agents.core.masking import Mask
from agents.core.planned_calls import planned_calls
from agents.core.pricing import NOTHING, Worst
from agents.kept_replies import keep_answer, kept_answer, question_sha256
from agents.models import Agent, Attempt, AttemptOutcome
from agents.models import Brief as BriefRow
from agents.prices import parameters_of
from competition.backtest_models import Backtest
from competition.core.backtest_parameters import AgentSpec
from competition.core.rules import Rules
from competition.services.asking import end_attempt
from competition.services.backtest_runners import AskingStopped, Runners
from competition.services.spending import Terms, charge_lost, settle_attempts, terms_for
from portfolio.core.decisions import Violation

ALIVE_EVERY_S = 5.0


@dataclass(slots=True)
class Interview:
    """Asks one agent in one backtest, which somebody wanted played at `since`. `alive` is called every few seconds
    while an answer is awaited; what it raises ends the question. `asked` and `known` count the questions that were put
    and those that were answered before, `unanswered` those that got no answer at all."""

    key: str
    agent: Agent
    rules: Rules
    usd_cap: Decimal
    terms: Terms
    runners: Runners
    alive: Callable[[], None]
    since: datetime
    asked: int = 0
    known: int = 0
    unanswered: int = 0
    usd: Decimal = Decimal(0)
    last_reply: str = field(default="", repr=False)

    def decide(self, brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        """The kept reply to this question, else a new one, asked for as often as a season would. `AskingStopped`."""
        question = self._question(brief, tuple(objections))
        sha256 = question_sha256(question)
        answer: Answer | NoAnswer | None = kept_answer(sha256)
        self.known += answer is not None
        tries = 0 if answer else max(self.rules.attempts_max - self._tried_in_vain(question), 0)
        answer = answer or NoAnswer(f"no answer in any of {self.rules.attempts_max} tries", calls_known=False)
        for _ in range(tries):
            answer = self._put(question, sha256)
            if isinstance(answer, Answer):
                break
        self.unanswered += isinstance(answer, NoAnswer)
        self.last_reply = answer.text if isinstance(answer, Answer) else ""
        return answer

    def _tried_in_vain(self, question: Question) -> int:
        """How often a worker that is gone has asked this and paid for nothing, since it was last wanted played."""
        return Attempt.objects.filter(
            brief__agent=self.agent,
            brief__turn=None,
            brief__sha256=question.brief.sha256,
            objections=[asdict(objection) for objection in question.objections],
            outcome=AttemptOutcome.NO_ANSWER,
            started_at__gte=self.since,
            reservation__scopes__contains=[account_of(self.key)],
        ).count()

    def _question(self, brief: Brief, objections: tuple[Violation, ...]) -> Question:
        agent = self.agent
        return Question(
            run_token="",
            model=agent.model,
            parameters=agent.parameters,
            brief=brief,
            objections=objections,
            seconds=float(self.rules.attempt_s),
            agent=agent.slug,
            kind=agent.kind,
            last_reply=self.last_reply if objections else "",
        )

    def _put(self, question: Question, sha256: str) -> Answer | NoAnswer:
        attempt, question = self._write(question)
        try:
            answer = self._answer_to(question)
        except BaseException:  # cancelled, or taken by another: nobody will hear what is said to this
            charge_given_up(attempt, self.runners.clock())
            raise
        with transaction.atomic():
            pending = Attempt.objects.select_for_update().get(pk=attempt.pk)
            now = self.runners.clock()
            settle_attempts([(pending, question, answer)], now)
            end_attempt(pending, answer, True, now)
            pending.save()
            if isinstance(answer, Answer):
                keep_answer(sha256, pending)
        self.asked, self.usd = self.asked + 1, self.usd + pending.cost_usd
        if isinstance(answer, Answer):
            return kept_answer(sha256) or answer
        if answer.calls_known and all(was_never_sent(call) for call in answer.calls):
            raise AskingStopped(
                f"{self.agent.slug} cannot be asked: {answer.reason}. Start its runner or correct its address and key, "
                "and ask for the backtest again; what was answered is kept."
            )
        return answer

    def _write(self, question: Question) -> tuple[Attempt, Question]:
        """The attempt as a row, with its worst case set aside. Raises `AskingStopped` when it may not be paid for."""
        now, token = self.runners.clock(), self.runners.new_token()
        worst = self._worst(question)
        with transaction.atomic():
            row = _brief_row(self.agent, question.brief, now)
            attempt = Attempt.objects.create(
                brief=row,
                number=(row.attempts.aggregate(last=Max("number"))["last"] or 0) + 1,
                run_token=token,
                objections=[asdict(objection) for objection in question.objections],
                started_at=now,
                lease_until=now + timedelta(seconds=question.seconds),
            )
            over = reserve(attempt, self._scopes(now), worst, now) if worst != NOTHING else None
            if isinstance(over, OverBudget):
                raise AskingStopped(
                    f"{over.sentence}. Ask for the backtest again with a higher --max-usd, or another day; what was "
                    "answered is kept and costs nothing."
                )
        cards = tuple(self.terms.cards.values()) if worst != NOTHING else ()
        return attempt, replace(question, run_token=str(token), cards=cards, allowance=worst)

    def _worst(self, question: Question) -> Worst:
        if not makes_calls_of_ours(self.agent.model):
            return NOTHING
        parameters = parameters_of(self.agent)
        planned = planned_calls(
            question.kind, question.brief.content, question.objections, question.last_reply, parameters
        )
        worst = allowance_for(self.agent.model, parameters, planned, self.terms.cards, self.terms.caps)
        if isinstance(worst, Refused):
            raise AskingStopped(f"{self.agent.slug} may not be asked: {worst.reason}.")
        return worst

    def _scopes(self, now: datetime) -> tuple[Scope, ...]:
        caps, day = self.terms.caps, now.astimezone(UTC).date().isoformat()
        return (
            Scope(account_of(self.key), None, self.usd_cap),
            Scope(f"backtests {day}/{self.agent.slug}", caps.daily_token_budget, caps.usd_per_agent_day),
        )

    def _answer_to(self, question: Question) -> Answer | NoAnswer:
        """The runner's answer; meanwhile somebody is told that this worker is alive."""
        with asyncio.Runner() as loop:
            task = loop.get_loop().create_task(self._ask(question))
            while not loop.run(_is_done(task)):
                self.alive()
            return task.result()

    async def _ask(self, question: Question) -> Answer | NoAnswer:
        async with self.runners.ask() as ask:
            return await ask(question)


async def _is_done(task: asyncio.Task[Answer | NoAnswer]) -> bool:
    done, _ = await asyncio.wait({task}, timeout=ALIVE_EVERY_S)
    return bool(done)


def interview(
    key: str, spec: AgentSpec, rules: Rules, max_usd: Decimal | None, runners: Runners, alive: Callable[[], None]
) -> Interview:
    """An interview with this agent, at the prices of now; `max_usd` bounds what the whole backtest may cost."""
    agent = agent_row(spec)
    terms = terms_for([agent], runners.clock())
    cap = terms.caps.usd_per_season
    since = Backtest.objects.values_list("requested_at", flat=True).get(key=key)
    return Interview(key, agent, rules, cap if max_usd is None else min(max_usd, cap), terms, runners, alive, since)


def agent_row(spec: AgentSpec) -> Agent:
    """The row of the agent that is meant. Raises `AskingStopped` when there is none any more."""
    rows = Agent.objects.filter(slug=spec.slug, kind=spec.kind, model=spec.model, parameters=dict(spec.parameters))
    found = rows.order_by("-version").first()
    if found is None:
        raise AskingStopped(f"The agent {spec.slug} has changed since; ask for the backtest again.")
    return found


def masked(decide: Decide, mask: Mask) -> DecideFreely:
    """Whoever decides, behind a mask."""

    def decide_masked(brief: Brief, objections: Sequence[Violation]) -> Answer | Decided | NoAnswer:
        return mask.answer(decide(mask.brief(brief), mask.objections(objections)))

    return decide_masked


@transaction.atomic
def charge_cut_off(key: str, now: datetime) -> None:
    """Settle what an earlier worker had asked for this backtest when it was cut off: nobody knows what that used."""
    held = Attempt.objects.filter(
        outcome=AttemptOutcome.PENDING,
        reservation__settled_at=None,
        reservation__scopes__contains=[account_of(key)],
    )
    charge_lost(list(held), now)


@transaction.atomic
def charge_given_up(attempt: Attempt, now: datetime) -> None:
    charge_lost([attempt], now)


def account_of(key: str) -> str:
    """The account in which all of a backtest's questions are paid."""
    return f"backtest {key}"


def _brief_row(agent: Agent, brief: Brief, now: datetime) -> BriefRow:
    """What was shown, as one row however often it is asked about."""
    found = BriefRow.objects.filter(agent=agent, sha256=brief.sha256, turn=None).first()
    return found or BriefRow.objects.create(agent=agent, sha256=brief.sha256, content=brief.content, created_at=now)
