"""Models in backtests: asked once, paid in advance, never the same twice, and stopped with a sentence."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.budget import caps_of
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import CallRecord
from agents.cutoffs import state_cutoff
from agents.models import Agent, Attempt, Budget, Call, KeptReply, Price, Reservation, TrainingCutoff
from agents.prices import Quote, add_price
from agents.runner_client import Admit, Ask, at_once
from competition.models import Backtest
from competition.services import backtest_asking
from competition.services.auditing_money import budgets_are_the_sums_of_reservations
from competition.services.backtest_costs import cost_of
from competition.services.backtest_reads import BacktestResult, behind_the_mask, result_of
from competition.services.backtest_requests import BacktestRefused, BacktestWish, ask_for, parameters_from
from competition.services.backtest_runs import run_backtest
from competition.services.backtests import Asker, cancel
from tests.agents.money import a_record

pytestmark = pytest.mark.django_db

MODEL = "openai/gpt-test"
MOMENTS = 4
WISH = {
    "agents": ("gpt",),
    "symbols": ("BTCUSDT", "ETHUSDT"),
    "first": "2024-01-01",
    "last": "2024-01-29",
    "source": "synthetic",
    "max_usd": "1",
}


@dataclass
class Desk:
    """A runner that answers as `say` does, and keeps what it was asked."""

    say: Callable[[Question], str | NoAnswer]
    completion: int = 100  # tokens of each reply
    questions: list[Question] = field(default_factory=list)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Ask]:
        async def ask(question: Question, admit: Admit = at_once) -> Answer | NoAnswer:
            self.questions.append(question)
            said = self.say(question)
            return said if isinstance(said, NoAnswer) else self.answer(question, said)

        yield ask

    def answer(self, question: Question, said: str) -> Answer | NoAnswer:
        return Answer(said, calls=(record_of(question, said, self.completion),))


def record_of(question: Question, said: str, completion: int) -> CallRecord:
    role = "trader" if question.kind == "firm" else "single"
    changes = {"role": role, "requested_model": question.model, "reply": said, "started_at": datetime.now(UTC)}
    return a_record(prompt=1_000, completion=completion, **changes)


def half_in(question: Question) -> str:
    """Half of the money in the first symbol shown."""
    name = min(question.brief.content["market"]["symbols"])
    return json.dumps({"action": "rebalance", "allocations": {name: 0.5}, "rationale": "Half."})


@pytest.fixture(autouse=True)
def gpt() -> Agent:
    Price.objects.create(
        model=MODEL,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        prompt_usd=Decimal(1),
        completion_usd=Decimal(10),
        cached_usd=Decimal(1),
        source="test",
    )
    return Agent.objects.create(slug="gpt", name="GPT", kind="single", model=MODEL)


def played(desk: Desk, **changes: Any) -> BacktestResult:
    backtest, is_work_left = ask_for(BacktestWish(**{**WISH, **changes}), Asker("command"), timezone.now())
    if is_work_left:
        run_backtest(backtest.key, timezone.now, uuid.uuid4(), ask=desk)
    found = result_of(backtest.key, timezone.now())
    assert found is not None
    return found


def asking(found: BacktestResult) -> dict[str, Any]:
    (agent,) = found.agents
    return dict(agent.metrics["asking"])


def nothing_is_set_aside() -> bool:
    return not Budget.objects.exclude(usd_reserved=0, tokens_reserved=0).exists()


def test_a_model_is_asked_at_every_moment_and_every_call_is_on_record() -> None:
    desk = Desk(half_in)
    found = played(desk)
    assert found.status.error == ""
    assert asking(found) == {
        "asked": MOMENTS,
        "answered_before": 0,
        "unanswered": 0,
        "usd": "0.008000000",
    }  # 1,000 in and 100 out
    assert len(desk.questions) == MOMENTS == Call.objects.count() == KeptReply.objects.count()
    assert {question.seconds for question in desk.questions} == {1200.0}
    assert all(question.allowance.usd > 0 and question.cards for question in desk.questions)
    assert found.agents[0].trades_count > 0
    account = Budget.objects.get(scope=f"backtest {found.status.key}")
    assert (account.usd_spent, account.usd_cap) == (Decimal("0.008"), Decimal(1))
    assert nothing_is_set_aside()
    assert list(budgets_are_the_sums_of_reservations()) == []


def test_a_firm_is_asked_as_a_firm_and_paid_for_at_the_prices_of_both_its_models() -> None:
    parameters = {"analyst_model": "openai/gpt-young"}
    Agent.objects.create(slug="firm", name="Firm", kind="firm", model=MODEL, parameters=parameters)
    add_price("openai/gpt-young", Quote(Decimal(1), Decimal(2)), datetime(2020, 1, 1, tzinfo=UTC), "test")
    desk = Desk(half_in)
    found = played(desk, agents=("firm",), max_usd="5")
    assert {(question.kind, len(question.cards)) for question in desk.questions} == {("firm", 2)}
    assert asking(found) == {"asked": MOMENTS, "answered_before": 0, "unanswered": 0, "usd": "0.008000000"}
    alone = Desk(half_in)
    assert asking(played(alone, max_usd="5"))["asked"] == MOMENTS  # another question: a firm's replies are its own


def test_the_same_questions_again_cost_nothing() -> None:
    first = played(Desk(half_in))
    silent = Desk(lambda question: NoAnswer("nobody may be asked"))
    again = played(silent, max_usd="2")  # another backtest of the same questions
    assert again.status.key != first.status.key
    assert silent.questions == []
    assert asking(again) == {"asked": 0, "answered_before": MOMENTS, "unanswered": 0, "usd": "0"}
    assert again.agents[0].postings_sha256 == first.agents[0].postings_sha256


def test_a_worker_that_is_cut_off_pays_for_its_last_question_and_the_next_asks_nothing_twice() -> None:
    class Killed(BaseException):
        pass

    def dies_at_the_third(question: Question) -> str:
        if len(desk.questions) == 3:
            raise Killed
        return half_in(question)

    desk = Desk(dies_at_the_third)
    with pytest.raises(Killed):
        played(desk)
    backtest = Backtest.objects.get()
    assert backtest.state == "running"  # its lease runs out
    assert Reservation.objects.order_by("id").last().usd_charged > Decimal("0.002")  # type: ignore[union-attr]
    after = Desk(half_in)
    later = timezone.now() + timedelta(minutes=5)
    run_backtest(backtest.key, lambda: later, uuid.uuid4(), ask=after)
    found = result_of(backtest.key, later)
    assert found is not None
    assert asking(found)["answered_before"] == 2
    assert [q.brief.sha256 for q in after.questions][:1] == [desk.questions[2].brief.sha256]
    assert len(after.questions) == MOMENTS - 2
    assert nothing_is_set_aside()


def test_what_a_killed_worker_had_set_aside_is_charged_by_the_next() -> None:
    backtest, _ = ask_for(BacktestWish(**WISH), Asker("command"), timezone.now())

    def nothing_more(*_: Any) -> None:
        """As if the process had been killed: nothing is settled any more."""

    desk = Desk(lambda question: (_ for _ in ()).throw(KeyboardInterrupt))
    patch = pytest.MonkeyPatch()
    patch.setattr(backtest_asking, "charge_given_up", nothing_more)
    with pytest.raises(KeyboardInterrupt):
        run_backtest(backtest.key, timezone.now, uuid.uuid4(), ask=desk)
    patch.undo()
    assert not nothing_is_set_aside()
    later = timezone.now() + timedelta(minutes=5)
    run_backtest(backtest.key, lambda: later, uuid.uuid4(), ask=Desk(half_in))
    assert nothing_is_set_aside()
    assert Budget.objects.get(scope=f"backtest {backtest.key}").usd_spent > Decimal("0.008")


def test_a_cancelled_backtest_stops_waiting_for_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_asking, "ALIVE_EVERY_S", 0.01)

    @asynccontextmanager
    async def never() -> AsyncIterator[Ask]:
        async def ask(question: Question, admit: Admit = at_once) -> Answer | NoAnswer:
            await asyncio.Event().wait()
            raise AssertionError

        yield ask

    backtest, _ = ask_for(BacktestWish(**WISH), Asker("command"), timezone.now())
    waited: list[int] = []

    def clock() -> datetime:
        waited.append(1)
        if len(waited) == 12 and Attempt.objects.exists():
            cancel(backtest.key, timezone.now())
        return timezone.now()

    assert run_backtest(backtest.key, clock, uuid.uuid4(), ask=never) is False
    assert nothing_is_set_aside()
    assert Backtest.objects.get().state == "cancelled"


def test_what_would_cost_more_than_it_may_is_not_asked_and_says_so() -> None:
    desk = Desk(half_in, completion=4_000)  # 0.041 USD each, and at the worst two tries of it
    found = played(desk, max_usd="0.2")
    assert found.status.state.value == "failed"
    assert "over budget for backtest" in found.status.error
    assert "--max-usd" in found.status.error
    assert 0 < len(desk.questions) < MOMENTS
    assert nothing_is_set_aside()


def test_a_runner_that_is_away_stops_the_backtest_and_costs_nothing() -> None:
    away = Desk(lambda question: NoAnswer("the runner could not be asked: ClientConnectorError"))
    found = played(away)
    assert found.status.error.startswith("gpt cannot be asked: the runner could not be asked")
    assert len(away.questions) == 1
    assert not Budget.objects.exclude(usd_spent=0).exists()
    assert played(Desk(half_in)).status.state.value == "done"


def test_an_unusable_answer_is_asked_again_with_what_was_wrong_as_in_a_season() -> None:
    desk = Desk(lambda question: half_in(question) if question.objections else "I would rather not say.")
    found = played(desk)
    assert len(desk.questions) == 2 * MOMENTS
    assert desk.questions[1].last_reply == "I would rather not say."
    assert found.agents[0].metrics["verdicts"] == {"rebalance": MOMENTS}


def test_who_never_answers_is_silent_after_as_many_tries_as_a_season_allows() -> None:
    known = Desk(lambda question: NoAnswer("no reply within 1 s", calls_known=False))
    found = played(known, last="2024-01-09")
    assert found.agents[0].metrics["verdicts"] == {"silent": 2}
    assert len(known.questions) == 2 * 3


def test_behind_the_mask_a_model_sees_no_name_and_what_it_says_is_traded_under_the_real_one() -> None:
    desk = Desk(half_in)
    found = played(desk, mask=True)
    (agent,) = found.agents
    real = {shown: name for name, shown in agent.metrics["mask"].items()}["COIN1USDT"]
    assert {trade.symbol for trade in agent.trades} == {real}
    shown = json.dumps([question.brief.content for question in desk.questions])
    assert not [word for word in ("BTC", "ETH", "2024", "synthetic") if word in shown]
    plain = played(Desk(half_in))
    assert plain.status.key != found.status.key
    assert "--mask" in found.status.command_line
    for key in (plain.status.key, found.status.key):
        both = behind_the_mask(key, timezone.now())
        assert [one.key if one else "" for one in both] == [plain.status.key, found.status.key]
    assert "--mask" not in plain.status.command_line


# -- What it will cost, and whether the model knew -------------------------------------------------------------------


def test_cost_and_time_are_told_before_the_start() -> None:
    cost = cost_of(parameters_from(BacktestWish(**WISH)), caps_of(settings), timezone.now())
    (agent,) = cost.agents
    assert agent.questions == MOMENTS
    assert Decimal("0.04") < agent.cost.expected_usd < Decimal("0.2")  # 1,000 tokens of reply each, and the prompts
    assert agent.cost.worst_usd == 1  # what may be spent at most
    assert cost.seconds == MOMENTS * 15
    assert cost.sentence().startswith("4 questions to models: about 0.")


def test_what_it_may_cost_at_most_is_that_of_all_its_models_together() -> None:
    own = Agent.objects.get(slug="gpt")
    Agent.objects.create(slug="twin", version=1, name="Twin", kind="single", model=own.model)
    cost = cost_of(
        parameters_from(BacktestWish(**{**WISH, "agents": ("gpt", "twin")})), caps_of(settings), timezone.now()
    )
    assert (len(cost.agents), cost.total.worst_usd) == (2, 1)
    assert cost.total.expected_usd == sum(agent.cost.expected_usd for agent in cost.agents)
    assert ", at the very most 1;" in cost.sentence()


def test_the_estimate_is_no_less_than_what_it_comes_to_and_knows_how_long_calls_took() -> None:
    wish = BacktestWish(**WISH)
    before = cost_of(parameters_from(wish), caps_of(settings), timezone.now())
    played(Desk(half_in))
    assert Budget.objects.get(scope__startswith="backtest ").usd_spent <= before.total.worst_usd
    after = cost_of(parameters_from(wish), caps_of(settings), timezone.now())
    assert after.seconds == MOMENTS * Call.objects.first().latency_ms / 1000  # type: ignore[union-attr]


def test_a_backtest_cancelled_just_before_it_breaks_off_stays_cancelled_and_stops_no_worker() -> None:
    free = BacktestWish(**{**WISH, "agents": ("equal-weight",), "max_usd": None})
    backtest, _ = ask_for(free, Asker("command"), timezone.now())

    def cancelled_and_broken(done: int, total: int) -> None:
        cancel(backtest.key, timezone.now())
        raise RuntimeError("whatever")

    assert not run_backtest(backtest.key, timezone.now, uuid.uuid4(), cancelled_and_broken)
    backtest.refresh_from_db()
    assert (backtest.state, backtest.error) == ("cancelled", "")


def test_whoever_spends_money_says_how_much_it_may_be() -> None:
    with pytest.raises(BacktestRefused) as refused:
        ask_for(BacktestWish(**{**WISH, "max_usd": None}), Asker("page"), timezone.now())
    assert refused.value.problems.keys() == {"max_usd"}
    assert "about 0." in refused.value.problems["max_usd"]
    assert not Backtest.objects.exists()


def test_a_model_without_a_price_is_refused_before_anything_is_written() -> None:
    Agent.objects.create(slug="gpt", version=2, name="GPT", kind="single", model="openai/gpt-unpriced")
    with pytest.raises(BacktestRefused, match="no price is known for openai/gpt-unpriced") as refused:
        ask_for(BacktestWish(**WISH), Asker("page"), timezone.now())
    assert refused.value.problems.keys() == {"agents"}
    assert not Backtest.objects.exists()


def test_baselines_and_scripts_cost_nothing_and_need_no_cap() -> None:
    free = BacktestWish(**{**WISH, "agents": ("equal-weight", "steady"), "max_usd": None})
    assert ask_for(free, Asker("page"), timezone.now())[0].label == "no_model"


@pytest.mark.parametrize(
    ("cutoffs", "label"),
    [
        ([], "unknown"),
        ([None], "unknown"),
        ([date(2024, 1, 1)], "before"),
        ([date(2023, 12, 31)], "after"),
        ([date(2023, 12, 31), None], "unknown"),  # the newest word counts
        ([date(2023, 12, 31), date(2025, 6, 1)], "before"),
    ],
)
def test_a_backtest_says_whether_its_model_may_remember_the_past(cutoffs: list[date | None], label: str) -> None:
    for number, cutoff in enumerate(cutoffs):
        state_cutoff(MODEL, cutoff, "its maker", timezone.now() + timedelta(seconds=number))
    backtest, _ = ask_for(BacktestWish(**WISH), Asker("command"), timezone.now())
    assert backtest.label == label


def test_what_is_learnt_later_of_a_models_training_relabels_its_backtests() -> None:
    assert played(Desk(half_in)).status.label == "unknown"
    state_cutoff(MODEL, date(2025, 1, 1), "its maker", timezone.now())
    assert played(Desk(half_in)).status.label == "before"


def test_of_a_firm_the_analysts_training_counts_too() -> None:
    Agent.objects.create(
        slug="firm", name="Firm", kind="firm", model=MODEL, parameters={"analyst_model": "openai/gpt-young"}
    )
    add_price("openai/gpt-young", Quote(Decimal(1), Decimal(2)), datetime(2020, 1, 1, tzinfo=UTC), "test")
    state_cutoff(MODEL, date(2020, 1, 1), "its maker", timezone.now())
    wish = BacktestWish(**{**WISH, "agents": ("firm",)})
    assert ask_for(wish, Asker("command"), timezone.now())[0].label == "unknown"
    state_cutoff("openai/gpt-young", date(2025, 1, 1), "its maker", timezone.now())
    assert ask_for(wish, Asker("command"), timezone.now())[0].label == "before"


def test_what_is_on_record_of_replies_and_cutoffs_stays() -> None:
    played(Desk(half_in))
    state_cutoff(MODEL, date(2025, 1, 1), "its maker", timezone.now())
    for change in (
        lambda: KeptReply.objects.update(question_sha256="0" * 64),
        lambda: TrainingCutoff.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
