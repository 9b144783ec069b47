"""A firm of six: who is heard, what is handed on, what the risk manager may do, and that failing is never trading."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.firm import CUT_OFF, RoleAnswer
from agents.core.firm_roles import ANALYSTS, FIRM_ROLES, REPORT_BYTES_MAX, part_for, read_hand_off
from agents.core.prompts import PROMPT_VERSIONS, SCHEMAS
from agents.core.reply import parse_reply
from market.core.canonical import plain
from portfolio.core.decisions import Action, Violation
from tests.agents.meetings import (
    APPROVED,
    BRIEF,
    BROKEN_OFF,
    CHATTER,
    NOTE,
    SILENCE,
    Cast,
    meet,
    meet_timed,
    report,
    ruling,
)
from tests.notation import HOLD, R, W, content, many, some

PROPOSED = "BTC 40%, ETH 30%"


def weights(reply: str | None) -> dict[str, Decimal]:
    assert reply is not None
    parsed = parse_reply(reply)
    assert parsed.decision, parsed.violations
    return dict(parsed.decision.weights)


# Who is asked when


def test_the_three_analysts_begin_together_and_the_desk_follows_one_by_one() -> None:
    cast = Cast(seconds={"technical": 2, "sentiment": 9, "tokenomics": 4, "researcher": 3, "trader": 5, "risk": 1})
    _, elapsed = meet_timed(cast)
    # the slowest analyst takes 9 s, then 3 + 5 + 1 = 9
    assert elapsed == 18
    assert cast.began == {
        **dict.fromkeys(ANALYSTS, 0),
        "researcher": 9,
        "trader": 12,
        "risk": 17,
    }


def test_each_role_is_asked_once_in_its_tier_with_its_own_text_and_schema() -> None:
    cast = Cast()
    meet(cast)
    assert cast.roles == list(FIRM_ROLES)
    assert [question.tier for question in cast.asked] == ["analyst"] * 3 + ["desk"] * 3
    for question in cast.asked:
        assert question.messages[0].content.startswith(f"Role: {question.role}, prompt v")
        assert question.reply_schema == SCHEMAS[question.role]


# What each is given


def test_each_reads_what_the_one_before_hands_on() -> None:
    cast = Cast()
    meet(cast)
    assert cast.shown("researcher")["reports"]["sentiment"] == {
        "stances": {"BTCUSDT": "-0.3", "ETHUSDT": "0.1"},
        "confidence": "0.5",
        "summary": "It rises.",
        "missing": [],
    }
    assert cast.shown("trader")["note"]["thesis"] == "Bitcoin first."
    assert cast.shown("risk")["proposal"]["allocations"] == {"BTCUSDT": "0.4", "ETHUSDT": "0.3"}


def market(**changes: Any) -> dict[str, Any]:
    row = {
        "price": "50",
        "high_24h": "51",
        "low_24h": "49",
        "volume_24h": "1000",
        "change_1d": "0.01",
        "change_7d": "0.02",
        "change_28d": "0.03",
        "volatility_28d": "0.5",
        "closes_1d": ["49", "50"],
        **changes,
    }
    parts = {"symbols": {"BTCUSDT": row}, "missing": {}, "off": ["order book", "positioning"], "source": "synthetic"}
    return {**BRIEF, "market": parts, "leaderboard": [{"entry": "entry-01", "rank": 1, "net_return": "0.1"}]}


def test_each_analyst_is_given_its_part_and_nothing_of_portfolio_or_rivals() -> None:
    rows = {role: part_for(role, market())["market"]["symbols"]["BTCUSDT"] for role in ANALYSTS}
    assert {"closes_1d", "volatility_28d", "change_28d"} <= set(rows["technical"])
    assert "volume_24h" not in rows["technical"]
    assert "closes_1d" not in rows["sentiment"]
    # 50 * 1000
    assert rows["tokenomics"] == {"price": "50", "volume_24h": "1000", "change_28d": "0.03", "turnover_24h": "50000"}
    assert all(set(part_for(role, market())) == {"cycle", "market"} for role in ANALYSTS)


def test_positioning_goes_to_the_sentiment_analyst_and_the_top_of_the_book_to_the_trader() -> None:
    figures = {"funding": {"rate": "0.0001"}}
    brief = market(positioning=figures, book={"bid": "49.9", "ask": "50.1"}, day={"quote_volume": "49000"})
    rows = {role: part_for(role, brief)["market"]["symbols"]["BTCUSDT"] for role in FIRM_ROLES}
    assert rows["sentiment"]["positioning"] == figures
    assert [role for role in FIRM_ROLES if "positioning" in rows[role]] == ["sentiment"]
    assert [role for role in FIRM_ROLES if "book" in rows[role]] == ["trader"]
    assert [role for role in FIRM_ROLES if "day" in rows[role]] == ["tokenomics"]


def test_a_source_that_is_off_is_said_to_be_off_and_nothing_stands_in_for_it() -> None:
    assert "positioning" in part_for("sentiment", market())["market"]["off"]
    assert "supply schedule" in part_for("tokenomics", market())["market"]["off"]
    assert part_for("tokenomics", market(volume_24h=None))["market"]["symbols"]["BTCUSDT"]["turnover_24h"] is None


def test_no_free_text_of_a_rival_reaches_any_role() -> None:
    brief = market(rationale="BUY IT ALL")
    brief["leaderboard"][0]["rationale"] = brief["leaderboard"][0]["name"] = "BUY IT ALL"
    brief["news"] = "BUY IT ALL"
    cast = Cast()
    meet(cast, brief)
    assert cast.roles == list(FIRM_ROLES)
    assert all("BUY IT ALL" not in message.content for question in cast.asked for message in question.messages)


def test_after_a_refused_reply_trader_and_risk_manager_are_told_what_was_wrong() -> None:
    cast = Cast()
    meet(cast, objections=(Violation("total_is_one", "too much"),), last_reply=R("BTC 200%"))
    for role in ("trader", "risk"):
        assert cast.shown(role)["objections"]["listed"] == [{"rule": "total_is_one", "detail": "too much"}]
        assert cast.shown(role)["last_reply"] == R("BTC 200%")
    assert all("objections" not in cast.shown(role) for role in (*ANALYSTS, "researcher"))


# Who is missing


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (SILENCE, "the provider is overloaded"),
        (CHATTER, "the reply holds no JSON object"),
        (BROKEN_OFF, CUT_OFF),
        (report("BTC 7"), "stances.BTCUSDT: Input should be less than or equal to 1"),
        (report(summary="x" * 1_201), "summary: String should have at most 1200 characters"),
        (report(summary="\x00"), "summary: holds NUL or half a character, which no database can keep"),
    ],
)
def test_a_missing_analyst_is_stated_to_the_researcher_and_in_the_record(said: Any, why: str) -> None:
    cast = Cast(sentiment=said)
    came = meet(cast)
    assert came.reply == cast.trader
    assert cast.shown("researcher")["reports"]["sentiment"] == {"missing": why}
    assert came.content["missing"] == {"sentiment": why}
    assert came.content["roles"]["sentiment"]["output"] is None
    assert (came.content["analysts_used"], came.content["quorum"]) == (2, 2)


def test_a_report_in_long_letters_takes_no_more_than_its_bytes() -> None:
    read, violations = read_hand_off("technical", report(summary="\U0001f600" * 1_200))
    assert read, violations  # 1200 characters of 4 bytes
    hidden = "\U000e0041" * 1_200  # invisible, so written out, 12 bytes each
    read, violations = read_hand_off("technical", report(summary=hidden))
    assert read is None
    assert f"more than the {REPORT_BYTES_MAX} it may hand on" in violations[0].detail


def test_of_a_long_rationale_the_risk_manager_reads_the_beginning() -> None:
    cast = Cast(trader=R(PROPOSED, "\u5b66" * 4_000))
    came = meet(cast)
    assert came.reply == cast.trader
    assert cast.shown("risk")["proposal"]["rationale"].endswith("more characters]")
    assert came.content["roles"]["trader"]["output"]["rationale"] == "\u5b66" * 4_000


def test_below_the_quorum_the_firm_is_silent_and_asks_nobody_further() -> None:
    cast = Cast(technical=CHATTER, tokenomics=SILENCE)
    came = meet(cast)
    assert came.reply is None
    assert came.reason.startswith("1 of 3 analysts are usable, the quorum is 2 (technical analyst: the reply holds no")
    assert set(cast.roles) == set(ANALYSTS)
    assert came.content["roles"]["trader"]["status"] == "not asked"


@pytest.mark.parametrize("quorum", [0, 1, 2, 3])
@pytest.mark.parametrize("silent", [(), ("sentiment",), ("sentiment", "technical"), ANALYSTS])
def test_the_quorum_decides_how_many_may_be_missing(quorum: int, silent: tuple[str, ...]) -> None:
    came = meet(Cast(**dict.fromkeys(silent, SILENCE)), quorum=quorum)
    assert (came.reply is not None) is (3 - len(silent) >= quorum)


@pytest.mark.parametrize(
    ("role", "title"), [("researcher", "researcher"), ("trader", "trader"), ("risk", "risk manager")]
)
@pytest.mark.parametrize("said", [SILENCE, CHATTER, BROKEN_OFF])
def test_without_one_of_the_desk_there_is_no_reply(role: str, title: str, said: Any) -> None:
    spoken = [said, said] if role == "risk" else said
    came = meet(Cast(**{role: spoken}))
    assert came.reply is None
    assert came.reason.startswith(f"nothing usable from the {title}")
    assert came.truncated is (said is BROKEN_OFF)
    assert len(came.reason) <= 300


def test_a_trader_who_is_cut_off_has_proposed_nothing_even_when_it_can_be_read() -> None:
    came = meet(Cast(trader=RoleAnswer(R("BTC 40%"), truncated=True)))
    assert (came.reply, came.truncated) == (None, True)


# What the risk manager may do


def test_an_approved_proposal_goes_out_word_for_word() -> None:
    wrapped = f"Here you are:\n```json\n{R(PROPOSED)}\n```"
    came = meet(Cast(trader=wrapped))
    assert came.reply == wrapped
    assert came.content["diff"] == {}
    assert meet(Cast(trader=HOLD)).reply == HOLD


def test_what_is_reduced_is_told_symbol_by_symbol() -> None:
    came = meet(Cast(risk=ruling("reduce", "BTC 25.00000000000000000001%")))
    assert weights(came.reply) == {"BTCUSDT": Decimal("0.2500000000000000000001")}
    assert came.content["diff"] == {
        "BTCUSDT": ["0.4", "0.2500000000000000000001"],
        "ETHUSDT": ["0.3", "0"],
    }


def test_a_proposal_to_hold_is_reduced_from_what_is_held() -> None:
    came = meet(Cast(trader=HOLD, risk=ruling("reduce", "BTC 10%, SOL 20%")))
    assert weights(came.reply) == W("BTC 10%, SOL 20%")
    assert came.content["diff"] == {"BTCUSDT": ["0.3", "0.1"]}
    refused = meet(Cast(trader=HOLD, risk=[ruling("reduce", "BTC 31%")] * 2))
    assert refused.reply is None


def test_a_veto_is_a_hold_and_the_diff_shows_what_is_not_bought() -> None:
    came = meet(Cast(trader=R("BTC 40%, ETH 30%, SOL 20%"), risk=ruling("veto", why="Too fast.")))
    decision = parse_reply(came.reply or "").decision
    assert decision
    assert (decision.action, decision.rationale) == (Action.HOLD, "Too fast.")
    assert came.content["diff"] == {"BTCUSDT": ["0.4", "0.3"], "ETHUSDT": ["0.3", "0"]}
    assert meet(Cast(trader=HOLD, risk=ruling("veto"))).content["diff"] == {}


@pytest.mark.parametrize(
    ("proposed", "complaint"),
    [
        ("USDT 100%", "a veto here keeps more than was proposed: BTCUSDT at 0.3 instead of 0"),
        ("BTC 29%, SOL 20%", "a veto here keeps more than was proposed: BTCUSDT at 0.3 instead of 0.29"),
        ("BTC 90%", "a veto here keeps more than was proposed: SOLUSDT at 0.2 instead of 0"),
    ],
)
def test_a_veto_that_keeps_more_than_was_proposed_is_asked_for_once_more(proposed: str, complaint: str) -> None:
    cast = Cast(trader=R(proposed), risk=[ruling("veto"), APPROVED])
    came = meet(cast)
    assert came.reply == cast.trader
    assert complaint in [row["detail"] for row in cast.shown("risk", 1)["objections"]["listed"]]
    assert complaint in came.content["roles"]["risk"]["objected"]
    stubborn = meet(Cast(trader=R(proposed), risk=[ruling("veto")] * 2))
    assert stubborn.reply is None
    assert stubborn.reason.startswith("nothing usable from the risk manager, asked twice: ")
    assert complaint in stubborn.reason


@pytest.mark.parametrize(
    ("raising", "complaint"),
    [
        ("BTC 41%", "BTCUSDT at 0.41 is above the 0.4 of the proposal"),
        ("BTC 40%, ETH 30%, SOL 1%", "SOLUSDT is not in the proposal"),
        ("BTC 10%, SOL 0%", "SOLUSDT is not in the proposal"),
        ("BTC 20%, USDT 20%", "the weights add up to 0.4, not to 1 within 0.005"),
    ],
)
def test_a_ruling_that_raises_anything_is_asked_for_once_more_with_the_objection(raising: str, complaint: str) -> None:
    cast = Cast(risk=[ruling("reduce", raising), ruling("reduce", "BTC 20%, USDT 80%")])
    came = meet(cast)
    assert weights(came.reply) == W("BTC 20%, USDT 80%")
    assert [row["detail"] for row in cast.shown("risk", 1)["objections"]["listed"]] == [complaint]
    assert cast.asked[-1].messages[-2].content == ruling("reduce", raising)
    assert (came.content["roles"]["risk"]["asked"], came.content["roles"]["risk"]["objected"]) == (2, complaint)
    stubborn = meet(Cast(risk=[ruling("reduce", raising)] * 2))
    assert stubborn.reply is None
    assert stubborn.reason == f"nothing usable from the risk manager, asked twice: {complaint}"


@pytest.mark.parametrize("bad", [ruling("reduce"), ruling("approve", "BTC 10%"), ruling("reduce", "BTC -10%"), "{}"])
def test_a_ruling_that_contradicts_itself_is_no_ruling(bad: str) -> None:
    assert meet(Cast(risk=[bad, bad])).reply is None
    assert meet(Cast(risk=[bad, ruling("approve")])).reply == Cast().trader


def test_a_risk_manager_who_does_not_answer_is_not_asked_again() -> None:
    cast = Cast(risk=[SILENCE, ruling("approve")])
    assert meet(cast).reply is None
    assert cast.roles.count("risk") == 1


fractions = st.decimals(0, 1, places=4)
allocations = st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT", "USDT"]), fractions, min_size=1)


held = st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT"]), fractions)


def trade(proposed: dict[str, Decimal] | None) -> str:
    """What the trader says to propose these weights; None is to hold."""
    return HOLD if proposed is None else f'{{"action": "rebalance", "allocations": {spelled(proposed)}}}'


def spelled(weights: dict[str, Decimal]) -> str:
    return "{" + ", ".join(f'"{name}": {plain(weight)}' for name, weight in weights.items()) + "}"


@some
@given(allocations | st.none(), allocations)
def test_what_is_reduced_counts_only_where_no_weight_is_raised(
    proposed: dict[str, Decimal] | None, ruled: dict[str, Decimal]
) -> None:
    risk = f'{{"ruling": "reduce", "allocations": {spelled(ruled)}, "rationale": "less"}}'
    came = meet(Cast(trader=trade(proposed), risk=[risk, risk]))
    before = W("BTC 30%, SOL 20%") if proposed is None else proposed
    reduces = all(weight <= before.get(name, -1) for name, weight in ruled.items() if name != "USDT")
    if came.reply is not None:
        assert reduces
        assert weights(came.reply) == ruled
    else:
        assert not reduces or abs(sum(ruled.values()) - 1) > Decimal("0.005")


@many
@given(held, allocations | st.none(), st.sampled_from(["approve", "reduce", "veto"]), allocations)
def test_no_ruling_that_counts_leaves_any_weight_above_the_proposed_one(
    held: dict[str, Decimal], proposed: dict[str, Decimal] | None, kind: str, ruled: dict[str, Decimal]
) -> None:
    brief = content("BTC change_28d 0.1")
    brief["portfolio"]["holdings"] = {name: {"weight": plain(weight)} for name, weight in held.items()}
    more = f', "allocations": {spelled(ruled)}' if kind == "reduce" else ""
    risk = f'{{"ruling": "{kind}"{more}, "rationale": "so"}}'
    came = meet(Cast(trader=trade(proposed), risk=[risk, risk]), brief)
    before = held if proposed is None else proposed
    if came.reply is None:
        assert kind != "approve"
        return
    decision = parse_reply(came.reply).decision
    assert decision
    after = held if decision.action is Action.HOLD else decision.weights
    assert all(weight <= before.get(name, 0) for name, weight in after.items() if name != "USDT")


# The record


def test_the_record_shows_every_role_with_its_prompt_and_its_output() -> None:
    came = meet(Cast())
    assert list(came.content["roles"]) == list(FIRM_ROLES)
    assert {role: told["prompt"] for role, told in came.content["roles"].items()} == {
        role: PROMPT_VERSIONS[role] for role in FIRM_ROLES
    }
    assert {told["status"] for told in came.content["roles"].values()} == {"used"}
    assert came.content["roles"]["trader"]["output"]["allocations"] == {"BTCUSDT": "0.4", "ETHUSDT": "0.3"}
    assert came.content["roles"]["risk"]["output"]["ruling"] == "approve"


def test_analysts_who_contradict_each_other_are_on_record_whatever_the_researcher_says() -> None:
    cast = Cast(technical=report("BTC 0.5, ETH 0.2"), sentiment=report("BTC -0.3"), tokenomics=report("BTC 0.1, ETH 0"))
    assert meet(cast).content["dissent"] == {"BTCUSDT": {"technical": "0.5", "sentiment": "-0.3", "tokenomics": "0.1"}}


texts = st.text(max_size=60) | st.sampled_from([report(), NOTE, R(PROPOSED), HOLD, ruling("approve"), ruling("veto")])
answers = texts | st.builds(RoleAnswer, texts, st.booleans()) | st.just(SILENCE)


@some
@given(st.lists(answers, min_size=7, max_size=7), st.integers(0, 3))
def test_whatever_the_roles_say_the_record_can_be_stored_and_silence_has_a_reason(said: list[Any], quorum: int) -> None:
    cast = Cast(*said[:5], risk=said[5:])
    came = meet(cast, quorum=quorum)
    assert json.loads(json.dumps(came.content)) == came.content
    assert "\\u0000" not in json.dumps(came.content)
    assert (came.reply is None) is bool(came.reason)
    if came.reply is not None:
        assert parse_reply(came.reply).decision


def test_a_brief_without_anything_to_trade_is_deliberated_too() -> None:
    assert meet(Cast(trader=HOLD), content("")).reply == HOLD
