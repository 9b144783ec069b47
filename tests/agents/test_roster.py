"""The house's own contestants: each known to the code that decides for it, and named once."""

import json

from agents.core.baselines import BASELINES
from agents.core.deciders import decider
from agents.core.offline import OFFLINE_MODELS
from agents.core.offline_desk import ROLES_OF
from agents.core.parameters import AgentParameters
from agents.core.roster import baselines, demo_guests, house, offline_models

UNIVERSE = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
EVERYBODY = house(1, UNIVERSE)


def test_the_house_fields_every_baseline_and_every_offline_model() -> None:
    assert {profile.model for profile in baselines(1)} == set(BASELINES)
    assert {profile.model for profile in offline_models(1)} == set(OFFLINE_MODELS)
    assert (*baselines(1), *offline_models(1)) == EVERYBODY


def test_a_baseline_of_symbols_that_are_not_traded_stays_away() -> None:
    assert {p.slug for p in EVERYBODY} - {p.slug for p in house(1, ["ETHUSDT"])} == {"btc-hold", "sixty-forty"}
    assert {p.slug for p in EVERYBODY} - {p.slug for p in house(1, ["BTCUSDT"])} == {"sixty-forty"}


def test_no_two_contestants_share_a_slug_or_a_name() -> None:
    assert len({profile.slug for profile in EVERYBODY}) == len(EVERYBODY)
    assert len({profile.name for profile in EVERYBODY}) == len(EVERYBODY)


def test_kinds_say_what_is_a_yardstick_and_what_is_a_contestant() -> None:
    assert {profile.kind for profile in baselines(1)} == {"baseline"}
    assert {profile.kind for profile in offline_models(1)} == {"single"}


def test_the_seed_moves_only_those_who_roll_dice() -> None:
    moved = {one.slug for one, other in zip(EVERYBODY, house(2, UNIVERSE), strict=True) if one != other}
    assert moved == {"random", *(profile.slug for profile in offline_models(1))}


def test_everybody_of_the_house_decides_without_a_runner_and_can_be_stored() -> None:
    for profile in EVERYBODY:
        assert callable(decider(profile.model, profile.parameters))
        assert json.loads(json.dumps(dict(profile.parameters))) == dict(profile.parameters)


def test_the_guests_of_the_demo_are_a_firm_and_a_foreign_agent_and_not_of_the_house() -> None:
    firm, example = demo_guests(7)
    assert (firm.slug, firm.name, firm.kind) == ("offline-firm", "Offline firm of six", "firm")
    parameters = AgentParameters.model_validate(firm.parameters)
    assert {firm.model, parameters.analyst_model} == set(ROLES_OF)
    assert parameters.seed == 7
    assert callable(decider(firm.model, firm.parameters))
    assert (example.slug, example.kind, example.model) == ("plain-example", "single", "example/equal-weight")
    assert not {profile.slug for profile in EVERYBODY} & {firm.slug, example.slug}
