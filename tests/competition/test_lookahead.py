"""Nobody sees a candle before it has closed: what comes later may be anything, and nothing before it changes."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.answers import Answer, NoAnswer
from agents.core.baselines import rebalance_text
from agents.core.brief import Brief
from agents.core.rule_agents import rule_agent
from agents.core.signals import Asked, Floats, Market, View
from competition.core.backtest_parameters import AgentSpec
from competition.services.backtest_lookahead import Lookahead, check_agent
from competition.services.backtest_runs import Player, player_of
from portfolio.core.decisions import Violation
from tests.competition.backtested import parameters
from tests.notation import D

pytestmark = pytest.mark.django_db
DAILY = parameters(every="1d", last=parameters().first + timedelta(days=30))


def checked(player: Callable[[], Player], times: int = 6, seed: int = 1) -> Lookahead:
    return check_agent(DAILY, "alice", player, random.Random(seed), times)


class SeesOneCandleAhead:
    """Holds bitcoin while the next candle closes higher."""

    def weights(self, market: Market, asked: Asked) -> Floats:
        closes = market["BTCUSDT"].closes
        rises = np.append(closes[1:] > closes[:-1], False)
        return np.where(rises[:, None], (1.0, 0.0), (0.0, 0.0))


class KnowsTheMean:
    """Buys below the mean of all candles, those to come among them; called one by one it reads that from a figure."""

    def figures(self, market: Market) -> Mapping[str, Floats]:
        closes = market["BTCUSDT"].closes
        return {"cheap": (closes < closes.mean()).astype(float)}

    def decide(self, index: int, view: View) -> Mapping[str, float] | None:
        return {"BTCUSDT": view.figure("cheap", index)}


class RemembersTheLastPlay:
    """Answers briefs, and wants more each time that it is played: not the same from the same brief."""

    played = 0

    def __init__(self) -> None:
        RemembersTheLastPlay.played += 1
        self.share = D("0.1") * RemembersTheLastPlay.played

    def __call__(self, brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        return Answer(rebalance_text({"BTCUSDT": self.share}, "more"))


@pytest.mark.parametrize("cheat", [SeesOneCandleAhead, KnowsTheMean, RemembersTheLastPlay])
def test_a_planted_cheat_is_caught_with_the_instant(cheat: Callable[[], Player]) -> None:
    found = checked(cheat)
    assert not found.is_clean
    assert "LOOKS AHEAD" in found.verdict
    assert found.at is not None
    assert found.replaced_after is not None
    assert found.at <= found.replaced_after


RULES = [
    AgentSpec(slug=model, name=model, kind="baseline", model=model)
    for model in ("rule/ema-cross", "rule/rsi-reversion", "rule/momentum", "rule/bollinger")
]
SHOWN = [
    AgentSpec(slug=model, name=model, kind="baseline", model=model, parameters=parameters)
    for model, parameters in (
        ("baseline/equal-weight", {}),
        ("baseline/momentum", {"top": 1}),
        ("baseline/risk-parity", {}),
        ("baseline/random", {"seed": 1}),
        ("offline/swinger", {"seed": 1}),
    )
]


@pytest.mark.parametrize("spec", [*RULES, *SHOWN], ids=lambda spec: spec.slug)
def test_replacing_the_future_changes_no_brief_decision_order_or_posting_before_it(spec: AgentSpec) -> None:
    found = checked(lambda: player_of(spec), times=4)
    assert found.is_clean, found.verdict
    assert found.decisions > 0


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_at_random_instants(seed: int) -> None:
    found = checked(lambda: rule_agent("rule/ema-cross", {}), times=3, seed=seed)
    assert found.is_clean, found.verdict
    found = checked(lambda: player_of(SHOWN[1]), times=1, seed=seed)
    assert found.is_clean, found.verdict
