"""The processes of the site, and how they run together: one that ends by itself, or Ctrl-C, ends them all."""

import os
import re
import shlex
import socket
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Printer

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
LAST_LINES = 20
# Web has four threads, and with each a connection to PostgreSQL.
TABLE = {
    "web": """{python} -W ignore::UserWarning:django.core.handlers.base -m granian --interface wsgi --host {host} --port {port} --workers 1 --blocking-threads 4
        --no-ws --log-level warning config.wsgi:application""",
    "worker": """{python} -W ignore::UserWarning:celery.platforms -m celery --quiet --app config.celery worker --pool prefork --concurrency 2
        --without-mingle --without-gossip --loglevel {level}""",
    "beat": """{python} -m celery --quiet --app config.celery beat --schedule {data}/beat-schedule --pidfile=
        --loglevel {level}""",
    "ticker": "{python} manage.py ticker",
    "runner": """{python} -m granian --interface asgi --host {host} --port {runner_port} --workers 1
        --no-ws --log-level warning agents.runner:application""",
}
# What the runner must not hold: it answers for models and needs neither the database nor the site's key.
NOT_FOR_THE_RUNNER = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")


@dataclass(frozen=True)
class Command:
    """One process: what it is called, its arguments and its whole environment."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Death:
    """A process that ended by itself: its exit code, below zero for a signal, and the last it wrote."""

    name: str
    code: int
    last_lines: tuple[str, ...]


def site(environ: Mapping[str, str], *, port: int, data: Path) -> list[Command]:
    """The processes of TABLE with the site's environment; a RUNNER_URL in it says that one runs elsewhere."""
    names = list(TABLE)
    runner_port = _free_port()
    if "RUNNER_URL" in environ:
        names.remove("runner")
    else:
        environ = {**environ, "RUNNER_URL": f"http://{HOST}:{runner_port}"}
    values = {
        "python": sys.executable,
        "host": HOST,
        "port": port,
        "runner_port": runner_port,
        "data": data,
        "level": environ.get("LOG_LEVEL", "INFO"),
    }
    return [
        Command(
            name,
            tuple(word.format_map(values) for word in shlex.split(TABLE[name])),
            _runner_environ(environ) if name == "runner" else environ,
        )
        for name in names
    ]


def run(commands: list[Command], *, on_started: Callable[[], None]) -> Death | None:
    """Run `commands` until one ends by itself, which is returned, or a signal ends all: then None."""
    reporter = _Reporter(on_started)
    manager = _Manager(printer=reporter)
    reporter.manager = manager
    for command in commands:
        line = f"exec {shlex.join(command.argv)}"
        manager.add_process(command.name, line, env=dict(command.environ), cwd=str(ROOT))
    manager.loop()
    return reporter.death


class _Manager(Manager):  # type: ignore[misc]
    def terminate(self) -> None:
        # It cannot end a process whose pid it has not learnt yet; the reporter calls again then.
        if self._all_started():
            super().terminate()


class _Reporter(Printer):  # type: ignore[misc]
    """Prints the lines of the processes; of honcho's own words it prints none and keeps what they tell."""

    def __init__(self, on_started: Callable[[], None]) -> None:
        super().__init__(sys.stdout)
        self.manager: _Manager
        self.death: Death | None = None
        self._on_started: Callable[[], None] | None = on_started
        self._stopping = False
        self._last_lines: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))

    def write(self, message: Any) -> None:
        if message.name == SYSTEM_PRINTER_NAME:
            self._note(message.data.strip())
            return
        text = message.data.decode("utf-8", "replace").rstrip()
        self._last_lines[message.name].append(text)
        if text and not self._stopping:
            super().write(message)

    def _note(self, text: str) -> None:
        if self._on_started is not None:  # by now all are forked, so that threads may be started
            started, self._on_started = self._on_started, None
            started()
        stopped = re.fullmatch(r"(\S+) stopped \(rc=(-?\d+)\)", text)
        if stopped and not self._stopping:
            name, code = stopped[1], int(stopped[2])
            self.death = Death(name, code, tuple(self._last_lines[name]))
        if text.endswith(" received") and not self._stopping:
            os.write(1, b"\nStopping everything.\n")  # not print: a signal handler must not enter a stream twice
        if stopped or text.endswith(" received"):
            self._stopping = True
        if self.manager.returncode is not None:
            self.manager.terminate()


def _runner_environ(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in NOT_FOR_THE_RUNNER}
    return kept | {"DJANGO_SETTINGS_MODULE": "config.settings_runner"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
