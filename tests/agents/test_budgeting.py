"""What an attempt may use and what a season will cost, worked out without a database."""

from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.budgeting import (
    Caps,
    PricedCall,
    Projection,
    Refused,
    allowance_for,
    models_of,
    priced,
    projected_cost,
)
from agents.core.parameters import AgentParameters
from agents.core.pricing import NOTHING, ModelCard, Worst
from tests.agents.money import CAPS, MODEL, card, planned, worst

CHEAP = "openai/gpt-5-nano"
CARDS = {MODEL: card(), CHEAP: card(CHEAP, prompt="0.1", completion="0.4", cached="0.01")}


class Planned(NamedTuple):
    role: str
    tier: str
    prompt_tokens_max: int
    completion_tokens_max: int


DECIDER = (Planned("decider", "desk", 10_000, 2_000),)
FIRM = (Planned("technical", "analyst", 10_000, 1_000), Planned("trader", "desk", 20_000, 2_000))


def allowance(
    planned: tuple[Planned, ...] = DECIDER, cards: dict[str, ModelCard] = CARDS, caps: Caps = CAPS, **parameters: Any
) -> Worst | Refused:
    return allowance_for(MODEL, AgentParameters(**parameters), planned, cards, caps)


def test_every_call_is_allowed_for_as_often_as_it_may_be_tried() -> None:
    # 10,000 prompt tokens at 1 and 2,000 of reply at 4 USD per million: 0.018 USD a try, twice
    assert allowance(tries_max=2) == worst(24_000, "0.036")


def test_each_tier_of_a_firm_is_priced_by_its_own_model() -> None:
    # technical: 10,000 at 0.1 and 1,000 at 0.4; trader: 20,000 at 1 and 2,000 at 4
    assert allowance(FIRM, tries_max=1, analyst_model=CHEAP) == worst(33_000, "0.0294")


def test_a_model_without_a_price_is_refused_without_a_word_that_only_an_operator_needs() -> None:
    refused = allowance(FIRM, cards={MODEL: card()}, analyst_model=CHEAP)
    assert isinstance(refused, Refused)
    assert refused.reason == f"no price is known for {CHEAP}"


def test_a_single_call_that_could_cost_too_much_is_refused() -> None:
    caps = Caps(Decimal("0.017999999"), Decimal(5), Decimal(10), Decimal(500), 1)
    refused = allowance(caps=caps)
    assert isinstance(refused, Refused)
    assert refused.reason == ("one call (decider) could cost 0.018 USD, and no call may cost more than 0.017999999 USD")


@pytest.mark.parametrize("model", ["baseline/momentum", "example/mine"])
def test_who_makes_no_calls_of_ours_needs_neither_price_nor_allowance(model: str) -> None:
    assert allowance_for(model, AgentParameters(), DECIDER, {}, CAPS) == NOTHING
    assert models_of("single", model, AgentParameters()) == ()


def test_a_firm_asks_its_analysts_model_and_its_own() -> None:
    assert models_of("firm", MODEL, AgentParameters(analyst_model=CHEAP)) == (MODEL, CHEAP)
    assert models_of("firm", MODEL, AgentParameters()) == (MODEL,)
    assert models_of("single", MODEL, AgentParameters()) == (MODEL,)


def test_the_prices_of_a_plan_are_those_of_the_models_it_asks() -> None:
    found = priced(FIRM, MODEL, AgentParameters(analyst_model=CHEAP), CARDS)
    assert not isinstance(found, Refused)
    assert [(call.role, call.card.model) for call in found] == [("technical", CHEAP), ("trader", MODEL)]


# Projections


def test_a_season_is_expected_to_cost_less_than_it_can() -> None:
    # expected: 10,000 / 4 prompt tokens at 1 and 2,000 / 4 of reply at 4 USD per million: 0.0045 a turn
    # worst: 0.018 a try, two tries, three attempts: 0.108 a turn
    call = planned(prompt=10_000, completion=2_000)
    assert projected_cost([call], 2, 3, 1_000, CAPS) == Projection(Decimal("4.50"), Decimal("108.00"))


def test_the_caps_of_turn_and_season_bound_what_it_can_cost() -> None:
    call = planned(prompt=1_000_000, completion=100_000)  # 1.4 USD a try
    assert projected_cost([call], 2, 3, 10, CAPS).worst_usd == 50  # 5 a turn
    assert projected_cost([call], 2, 3, 1_000, CAPS).worst_usd == 500


calls = st.builds(planned, prompt=st.integers(0, 200_000), completion=st.integers(1, 100_000))


@given(st.lists(calls, max_size=6), st.integers(1, 5), st.integers(1, 10), st.integers(1, 10_000))
def test_the_expected_cost_is_never_above_the_worst(
    plan: list[PricedCall], tries: int, attempts: int, cycles: int
) -> None:
    projection = projected_cost(plan, tries, attempts, cycles, CAPS)
    assert 0 <= projection.expected_usd <= projection.worst_usd <= CAPS.usd_per_season
