"""The scripted characters: two that can be read, and four that fail as real models fail, week after week."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.calls import Message
from agents.core.offline import OFFLINE_MODELS, UnknownOfflineModel, offline_answer, offline_reply
from agents.core.prompts import single_messages
from agents.core.reply import parse_reply
from portfolio.core.decisions import Action, Bounds, Decision, Limits, Violation, violations_of
from tests.notation import W, content, some

RISING = "BTC change_7d 0.05, ETH change_7d 0.1, SOL change_7d -0.2"
WEEKS = range(1, 61)


def said(model: str, brief: dict[str, Any], seed: int = 1, objections: tuple[str, ...] = ()) -> str:
    return offline_reply(f"offline/{model}", {"seed": seed}, brief, objections).text


def decided(model: str, brief: dict[str, Any], seed: int = 1) -> Decision | None:
    return parse_reply(said(model, brief, seed)).decision


def over_the_weeks(model: str, market: str = RISING) -> list[Decision | None]:
    return [decided(model, content(market, cycle=week)) for week in WEEKS]


def broken(decision: Decision, market: str = RISING) -> set[str]:
    tradable = frozenset(content(market)["market"]["symbols"])
    return {violation.rule for violation in violations_of(decision, Bounds(Limits(), tradable, "USDT", {}))}


def broken_off(text: str) -> bool:
    return text.count("{") != text.count("}")


def test_the_steady_one_spreads_seventy_percent_and_moves_every_fourth_week() -> None:
    # 0.7 / 3 = 0.2333.. -> 0.23
    assert decided("steady", content(RISING, cycle=2)) == Decision(
        Action.REBALANCE, W("BTC 23%, ETH 23%, SOL 23%"), None, "Spread wide and keep 30 % dry."
    )
    moves = [decided("steady", content(RISING, holdings="BTC 50%", cycle=week)).action for week in range(1, 9)]
    assert moves == [Action.REBALANCE, Action.HOLD, Action.HOLD, Action.HOLD] * 2


def test_the_swinger_chases_the_winner_of_last_week_in_a_code_fence() -> None:
    parsed = parse_reply(said("swinger", content(RISING)))
    assert parsed.unwrapped == ("code fence",)
    assert parsed.decision.weights == W("ETH 80%")
    assert "ETHUSDT rose 10 %" in parsed.decision.rationale


@pytest.mark.parametrize("market", ["BTC change_7d -0.1, ETH change_7d -0.2", "BTC change_7d 0", "BTC change_7d none"])
def test_the_swinger_gets_out_when_nothing_rose(market: str) -> None:
    assert decided("swinger", content(market)).weights == W("USDT 100%")


def test_the_garbled_one_is_unreadable_in_some_weeks_and_fair_in_the_others() -> None:
    decisions = over_the_weeks("garbled")
    assert {None, Action.REBALANCE} == {decision and decision.action for decision in decisions}
    unreadable = sum(decision is None for decision in decisions)
    assert 30 <= unreadable <= 50  # two weeks of three, of 60
    assert all(broken(decision) == set() for decision in decisions if decision)


def test_the_garbled_one_breaks_off_or_says_nan_and_neither_is_ever_read() -> None:
    texts = [said("garbled", content(RISING, cycle=week)) for week in WEEKS]
    assert any("NaN" in text for text in texts)
    assert any(broken_off(text) for text in texts)
    for text in texts:
        assert (parse_reply(text).decision is None) == ("NaN" in text or broken_off(text))


def test_the_latecomer_is_late_in_some_weeks_and_fair_in_the_others() -> None:
    replies = [offline_reply("offline/latecomer", {"seed": 1}, content(RISING, cycle=week), []) for week in WEEKS]
    assert 30 <= sum(reply.late for reply in replies) <= 50
    assert parse_reply(replies[0].text).decision.weights == W("BTC 50%")
    assert decided("latecomer", content("ETH change_7d 0")).action is Action.HOLD


def test_the_greedy_one_goes_beyond_the_whole_portfolio_in_some_weeks() -> None:
    decisions = over_the_weeks("greedy")
    beyond = [decision for decision in decisions if broken(decision)]
    assert 0 < len(beyond) < len(decisions)
    # 1.2 + 0.9 = 2.1
    assert all({"weights_are_fractions", "total_is_one"} <= broken(decision) for decision in beyond)
    assert all(sum(decision.weights.values()) == 1 for decision in decisions if not broken(decision))


def test_the_refuser_never_decides() -> None:
    for week in WEEKS:
        parsed = parse_reply(said("refuser", content(RISING, cycle=week)))
        assert parsed.decision is None
        assert [violation.detail for violation in parsed.violations] == ["the reply holds no JSON object"]


def test_after_objections_it_is_tried_afresh_and_in_some_week_repaired() -> None:
    weeks = [content(RISING, cycle=week) for week in WEEKS]
    broke = [brief for brief in weeks if decided("garbled", brief) is None]
    repaired = [b for b in broke if parse_reply(said("garbled", b, objections=("not valid JSON",))).decision]
    assert 0 < len(repaired) < len(broke)


def test_only_the_seed_the_week_and_the_model_move_a_mood() -> None:
    brief = content(RISING, cycle=7)
    for model in ("garbled", "greedy"):
        assert said(model, brief) == said(model, content(RISING, cycle=7))
        assert len({said(model, brief, seed) for seed in range(20)}) > 1


@some
@given(
    st.sampled_from(sorted(OFFLINE_MODELS)),
    st.sets(st.sampled_from(["BTC", "ETH", "SOL", "BNB", "ADA"]), min_size=1),
    st.integers(1, 500),
    st.integers(0, 50),
    st.lists(st.text(max_size=10), max_size=3),
)
def test_every_character_has_something_to_say_about_any_market(
    model: str, bases: set[str], cycle: int, seed: int, objections: list[str]
) -> None:
    market = ", ".join(f"{base} change_7d {'none' if cycle % 3 else '0.1'}" for base in sorted(bases))
    brief = content(market, holdings="BTC 50%" if cycle % 2 else "", cycle=cycle)
    reply = offline_reply(model, {"seed": seed}, brief, objections)
    assert reply.text
    assert reply == offline_reply(model, {"seed": seed}, brief, objections)


# From the messages alone


@some
@given(
    st.sampled_from(sorted(OFFLINE_MODELS)),
    st.integers(1, 500),
    st.integers(0, 50),
    st.lists(st.builds(Violation, st.text(max_size=10), st.text(max_size=500)), max_size=30),
    st.text(max_size=50),
)
def test_a_character_says_the_same_to_a_prompt_as_to_the_brief_in_it(
    model: str, cycle: int, seed: int, objections: list[Violation], last_reply: str
) -> None:
    brief = content(RISING, holdings="BTC 50%" if cycle % 2 else "", cycle=cycle)
    details = [objection.detail for objection in objections]
    answer = offline_answer(model, single_messages(brief, objections, last_reply), seed)
    assert answer == offline_reply(model, {"seed": seed}, brief, details)


def test_a_test_of_the_line_gets_a_line_back() -> None:
    assert "simulated" in offline_answer("offline/steady", [Message(role="user", content="Say OK.")], 1).text
    assert "simulated" in offline_answer("offline/desk", [], 1).text


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownOfflineModel, match=r"offline/steady.*offline/analyst"):
        offline_answer("offline/none", single_messages(content(RISING), (), ""), 1)


@pytest.mark.parametrize("model", ["offline/desk", "offline/analyst"])
def test_a_role_of_the_firm_does_not_decide_alone(model: str) -> None:
    assert parse_reply(offline_answer(model, single_messages(content(RISING), (), ""), 1).text).decision is None
