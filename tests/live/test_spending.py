"""Asking costs: set aside before, charged after, refused when it does not fit. A refusal is never a trade."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from pytest_django import Settings

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import CallRecord, Message, Usage
from agents.core.roster import Profile
from agents.models import Attempt, Budget, Call, Reservation
from competition.core.states import CycleState
from portfolio.models import Order
from tests.live.stage import Stage, in_process, turn_of

SECOND = timedelta(seconds=1)
ALL_IN = '{"action": "rebalance", "allocations": {"BTCUSDT": 1}}'


class Killed(BaseException):
    """As kill -9 does: nothing after it runs."""


def record_of(question: Question, at: datetime, usage: Usage | None) -> CallRecord:
    """What a runner would tell of the one call behind an answer."""
    return CallRecord(
        role="single",
        number=1,
        requested_model=question.model,
        returned_model=question.model,
        messages=(Message(role="user", content="What now?"),),
        reply=ALL_IN,
        usage=usage,
        finish_reason="stop",
        started_at=at,
        latency_ms=1200,
    )


def test_an_attempt_is_charged_what_it_used_and_the_rest_is_free_again(stage: Stage) -> None:
    async def ask(question: Question) -> Answer | NoAnswer:
        return Answer(ALL_IN, calls=(record_of(question, stage.now, Usage(prompt=1000, completion=500, cached=200)),))

    stage.ask = ask
    stage.play_cycle(1)
    call = Call.objects.get(attempt__brief__agent__slug="steady")
    # 800 at 0.50, 200 at 0.05 and 500 at 2.00 USD per million
    assert (call.tokens_charged, call.usd, call.charge) == (1500, Decimal("0.00141"), "usage")
    attempt = call.attempt
    assert attempt.cost_usd == attempt.reservation.usd_charged == call.usd
    assert attempt.reservation.tokens_charged == 1500
    for budget in Budget.objects.filter(scope__in=attempt.reservation.scopes):
        assert (budget.tokens_reserved, budget.usd_reserved) == (0, 0)
        assert (budget.tokens_spent, budget.usd_spent) == (1500, call.usd)


def test_usage_that_nobody_tells_is_charged_at_its_worst(stage: Stage) -> None:
    async def ask(question: Question) -> Answer | NoAnswer:
        return Answer(ALL_IN, calls=(record_of(question, stage.now, None),))

    stage.ask = ask
    stage.play_cycle(1)
    call = Call.objects.get(attempt__brief__agent__slug="steady")
    assert call.charge == "worst"
    assert 0 < call.usd == call.attempt.reservation.usd_charged <= call.attempt.reservation.usd


def test_an_attempt_nobody_came_back_from_is_charged_in_full_and_asked_again(stage: Stage) -> None:
    async def lost(question: Question) -> Answer | NoAnswer:
        return NoAnswer("the runner broke off", calls_known=False)

    stage.tick(stage.now)
    stage.ask = lost
    stage.tick(stage.now + SECOND)
    first = Attempt.objects.get(brief__agent__slug="steady")
    assert first.cost_usd == first.reservation.usd == first.reservation.usd_charged > 0
    stage.ask = in_process
    stage.tick(stage.now + timedelta(minutes=21))
    assert turn_of(stage, 1, "steady").verdict == "rebalance"


def test_an_attempt_whose_asker_was_killed_is_charged_in_full_at_the_deadline(stage: Stage) -> None:
    async def killed(question: Question) -> Answer | NoAnswer:
        raise Killed

    stage.tick(stage.now)
    stage.ask = killed
    with pytest.raises(BaseExceptionGroup):
        stage.tick(stage.now + SECOND)
    stage.tick(stage.deadline(1))
    assert not Reservation.objects.filter(settled_at=None).exists()
    attempt = Attempt.objects.get(brief__agent__slug="steady")
    assert (attempt.outcome, attempt.cost_usd) == ("pending", attempt.reservation.usd)
    assert stage.cycle(1).state == CycleState.CLOSED


def test_an_entry_that_cannot_be_paid_for_is_over_budget_and_places_no_order(stage: Stage, settings: Settings) -> None:
    settings.USD_PER_TURN_MAX = "0.001"
    stage.play_cycle(1)
    turn = turn_of(stage, 1, "steady")
    assert turn.verdict == "over_budget"
    assert "0.001 USD" in turn.verdict_reason
    assert not Attempt.objects.filter(brief__agent__slug="steady").exists()
    assert not Order.objects.filter(portfolio__entry__slug="steady").exists()
    assert turn_of(stage, 1, "btc-hold").verdict == "rebalance"  # a baseline costs nothing


def test_an_agent_without_a_price_is_not_asked(own_database: str) -> None:
    lone = Stage.set(profiles=(Profile("newest", "Newest", "single", "acme/unheard-of"),), slug="lone")
    asked = []

    async def ask(question: Question) -> Answer | NoAnswer:
        asked.append(question)
        return NoAnswer("never")

    lone.ask = ask
    lone.play_cycle(1)
    turn = turn_of(lone, 1, "newest")
    assert (turn.verdict, asked) == ("over_budget", [])
    assert "no price is known for acme/unheard-of" in turn.verdict_reason


def test_an_agent_with_parameters_nobody_can_read_troubles_only_itself(own_database: str) -> None:
    profiles = (
        Profile("odd", "Odd", "single", "acme/odd", {"temperature": "hot"}),
        Profile("all-cash", "All cash", "baseline", "baseline/all-cash"),
    )
    pair = Stage.set(profiles=profiles, slug="pair")
    pair.play_cycle(1)
    assert turn_of(pair, 1, "odd").verdict == "over_budget"
    assert turn_of(pair, 1, "all-cash").verdict == "hold"


def test_the_accounts_of_a_season_hold_what_its_attempts_were_charged(stage: Stage) -> None:
    for number in (1, 2):
        stage.play_cycle(number)
    spent = Budget.objects.filter(scope__startswith="season stage/").aggregate(spent=Sum("usd_spent"))["spent"]
    charged = Reservation.objects.aggregate(charged=Sum("usd_charged"))["charged"]
    assert spent == charged == Attempt.objects.aggregate(cost=Sum("cost_usd"))["cost"]
