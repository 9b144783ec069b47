"""Rules on indicators: what each wants, the same in every way of asking, and never because of what came later."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.core.brief import Place, build_brief
from agents.core.deciders import decider
from agents.core.parameter_problems import parameter_sentences
from agents.core.reply import parse_reply
from agents.core.roster import baselines, rules
from agents.core.rule_agents import RULES, RuleAgent, rule_agent
from agents.core.rule_parameters import (
    CLOSES_SHOWN,
    RULE_PARAMETERS,
    UnknownRule,
    rule_parameters,
    too_little_shown,
)
from agents.core.signals import Floats, Market, showing
from competition.core.rules import Rules
from market.core.columns import Columns
from market.core.snapshot import HISTORY, build_snapshot
from portfolio.core.decisions import Action, Bounds, violations_of
from tests.notation import HOUR_MS, MONDAY, B, S, W, at, content, hourly, some
from tests.notation import rules as season_rules

# The shortest of each, so that a few candles say something.
SHORT: dict[str, dict[str, Any]] = {
    "rule/ema-cross": {"fast": 2, "slow": 4},
    "rule/rsi-reversion": {"period": 2},
    "rule/momentum": {"lookback": 2, "top": 1},
    "rule/bollinger": {"period": 4, "width": 1},
}


def market_of(**closes: list[float]) -> Market:
    """`BTC=[…]`: candles that are nothing but closes."""
    return {f"{base}USDT": _columns(np.array(values, float)) for base, values in closes.items()}


def _columns(closes: Floats) -> Columns:
    return Columns(np.arange(len(closes)) * HOUR_MS, closes, closes, closes, closes, closes)


def wanted(model: str, parameters: dict[str, Any], **closes: list[float]) -> list[str]:
    """What is wanted at each candle: bases, `cash`, or `?` before anything is known."""
    market = market_of(**closes)
    rows = rule_agent(model, parameters).wanted(market)
    names = [name.removesuffix("USDT") for name in market]
    said = (
        "?" if np.isnan(row).any() else " ".join(n for n, w in zip(names, row, strict=True) if w) or "cash"
        for row in rows
    )
    return list(said)


UP, DOWN = [float(100 + n) for n in range(20)], [float(100 - n) for n in range(20)]


def test_the_ema_rule_holds_what_has_its_fast_average_above_its_slow_one() -> None:
    turns = wanted("rule/ema-cross", SHORT["rule/ema-cross"], BTC=UP + UP[::-1], ETH=DOWN + DOWN[::-1])
    warm_up = RULE_PARAMETERS["rule/ema-cross"].model_validate(SHORT["rule/ema-cross"]).candles
    assert turns[: warm_up - 1] == ["?"] * (warm_up - 1)
    assert turns[warm_up - 1 : 20] == ["BTC"] * (21 - warm_up)
    assert turns[-1] == "ETH"


def test_the_rsi_rule_buys_what_fell_and_keeps_it_until_it_has_recovered() -> None:
    falls, wavers, rises = [100.0 - n for n in range(20)], [81.2, 81.1], [82.0, 84, 86]
    turns = wanted("rule/rsi-reversion", {"period": 2}, BTC=falls + wavers + rises)
    assert turns[12:22] == ["BTC"] * 10
    assert turns[-1] == "cash"


def test_the_momentum_rule_holds_the_few_that_rose_most_and_of_equals_the_first_named() -> None:
    flat = [50.0] * 4
    assert wanted("rule/momentum", {"lookback": 2, "top": 1}, BTC=[100, 100, 110, 90], ETH=[10, 10, 12, 11]) == [
        *("?", "?", "ETH", "ETH")
    ]
    assert wanted("rule/momentum", {"lookback": 1, "top": 1}, BTC=[1, 2], ETH=[1, 2])[-1] == "BTC"
    assert wanted("rule/momentum", {"lookback": 2, "top": 2}, BTC=[100, 100, 90, 80], ETH=flat)[-1] == "cash"


def test_the_bollinger_rule_buys_above_the_upper_band_and_sells_below_the_middle() -> None:
    calm = [100.0, 101, 100, 101]
    assert wanted("rule/bollinger", {"period": 4, "width": 1}, BTC=[*calm, 110, 109, 108, 90]) == [
        *("?", "?", "?", "?", "BTC", "BTC", "BTC", "cash")  # 100.7 lies within the bands: nothing yet
    ]


def test_a_symbol_gets_its_share_whatever_the_others_do_and_the_shares_never_add_up_to_more_than_all() -> None:
    market = market_of(BTC=UP, ETH=UP, SOL=DOWN)
    assert rule_agent("rule/ema-cross", SHORT["rule/ema-cross"]).wanted(market)[-1].tolist() == [0.3333, 0.3333, 0]
    few = rule_agent("rule/momentum", {"lookback": 1, "top": 5}).wanted(market)
    assert few[-1].tolist() == [0.3333, 0.3333, 0]


def test_a_symbol_that_is_not_listed_yet_is_not_wanted_and_one_in_a_hole_stays_as_it_is() -> None:
    turns = wanted("rule/momentum", {"lookback": 1, "top": 2}, BTC=[1, 2, 3, 4], ETH=[np.nan, np.nan, 5, 6])
    assert turns == ["?", "BTC", "BTC", "BTC ETH"]
    turns = wanted("rule/momentum", {"lookback": 1, "top": 2}, BTC=[1, 2, np.nan, 1.5], ETH=[3, 2, 1, 0.5])
    assert turns == ["?", "BTC", "BTC", "cash"]


closes = st.lists(st.sampled_from([90.0, 95.0, 99.0, 100.0, 101.0, 104.0, 111.0, np.nan]), min_size=40, max_size=40)
models = st.sampled_from(sorted(SHORT))


@some
@given(models, closes, closes, st.sets(st.integers(0, 39)))
def test_called_candle_by_candle_a_rule_decides_what_it_says_in_one_array(
    model: str, btc: list[float], eth: list[float], asked_at: set[int]
) -> None:
    market, agent = market_of(BTC=btc, ETH=eth), rule_agent(model, SHORT[model])
    asked = np.isin(np.arange(40), sorted(asked_at))
    said = agent.weights(market, asked)
    assert said.shape == (40, 2)
    assert np.isnan(said[~asked]).all()
    view, move_to = showing(market, agent.figures(market))
    for index in sorted(asked_at):
        move_to(index)
        decided = agent.decide(index, view)
        assert (list(decided.values()) if decided else None) == (
            None if np.isnan(said[index]).any() else said[index].tolist()
        )


@some
@given(models, closes, closes, st.integers(1, 39), st.sampled_from([1e9, 1e-9, np.nan]))
def test_what_comes_later_changes_no_decision(
    model: str, btc: list[float], eth: list[float], at_candle: int, absurd: float
) -> None:
    agent, asked = rule_agent(model, SHORT[model]), np.ones(40, dtype=bool)
    changed = market_of(BTC=btc[:at_candle] + [absurd] * (40 - at_candle), ETH=eth[:at_candle] + [absurd] * 40)
    changed["ETHUSDT"] = changed["ETHUSDT"].rows(slice(0, 40))
    before = agent.weights(market_of(BTC=btc, ETH=eth), asked)[:at_candle]
    assert agent.weights(changed, asked)[:at_candle].tobytes() == before.tobytes()


# -- in a season ----------------------------------------------------------------------------------------------------


def brief(holdings: str = "", rules: Rules | None = None) -> dict[str, Any]:
    """A brief after 29 days in which bitcoin rose and ether fell."""
    symbols = S("BTC, ETH")

    def close(symbol: str, moment: Any) -> Decimal:
        days = Decimal((moment - at("2023-11-01 00:00")).days)
        return 1000 + days if symbol == "BTCUSDT" else 1000 - days

    series = hourly(close)(tuple(symbols), MONDAY - HISTORY, MONDAY)
    snapshot = build_snapshot(MONDAY, series, symbols, "synthetic", (rules or season_rules()).price_max_age)
    place = Place(1, 4, "entry-01")
    return dict(build_brief(place, snapshot, B(holdings), symbols, (), (rules or season_rules()).brief_summary).content)


@pytest.mark.parametrize(
    ("model", "parameters", "expected"),
    [
        ("rule/ema-cross", {"fast": 3, "slow": 8}, "BTC 50%"),
        ("rule/rsi-reversion", {"period": 5}, "ETH 50%"),
        ("rule/momentum", {"lookback": 28, "top": 1}, "BTC 100%"),
        ("rule/bollinger", {"period": 20, "width": 1.5}, "BTC 50%"),
    ],
)
def test_in_a_season_a_rule_reads_the_daily_closes_of_its_brief(
    model: str, parameters: dict[str, Any], expected: str
) -> None:
    assert too_little_shown(model, parameters) == ""
    decision = parse_reply(rule_agent(model, parameters).reply(brief("100 USDT"))).decision
    assert decision is not None
    assert decision.weights == W(expected)


def test_in_a_season_a_rule_holds_what_it_wants_and_leaves_what_it_does_not() -> None:
    cross = rule_agent("rule/ema-cross", {"fast": 3, "slow": 8})
    assert parse_reply(cross.reply(brief("1 BTC, 900 USDT"))).decision.action is Action.HOLD  # type: ignore[union-attr]
    assert parse_reply(cross.reply(brief("1 ETH"))).decision.weights == W("BTC 50%")  # type: ignore[union-attr]
    falling = rule_agent("rule/momentum", {"lookback": 1}).reply(
        {
            **brief(),
            "market": {"symbols": {"BTCUSDT": {"closes_1d": ["2", "1"]}}},
            "portfolio": brief("1 BTC")["portfolio"],
        }
    )
    assert parse_reply(falling).decision.weights == W("USDT 100%")  # type: ignore[union-attr]


def test_a_rule_that_is_shown_too_little_holds_and_says_so() -> None:
    reply = json.loads(rule_agent("rule/ema-cross", {}).reply(brief("100 USDT")))
    assert reply["action"] == "hold"
    assert "nothing yet" in reply["rationale"]
    assert (
        rule_agent("rule/momentum", {})
        .reply({**content(""), "market": {"symbols": {}}})
        .startswith('{"action": "hold"')
    )


def test_what_days_shown_say_nothing_of_stays_as_it_is() -> None:
    quiet = {**brief("1 BTC, 900 USDT")}
    quiet["market"] = {"symbols": {name: {"closes_1d": ["100", "101"] * 10} for name in ("BTCUSDT", "ETHUSDT")}}
    assert parse_reply(rule_agent("rule/bollinger", {}).reply(quiet)).decision.action is Action.HOLD  # type: ignore[union-attr]


def test_in_a_season_a_rule_keeps_to_the_limits() -> None:
    rules = season_rules(max_weight="0.3", min_cash="0.1", max_turnover="0.2")
    decision = parse_reply(
        rule_agent("rule/ema-cross", {"fast": 3, "slow": 8}).reply(brief("100 USDT", rules))
    ).decision
    assert decision is not None
    assert violations_of(decision, Bounds(rules.limits, frozenset({"BTCUSDT", "ETHUSDT"}), "USDT", {})) == ()
    assert decision.weights == W("BTC 20%")


# -- parameters and roster ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "parameters", "problem"),
    [
        ("rule/ema-cross", {"fast": 26, "slow": 12}, "fast must be shorter than slow, and 26 is not shorter than 12."),
        ("rule/ema-cross", {"fast": 1}, "fast: must be at least 2."),
        ("rule/ema-cross", {"period": 3}, "period: there is no such parameter. There are: fast, slow."),
        ("rule/rsi-reversion", {"period": "long"}, "period: must be a whole number."),
        ("rule/rsi-reversion", {"buy_below": 100}, "buy_below: must be below 100"),
        ("rule/rsi-reversion", {"buy_below": 60}, "buy_below must be below sell_above, and 60.0 is not below 55.0."),
        ("rule/momentum", {"top": 0}, "top: must be at least 1."),
        ("rule/bollinger", {"width": float("inf")}, "width: must be a number."),
    ],
)
def test_parameters_that_make_no_sense_are_refused_in_words(
    model: str, parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        rule_parameters(model, parameters)
    (sentence,) = parameter_sentences(refused.value, RULE_PARAMETERS[model])
    assert sentence.startswith(problem)


def test_a_rule_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UnknownRule, match="'rule/magic' is no rule"):
        decider("rule/magic", {})


def test_usual_periods_need_more_days_than_a_brief_shows() -> None:
    told = too_little_shown("rule/ema-cross", {})
    assert told.startswith(
        f"rule/ema-cross needs 86 daily closes with these parameters, and a brief shows {CLOSES_SHOWN}"
    )
    assert too_little_shown("rule/momentum", {}) == too_little_shown("baseline/momentum", {}) == ""


def test_the_roster_has_one_of_each_rule_under_slugs_of_their_own() -> None:
    assert {profile.model for profile in rules()} == set(RULE_PARAMETERS)
    assert set(RULES) == set(RULE_PARAMETERS.values())
    assert not {profile.slug for profile in rules()} & {profile.slug for profile in baselines(1)}
    for profile in rules():
        assert isinstance(rule_agent(profile.model, profile.parameters), RuleAgent)
        assert callable(decider(profile.model, profile.parameters))
