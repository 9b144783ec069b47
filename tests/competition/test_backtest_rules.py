"""Rules on indicators in backtests: by name from the command line, in arrays, without a look ahead."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from agents.core.rule_parameters import RULE_PARAMETERS
from agents.core.signals import ArrayAgent
from competition.core.backtest_parameters import AgentSpec
from competition.services.backtest_runs import player_of

WINDOW = ("--from", "2024-01-01", "--to", "2024-02-01", "--source", "synthetic", "--symbols", "BTCUSDT,ETHUSDT")


def backtest(*agents: str) -> dict[str, Any]:
    out = io.StringIO()
    named = [word for agent in agents for word in ("--agent", agent)]
    call_command("backtest", *named, *WINDOW, "--every", "candle", "--json", stdout=out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


@pytest.mark.django_db
def test_every_rule_of_the_house_is_played_by_name() -> None:
    found = backtest("ema-cross", "rsi-reversion", "momentum-rule", "bollinger")
    assert found["label"] == "no_model"
    for agent in found["agents"]:
        assert agent["trades_count"] > 0, agent["agent"]
        assert agent["metrics"]["verdicts"].keys() == {"rebalance"}


@pytest.mark.parametrize("model", RULE_PARAMETERS)
def test_a_rule_reads_candles_as_arrays_and_no_briefs(model: str) -> None:
    assert isinstance(player_of(AgentSpec(slug="r", name="R", kind="baseline", model=model)), ArrayAgent)
