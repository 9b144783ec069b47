"""A real model backtest: real command, real runner, a provider on loopback; killed in the middle, and asked again."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from agents.models import Agent, Budget, Call
from agents.prices import Quote, add_price
from competition.models import Backtest
from competition.services.auditing_money import budgets_are_the_sums_of_reservations
from tests.agents.provider import Provider
from tests.live.runners import Runner
from tests.support_engines import until

pytestmark = pytest.mark.processes

MOMENTS = 4
WINDOW = ("--from", "2024-01-01", "--to", "2024-01-29", "--source", "synthetic", "--symbols", "BTCUSDT,ETHUSDT")


def started(root: Path, database: str, runner: Runner) -> subprocess.Popen[str]:
    params = connection.get_connection_params()
    environ = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{params.get('user', '')}@/{database}?host={params.get('host', '')}",
        "RUNNER_URL": runner.url,
    }
    command = ("manage.py", "backtest", "--agent", "mine", *WINDOW, "--max-usd", "1", "--json")
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", *command],
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def asked_of(provider: Provider) -> list[str]:
    """What was put to the model of this test, question by question."""
    return [json.dumps(request.body["messages"]) for request in provider.requests if request.body["model"] == "mine"]


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def test_a_backtest_killed_while_it_asks_goes_on_and_asks_nothing_twice_that_was_answered(
    own_database: str, repository: Path, provider: Provider, runner: Runner
) -> None:
    add_price("openai/mine", Quote(Decimal(1), Decimal(4)), datetime(2020, 1, 1, tzinfo=UTC), "a test")
    parameters = {"api_base": provider.api_base, "tries_max": 1}
    Agent.objects.create(slug="mine", name="Mine", kind="single", model="openai/mine", parameters=parameters)
    provider.acts("mine", "valid", "valid", "hang")
    killed = started(repository, own_database, runner)
    until(lambda: len(asked_of(provider)) == 3, "the third question")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=20)
    killed.communicate()
    assert Budget.objects.filter(usd_reserved__gt=0).count() == 2  # of the backtest and of the day
    Backtest.objects.update(lease_until=datetime(2020, 1, 1, tzinfo=UTC))  # a minute later

    provider.acts("mine", "valid")
    document = finished(started(repository, own_database, runner))
    (agent,) = document["agents"]
    assert agent["metrics"]["asking"]["asked"] == MOMENTS - 2
    assert agent["metrics"]["asking"]["answered_before"] == 2
    assert agent["metrics"]["verdicts"] == {"hold": MOMENTS}
    asked = asked_of(provider)
    assert len(asked) == MOMENTS + 1
    assert asked.count(asked[2]) == 2  # the one whose answer nobody heard
    assert len(set(asked)) == MOMENTS
    assert Call.objects.count() == MOMENTS
    assert not Budget.objects.filter(usd_reserved__gt=0).exists()
    assert list(budgets_are_the_sums_of_reservations()) == []
