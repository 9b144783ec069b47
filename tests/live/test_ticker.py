"""The second ticker, started by hand: it asks nobody whose runner does not answer, and says so."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents.models import Attempt
from agents.runner_client import agents_away
from competition.core.states import CycleState
from competition.management.commands.ticker import Steps
from competition.services import ticking
from tests.live.servers import free_port, one_answer_server
from tests.live.stage import Stage, weekly_rules

ALIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def take(*steps: tuple[str, int]) -> None:
    """Take the steps as the ticker does, and return when they are over."""
    with ThreadPoolExecutor(1) as pool:
        dispatcher = Steps(dict.fromkeys((ticking.ADVANCE, ticking.ASK), pool))
        for step in steps:
            pool.submit(lambda: None).result()  # the one before is over: a running step is not taken twice
            dispatcher.dispatch(*step)


def test_without_a_runner_only_the_house_is_asked_and_a_line_says_so(
    own_database: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RUNNER_URL = f"http://127.0.0.1:{free_port()}"
    present = Stage.set(weekly_rules(starts_at=datetime.now(UTC)), slug="present")
    present.tick()
    cycle = present.cycle(1)
    assert cycle.state == CycleState.ASKING
    take((ticking.ASK, cycle.id))
    assert set(Attempt.objects.values_list("brief__agent__kind", flat=True)) == {"baseline"}
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith("no runner answers for garbled, greedy, latecomer")


def test_of_several_runners_the_one_that_is_away_is_found() -> None:
    with one_answer_server(ALIVE) as url:
        away = asyncio.run(
            agents_away(["steady", "greedy"], {"steady": url, "greedy": f"http://127.0.0.1:{free_port()}"}.__getitem__)
        )
    assert away == {"greedy"}


def test_without_a_runner_every_other_step_is_taken(stage: Stage, settings: Settings) -> None:
    settings.RUNNER_URL = f"http://127.0.0.1:{free_port()}"
    ticking.tick(stage.now, lambda step, cycle_id: None)
    cycle = stage.cycle(1)
    assert cycle.state == CycleState.BRIEFING
    take((ticking.ADVANCE, cycle.id))
    assert stage.cycle(1).state != CycleState.BRIEFING


@pytest.mark.parametrize("every", ["0", "-1", "nan", "inf"])
def test_a_pace_that_is_none_is_refused(every: str) -> None:
    with pytest.raises(CommandError, match="--every must be a number of seconds above zero, not"):
        call_command("ticker", f"--every={every}")
