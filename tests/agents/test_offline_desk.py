"""The offline firm: it plays six roles well enough that everything a firm can come to is on view."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.answers import Answer, NoAnswer
from agents.core.brief import Brief
from agents.core.deciders import decider
from agents.core.firm_roles import ANALYSTS, part_for, read_hand_off
from agents.core.offline_desk import ANALYST_MODEL, DESK_MODEL, PAST_THE_QUESTION, ROLES_OF, desk_answer
from agents.core.reply import parse_reply
from portfolio.core.decisions import Bounds, Limits, violations_of
from tests.notation import D, W, content, some

MARKET = (
    "BTC change_28d 0.1, BTC volatility_28d 0.4, ETH change_28d 0.3, ETH volatility_28d 0.5, "
    "SOL change_28d -0.2, SOL volatility_28d 0.8"
)
WEEKS = range(1, 61)


def came(week: int, seed: int = 1, market: str = MARKET, holdings: str = "", **limits: str) -> Answer | NoAnswer:
    brief = Brief(content(market, holdings, week, **limits), "")
    return decider(DESK_MODEL, {"seed": seed, "analyst_model": ANALYST_MODEL})(brief, ())


def records() -> list[dict[str, Any]]:
    return [dict(came(week).deliberation or {}) for week in WEEKS]


def test_the_technical_analyst_follows_the_trend_for_its_volatility() -> None:
    blocks = {"brief": part_for("technical", content(MARKET))}
    report = json.loads(ROLES_OF[ANALYST_MODEL]["technical"](blocks, None))  # type: ignore[arg-type]
    # 0.1 / 0.4, 0.3 / 0.5, -0.2 / 0.8
    assert report["stances"] == {"BTCUSDT": 0.25, "ETHUSDT": 0.6, "SOLUSDT": -0.25}


def test_over_the_weeks_everything_a_firm_can_come_to_is_on_view() -> None:
    told = records()
    rulings = {record["roles"]["risk"]["output"]["ruling"] for record in told if record["roles"]["risk"]["output"]}
    assert rulings == {"approve", "reduce", "veto"}
    assert {0, 1} <= {len(record["missing"]) for record in told}
    assert any(record["diff"] for record in told)
    silent = [week for week in WEEKS if isinstance(came(week), NoAnswer)]
    assert len(silent) < len(WEEKS) / 6


def test_an_analyst_that_talks_past_the_question_is_missing_and_the_firm_goes_on() -> None:
    blocks = {role: {"brief": part_for(role, content(MARKET))} for role in ANALYSTS}
    said = {role: desk_answer(ANALYST_MODEL, role, blocks[role], seed=3) for role in ANALYSTS}
    assert all(read_hand_off(role, text)[0] for role, text in said.items() if text != PAST_THE_QUESTION)
    lacking = [record for record in records() if len(record["missing"]) == 1]
    assert all(record["roles"]["trader"]["status"] == "used" for record in lacking)
    assert all("Without" in record["roles"]["researcher"]["output"]["thesis"] for record in lacking)


def test_the_figures_that_are_off_are_told_as_missing() -> None:
    brief = content(MARKET)
    brief["market"]["off"] = ["order book", "positioning"]
    text = ROLES_OF[ANALYST_MODEL]["sentiment"]({"brief": part_for("sentiment", brief)}, None)  # type: ignore[arg-type]
    assert json.loads(text)["missing"] == ["order book is off", "positioning is off"]


def test_a_role_of_the_other_model_is_declined_in_words() -> None:
    assert (
        desk_answer(DESK_MODEL, "technical", {}, 1)
        == "offline/desk plays researcher, trader, risk in a firm, and no technical."
    )


@pytest.mark.parametrize("week", [1, 2, 3])
def test_the_same_week_and_seed_have_the_same_answer(week: int) -> None:
    assert came(week) == came(week)


def test_the_seed_moves_moods() -> None:
    assert len({str(came(7, seed)) for seed in range(20)}) > 1


figures = st.sampled_from(["-0.3", "-0.05", "0", "0.02", "0.4", "none"])


@some
@given(
    st.dictionaries(st.sampled_from(["BTC", "ETH", "SOL", "BNB", "ADA"]), figures, min_size=1),
    st.sampled_from([0, 50, 99]),
    st.integers(1, 500),
    st.sampled_from([{}, {"max_weight": "0.3", "min_cash": "0.1"}, {"max_turnover": "0.2"}]),
)
def test_in_any_market_the_firm_keeps_the_rules_or_is_silent(
    moves: dict[str, str], invested: int, week: int, limits: dict[str, str]
) -> None:
    market = ", ".join(f"{base} change_28d {move}, {base} volatility_28d 0.5" for base, move in moves.items())
    holdings = ", ".join(f"{base} {invested // len(moves)}%" for base in moves) if invested else ""
    answer = came(week, market=market, holdings=holdings, **limits)
    if isinstance(answer, NoAnswer):
        assert "analysts are usable" in answer.reason
        return
    decision = parse_reply(answer.text).decision
    assert decision
    bounds = Bounds(
        Limits(**{name: D(value) for name, value in limits.items()}),
        frozenset(f"{base}USDT" for base in moves),
        "USDT",
        W(holdings),
    )
    assert violations_of(decision, bounds) == ()
