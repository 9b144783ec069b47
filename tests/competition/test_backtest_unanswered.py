"""Questions of a backtest that got no answer: not asked again by who takes it over, but by who wants it again."""

import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from agents.budget import caps_of
from agents.core.answers import NoAnswer, Question
from agents.models import Call
from competition.models import Backtest
from competition.pages.backtest_sheet import runs_of, sheet_of
from competition.services.backtest_costs import cost_of
from competition.services.backtest_reads import result_of
from competition.services.backtest_requests import BacktestWish, ask_for, parameters_from
from competition.services.backtest_runs import run_backtest
from competition.services.backtests import Asker, cancel, resume
from tests.competition.test_backtest_models import MOMENTS, WISH, Desk, asking, gpt, half_in, played  # noqa: F401

pytestmark = pytest.mark.django_db

TRIES = 3
LATER = timedelta(minutes=5)


class Killed(BaseException):
    pass


def silent(question: Question) -> NoAnswer:
    return NoAnswer("no reply within 1 s", calls_known=False)


def killed_at(number: int, desk: Desk) -> Desk:
    """A desk that says nothing to the first question, and whose worker is killed at this try."""

    def say(question: Question) -> NoAnswer:
        if len(desk.questions) == number:
            raise Killed
        return silent(question)

    desk.say = say
    return desk


def asked_for() -> Backtest:
    return ask_for(BacktestWish(**WISH), Asker("command"), timezone.now())[0]


def test_a_worker_that_takes_over_does_not_ask_again_what_got_no_answer() -> None:
    backtest, before = asked_for(), killed_at(TRIES + 1, Desk(silent))
    with pytest.raises(Killed):
        run_backtest(backtest.key, timezone.now, uuid.uuid4(), ask=before)
    after = Desk(half_in)
    run_backtest(backtest.key, lambda: timezone.now() + LATER, uuid.uuid4(), ask=after)
    assert len(after.questions) == MOMENTS - 1
    assert before.questions[0].brief.sha256 not in {question.brief.sha256 for question in after.questions}
    found = result_of(backtest.key, timezone.now())
    assert found is not None
    assert asking(found)["unanswered"] == 1
    assert found.agents[0].metrics["verdicts"] == {"silent": 1, "rebalance": MOMENTS - 1}


def test_tries_are_counted_on_when_a_worker_dies_between_two_of_them() -> None:
    backtest, before = asked_for(), killed_at(2, Desk(silent))
    with pytest.raises(Killed):
        run_backtest(backtest.key, timezone.now, uuid.uuid4(), ask=before)
    after = Desk(silent)
    run_backtest(backtest.key, lambda: timezone.now() + LATER, uuid.uuid4(), ask=after)
    of_the_first = [
        question for question in after.questions if question.brief.sha256 == before.questions[0].brief.sha256
    ]
    assert len(of_the_first) == TRIES - 1, "the one that was cut off is nobody's answer, and asked again"


def test_who_plays_it_again_has_it_asked_again() -> None:
    backtest, before = asked_for(), killed_at(TRIES + 1, Desk(silent))
    with pytest.raises(Killed):
        run_backtest(backtest.key, timezone.now, uuid.uuid4(), ask=before)
    cancel(backtest.key, timezone.now())
    resume(backtest.key, timezone.now())
    after = Desk(half_in)
    run_backtest(backtest.key, timezone.now, uuid.uuid4(), ask=after)
    assert len(after.questions) == MOMENTS


def test_another_backtest_of_the_same_questions_asks_again_and_both_pages_say_so() -> None:
    first = played(Desk(silent), max_usd="5")
    assert asking(first)["unanswered"] == MOMENTS
    backtest = Backtest.objects.select_related("requested_by").get()
    ((_, told),) = sheet_of(backtest, runs_of(backtest), timezone.now()).asked
    assert f"{MOMENTS} got no answer, and would be asked and paid for again in another backtest" in told
    again = Desk(half_in)
    assert asking(played(again, max_usd="6"))["asked"] == MOMENTS == len(again.questions)
    assert Call.objects.count() == MOMENTS


def test_before_the_start_it_is_said_that_silence_is_asked_again() -> None:
    told = cost_of(parameters_from(BacktestWish(**WISH)), caps_of(settings), timezone.now()).sentence()
    assert "What was answered before costs nothing; what was asked before and got no answer is asked again" in told
