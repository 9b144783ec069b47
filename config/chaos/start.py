"""Starts a run in a folder of its own, with engines of its own, and leaves nothing of it running."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, lockf
from pathlib import Path
from typing import Any

from competition.core.reliability import RunKind, RunResult
from config import engines
from config.daemons import end, marked
from config.demo import DEMO_SETTINGS, MARK
from config.processes import EXCHANGE_SEASON, ROOT, free_ports

TICK_EVERY_S = "0.5"
EXCHANGE = ROOT / "tests" / "venue" / "__main__.py"


class NotPlayed(Exception):
    """A run could not be begun or did not come to its end; the message says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for. See `config.chaos.play.Plan`."""

    minutes: float
    seed: int
    wait_for_orders: bool


def run(wanted: Wanted, data: Path, tell: Callable[[str], None]) -> RunResult:
    """Play a run below `data`, and hand on what it tells line by line. Raises `NotPlayed`.

    The folder stays where something did not hold, with what every process has said.
    """
    if not EXCHANGE.exists():
        raise NotPlayed("There is no exchange double in this installation: it is in tests/venue of a checkout.")
    with _own_folder(data / "chaos") as folder:
        result = _played(wanted, folder, tell)
    if result.findings:
        tell(f"What the processes said is in {folder / 'logs'}")
    else:
        shutil.rmtree(folder)
    return result


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """An empty folder, with nobody of an earlier run in it, and nobody of this one afterwards."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        try:
            lockf(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise NotPlayed(f"A run is under way in {folder}; wait for its end, or choose DATA=...") from None
        _end_all(folder)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield engines.data_folder(folder)
        finally:
            _end_all(folder)


def _end_all(folder: Path) -> None:
    """End what runs in a folder; what is frozen first hears of nothing else."""
    end(marked(MARK, str(folder)), (signal.SIGKILL, 10.0))
    if folder.is_dir():
        for engine in engines.daemons(folder):
            main = engine.main_process()
            for one in (main, *main.children(recursive=True)) if main else ():
                one.send_signal(signal.SIGCONT)
        engines.stop(folder)


def _played(wanted: Wanted, folder: Path, tell: Callable[[str], None]) -> RunResult:
    plan, result = folder / "plan.json", folder / "result.json"
    asked = {"seed": wanted.seed, "minutes": wanted.minutes, "wait_for_orders": wanted.wait_for_orders}
    plan.write_text(json.dumps({**asked, "data": str(folder), "port": free_ports(1)[0]}))
    argv = [sys.executable, "-W", "ignore", "-m", "config.chaos", str(plan), str(result)]
    with subprocess.Popen(
        argv, cwd=ROOT, env=_environ(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as player:
        assert player.stdout
        assert player.stderr
        for line in player.stdout:
            tell(line.rstrip("\n"))
        last_words = player.stderr.read().strip()
    if player.returncode or not result.exists():
        raise NotPlayed(f"The run broke off: {last_words or player.returncode}")
    return _result(json.loads(result.read_text()))


def _result(told: Mapping[str, Any]) -> RunResult:
    return RunResult(
        RunKind.CHAOS,
        told["seed"],
        datetime.fromisoformat(told["started_at"]),
        datetime.fromisoformat(told["ended_at"]),
        told["counts"],
        told["faults"],
        tuple(told["findings"]),
    )


def _environ(folder: Path) -> dict[str, str]:
    """The environment of the site under faults: engines, keys and an exchange of its own, and none of ours."""
    found = engines.start(folder)
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "HOME") if name in os.environ}
    return {
        **kept,
        **DEMO_SETTINGS,
        **engines.double_keys(folder),
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "SECRET_KEY": engines.kept_secret(folder, "secret_key"),
        "DATA": str(folder),
        MARK: str(folder),
        EXCHANGE_SEASON: str(folder / "exchange-season.json"),
        "TICK_EVERY_S": TICK_EVERY_S,
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
