"""Real processes, real kill -9: a ticker dies at chosen moments of a cycle, and the season goes on.

At moments that dice choose, and with everybody else of the site, it is `test_chaos.py` that kills.
"""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from agents.core.roster import house
from competition.core.rules import Rules
from competition.core.states import CycleState
from competition.models import Cycle, Heartbeat, Season
from competition.services.seasons import draft_season, open_season
from config.processes import NOT_FOR_THE_RUNNER
from portfolio.models import Order
from tests.live.audit import faults
from tests.live.servers import free_port, until_answers
from tests.live.stage import SEED, START, SYMBOLS
from tests.support_engines import until

pytestmark = pytest.mark.processes


START_S = 3.0  # what a ticker takes to start, at most, where a week of six seconds is enough


def quick_season(cycles: int, pace: int) -> Season:
    """A season whose week lasts six seconds times `pace`, starting in a moment."""
    rules = Rules(
        universe=SYMBOLS,
        market_source="synthetic",
        market_seed=SEED,
        market_starts_at=START,
        starts_at=datetime.now(UTC) + timedelta(seconds=1),
        cycles=cycles,
        cycle_s=6 * pace,
        ask_s=2 * pace,
        attempt_s=pace,
        on_time_s=pace,
        late_s=2 * pace,
        trade_window_s=2 * pace,
        turn_lease_s=pace,
    )
    season = draft_season("quick", "Quick", rules, house(SEED, SYMBOLS))
    return open_season(season.id, datetime.now(UTC))


class Processes:
    """The processes of a season, each in a group of its own so that it can be killed with all its children."""

    def __init__(self, root: Path, database: str) -> None:
        params = connection.get_connection_params()
        host = params.get("host", "")
        self.root = root
        self.runner_port = free_port()
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"postgresql://{params.get('user', '')}@/{database}?host={host}",
            "RUNNER_URL": f"http://127.0.0.1:{self.runner_port}",
            "TICK_EVERY_S": "0.3",
            "LOG_LEVEL": "ERROR",
        }
        self.alive: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        runner = ["granian", "--interface", "asgi", "--port", str(self.runner_port), "agents.runner:application"]
        command = {
            "ticker": ["manage.py", "ticker"],
            "runner": ["-m", *runner],
        }[name]
        environment = dict(self.environment)
        if name == "runner":
            environment = {key: value for key, value in environment.items() if key not in NOT_FOR_THE_RUNNER}
            environment["DJANGO_SETTINGS_MODULE"] = "config.settings_runner"
        self.alive[name] = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], cwd=self.root, env=environment, start_new_session=True
        )

    def kill(self, name: str) -> None:
        """SIGKILL to the process and all its children."""
        process = self.alive.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)

    def kill_all(self) -> None:
        for name in list(self.alive):
            self.kill(name)


@contextmanager
def running(root: Path, database: str, *names: str) -> Iterator[Processes]:
    processes = Processes(root, database)
    try:
        for name in names:
            processes.start(name)
        until_answers(f"http://127.0.0.1:{processes.runner_port}/livez")
        yield processes
    finally:
        processes.kill_all()


def cycle_is(season: Season, number: int, *states: CycleState) -> Callable[[], bool]:
    return lambda: season.cycles.filter(number=number, state__in=states).exists()


def alive(name: str) -> Callable[[], bool]:
    """Whether a process of this name has said so in the last seconds."""
    return lambda: Heartbeat.objects.filter(name=name, at__gt=datetime.now(UTC) - timedelta(seconds=2)).exists()


def dealt_with(season: Season, number: int) -> Callable[[], bool]:
    return cycle_is(season, number, CycleState.CLOSED, CycleState.HELD, CycleState.MISSED)


def either(*conditions: Callable[[], bool]) -> Callable[[], bool]:
    """A machine that stands still for a moment misses a short week, and with it the moment that was waited for."""
    return lambda: any(condition() for condition in conditions)


def test_a_ticker_killed_in_every_phase_of_a_cycle_loses_nothing_and_repeats_nothing(
    own_database: str, repository: Path
) -> None:
    moments = {
        1: lambda season: cycle_is(season, 1, CycleState.BRIEFING, CycleState.ASKING),
        2: lambda season: lambda: Order.objects.filter(cycle_number=2).exists(),
        3: lambda season: cycle_is(season, 3, CycleState.TRADING, CycleState.CLOSING, CycleState.CLOSED),
        4: lambda season: lambda: Cycle.objects.filter(number=4).exists(),
    }
    with running(repository, own_database, "runner") as processes:
        began = time.monotonic()
        processes.start("ticker")
        until(alive("second ticker"), "the ticker")
        # On a machine that has much else to do a ticker that was killed is not back before a short week is over.
        season = quick_season(cycles=5, pace=max(1, math.ceil((time.monotonic() - began) / START_S)))
        struck = 0
        for number, moment in moments.items():
            reached = moment(season)
            until(either(reached, dealt_with(season, number)), f"the chosen moment of cycle {number}, or its end")
            struck += reached()
            processes.kill("ticker")
            assert faults(season) == []
            processes.start("ticker")
        until(dealt_with(season, 5), "the last cycle to end")
        until(lambda: Season.objects.filter(id=season.id, state="closed").exists(), "the season to close")
    assert faults(season) == []
    states = list(season.cycles.order_by("number").values_list("state", flat=True))
    assert len(states) == 5
    assert states.count("closed") >= 2
    assert struck >= 3
