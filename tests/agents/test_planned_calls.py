"""What an attempt can take is known before anything is asked, and nothing that models say can make it more."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.baselines import rebalance_text
from agents.core.calls import ModelCall
from agents.core.firm import RoleAnswer, RoleFailure, RoleQuestion
from agents.core.firm_roles import FIRM_ROLES, read_hand_off
from agents.core.parameters import AgentParameters
from agents.core.planned_calls import PlannedCall, planned_calls
from agents.core.pricing import ModelCard, prompt_tokens_bound, worst_of, worst_of_call
from agents.core.prompts import REPLY_SCHEMA, single_messages
from portfolio.core.decisions import Violation
from tests.agents.meetings import BRIEF, SILENCE, Cast, meet
from tests.notation import D, W, some

PARAMETERS = AgentParameters(max_output_tokens=1_000)
CARD = ModelCard(model="a/b", price_id=1, prompt_usd=D(3), completion_usd=D(15), cached_usd=D("0.3"))
signs = ["a", "é", "学", "\U0001f600", "\U000e0041", "\n", '"', "\\", "<", "\x01", "\u202e", "\ud800"]
texts = st.builds(lambda sign, times: sign * times, st.sampled_from(signs), st.sampled_from([1, 200, 1_200, 2_000]))
long_texts = st.builds(lambda sign, times: sign * times, st.sampled_from(signs), st.sampled_from([4_000, 20_000]))


def reports() -> st.SearchStrategy[str]:
    def told(summary: str, missing: list[str], symbols: int) -> str:
        stances = {f"SYMBOL{n}": 0.123456789 for n in range(symbols)}
        return json.dumps({"stances": stances, "confidence": 0.5, "summary": summary, "missing": missing})

    return st.builds(told, texts, st.lists(texts, max_size=3), st.sampled_from([0, 5, 99]))


def notes() -> st.SearchStrategy[str]:
    def told(thesis: str, why: str, views: int) -> str:
        rows = [{"symbol": f"SYMBOL{n}", "stance": -0.5, "why": why} for n in range(views)]
        return json.dumps({"thesis": thesis, "views": rows, "dissent": []})

    return st.builds(told, texts, texts, st.sampled_from([0, 10, 99]))


def proposals() -> st.SearchStrategy[str]:
    return st.builds(lambda why: rebalance_text(W("BTC 40%"), why), texts | long_texts)


def rulings() -> st.SearchStrategy[Any]:
    raising = st.builds(
        lambda why: f'{{"ruling": "reduce", "allocations": {{"BTCUSDT": 0.9}}, "rationale": {json.dumps(why)}}}', texts
    )
    return st.lists(raising | long_texts, min_size=2, max_size=2)


def said(usable: st.SearchStrategy[str]) -> st.SearchStrategy[RoleAnswer | RoleFailure]:
    reasons = st.builds(RoleFailure, texts | long_texts)
    return st.builds(RoleAnswer, usable) | st.builds(RoleAnswer, long_texts) | reasons


def tokens(question: RoleQuestion) -> int:
    """As the runner counts them before it sends the question."""
    call = ModelCall(
        role=question.role,
        model="a/b",
        messages=question.messages,
        reply_schema=question.reply_schema,
        max_output_tokens=PARAMETERS.max_output_tokens,
    )
    return worst_of_call(call, CARD).tokens - call.max_output_tokens


objections = st.lists(st.builds(Violation, st.text(max_size=200), texts | long_texts), max_size=30)


@some
@given(st.data(), objections, long_texts)
def test_no_deliberation_takes_more_than_was_planned(data: Any, told: list[Violation], last_reply: str) -> None:
    cast = Cast(
        *(data.draw(said(reports())) for _ in range(3)),
        data.draw(said(notes())),
        data.draw(said(proposals())),
        data.draw(rulings()),
    )
    planned = planned_calls("firm", BRIEF, told, last_reply, PARAMETERS)
    meet(cast, quorum=0, objections=told, last_reply=last_reply)
    left = list(planned)
    for question in cast.asked:
        plan = next(call for call in left if call.role == question.role)
        left.remove(plan)
        assert plan.tier == question.tier
        assert tokens(question) <= plan.prompt_tokens_max
        assert prompt_tokens_bound(question.messages) <= plan.prompt_tokens_max


@some
@given(objections, long_texts | st.just(""))
def test_a_single_model_takes_what_was_planned_and_no_less(told: list[Violation], last_reply: str) -> None:
    (plan,) = planned_calls("single", BRIEF, told, last_reply, PARAMETERS)
    question = RoleQuestion("single", "desk", single_messages(BRIEF, told, last_reply), REPLY_SCHEMA)
    assert tokens(question) == plan.prompt_tokens_max


def test_a_firm_plans_six_roles_and_the_risk_manager_twice() -> None:
    planned = planned_calls("firm", BRIEF, (), "", PARAMETERS)
    assert [call.role for call in planned] == [*FIRM_ROLES, "risk"]
    assert [call.tier for call in planned] == ["analyst"] * 3 + ["desk"] * 4
    assert {call.completion_tokens_max for call in planned} == {1_000}


def test_the_longest_hand_offs_a_role_may_make_are_made_and_still_within_plan() -> None:
    fits = json.dumps({"stances": {}, "confidence": 1, "summary": "\U0001f600" * 1_200, "missing": ["é" * 300]})
    assert read_hand_off("technical", fits)[0]
    cast = Cast(fits, fits, fits, risk=["<" * 60_000] * 2)
    meet(cast)
    planned: dict[str, PlannedCall] = {call.role: call for call in planned_calls("firm", BRIEF, (), "", PARAMETERS)}
    assert len(cast.asked) == 7
    assert all(tokens(question) <= planned[question.role].prompt_tokens_max for question in cast.asked)


def test_an_attempt_stays_affordable() -> None:
    """A brief of ordinary size: under 100,000 tokens in, which is 30 cents at 3 USD a million."""
    planned = planned_calls("firm", BRIEF, (), "", PARAMETERS)
    assert sum(call.prompt_tokens_max for call in planned) < 100_000
    worst = [worst_of(call.prompt_tokens_max, 0, CARD).usd for call in planned]
    assert sum(worst) < D("0.30")


@pytest.mark.parametrize("role", FIRM_ROLES)
def test_a_role_that_fails_costs_no_plan(role: str) -> None:
    spoken = [SILENCE, SILENCE] if role == "risk" else SILENCE
    cast = Cast(**{role: spoken})
    meet(cast, quorum=0)
    planned = [call.role for call in planned_calls("firm", BRIEF, (), "", PARAMETERS)]
    assert all(cast.roles.count(asked) <= planned.count(asked) for asked in cast.roles)
