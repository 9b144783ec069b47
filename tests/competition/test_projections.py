"""Before a season opens, its cost is told: entry by entry, expected and at the very most."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from agents.core.budgeting import Projection
from agents.core.parameters import AgentParameters
from agents.core.roster import Profile
from agents.prices import Quote, add_price
from competition.core.rules import Rules
from competition.models import Season
from competition.services.projections import season_cost, specimen_brief
from competition.services.seasons import draft_season
from tests.agents.money import CAPS, MODEL, NOW

pytestmark = pytest.mark.django_db
UNIVERSE = ("BTCUSDT", "ETHUSDT")
START = datetime(2026, 1, 5, tzinfo=UTC)


class Planned(NamedTuple):
    role: str
    tier: str
    prompt_tokens_max: int
    completion_tokens_max: int


def one_call(
    kind: str, brief: Mapping[str, Any], objections: Sequence[Any], last_reply: str, parameters: AgentParameters
) -> tuple[Planned, ...]:
    return (Planned("decider", "desk", 10_000, parameters.max_output_tokens),)


def rules(universe: tuple[str, ...] = UNIVERSE, source: str = "stored") -> Rules:
    return Rules.model_validate(
        {
            "universe": universe,
            "market_source": source,
            "market_starts_at": START,
            "starts_at": START,
            "cycles": 100,
            "attempts_max": 2,
            "repairs_max": 1,
        }
    )


def a_draft(*profiles: Profile) -> Season:
    return draft_season("spring", "Spring", rules(), profiles)


PAID = Profile("paid", "Paid", "single", MODEL, {"max_output_tokens": 2_000, "tries_max": 2})
HOUSE = Profile("cash", "Cash", "baseline", "baseline/all-cash")
FOREIGN = Profile("foreign", "Foreign", "single", "example/mine", {"anything": "goes"})


def test_every_entry_that_makes_calls_of_ours_is_projected() -> None:
    add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test")
    found = season_cost(a_draft(HOUSE, PAID, FOREIGN), one_call, CAPS, NOW)
    # expected a cycle: 2,500 prompt tokens at 1 and 500 of reply at 4 USD per million; at most: 0.018, 2 tries, 3 times
    assert [(entry.entry, entry.cost) for entry in found.entries] == [
        ("paid", Projection(Decimal("0.45"), Decimal("10.80")))
    ]
    assert found.total == found.entries[0].cost
    assert found.problems == ()


def test_an_entry_without_a_price_is_told_before_the_season_opens() -> None:
    found = season_cost(a_draft(PAID), one_call, CAPS, NOW)
    (problem,) = found.problems
    assert problem.entry == "paid"
    assert problem.problem == f"no price is known for {MODEL}"


def test_parameters_that_cannot_be_used_are_told_too() -> None:
    found = season_cost(a_draft(Profile("odd", "Odd", "single", MODEL, {"tries_max": 99})), one_call, CAPS, NOW)
    assert [entry.problem for entry in found.problems] == ["1 of its parameters cannot be used"]


@pytest.mark.parametrize("source", ["stored", "synthetic"])
def test_the_brief_it_is_reckoned_with_is_as_long_as_a_real_one(source: str) -> None:
    brief = specimen_brief(rules(source=source), 20)
    assert set(brief["market"]["symbols"]) == set(UNIVERSE)
    assert brief["market"]["missing"] == {}
    assert set(brief["portfolio"]["holdings"]) == set(UNIVERSE)
    assert len(brief["leaderboard"]) == 20
