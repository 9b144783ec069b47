"""The processes of the site, and how they run together: one that ends by itself, or Ctrl-C, ends them all."""

import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Process

from agents.core.providers import KEY_VARIABLES

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
LAST_LINES = 20
END_WITHIN_S = 5.0
# Web has four threads, and with each a connection to PostgreSQL.
TABLE = {
    "web": """{python} -W ignore::UserWarning:django.core.handlers.base -m granian --interface wsgi
        --host {host} --port {port} --workers 1 --blocking-threads 4 --no-ws --http1-header-read-timeout 10000
        --workers-kill-timeout 2
        --respawn-failed-workers --log-level warning config.wsgi:application""",
    "worker": """{python} -W ignore::UserWarning:celery.platforms -m celery --quiet --app config.celery worker
        --queues celery,market --pool prefork --concurrency 2 --without-mingle --without-gossip --loglevel {level}""",
    "asker": """{python} -W ignore::UserWarning:celery.platforms -m celery --quiet --app config.celery worker
        --queues ask --pool threads --concurrency 8 --without-mingle --without-gossip --loglevel {level}
        --hostname asker@%h""",
    "backtester": """{python} -W ignore::UserWarning:celery.platforms -m celery --quiet --app config.celery worker
        --queues backtest --pool prefork --concurrency 1 --without-mingle --without-gossip --loglevel {level}
        --hostname backtester@%h""",
    "beat": "{python} -m celery --quiet --app config.celery beat --pidfile= --loglevel {level}",
    "ticker": "{python} manage.py ticker",
    "runner": """{python} -m granian --interface asgi --host {host} --port {runner_port} --workers 1
        --no-ws --workers-kill-timeout 2 --respawn-failed-workers --log-level warning agents.runner:application""",
    "example": "{python} docs/example_agent.py {example_port}",
    "exchange": """{python} -m tests.venue --port {exchange_port} --state {data}/exchange.json
        --season {exchange_season}""",
}
EXAMPLE_AGENT = "plain-example"  # the demo's contestant in plain Python, with a runner of its own
OURS_TO_ASK = ("runner", "example")
# What the runner must not hold: it answers for models and needs neither database, site key nor exchange keys.
NOT_FOR_THE_RUNNER = (
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "RUNNER_URL", "RUNNER_URLS"),
    *("EXCHANGE_DOUBLE", "EXCHANGE_SEASON"),
)
EXCHANGE_SEASON = "EXCHANGE_SEASON"  # set by a demo that has an exchange double: the file with that season's rules
EXCHANGE_KEYS = ("BINANCE_API_KEY", "BINANCE_API_SECRET")
EXECUTOR = "worker"  # who carries out orders, and so the only one of the site that holds the keys of the exchange
MODEL_KEYS = frozenset(name for names in KEY_VARIABLES.values() for name in names)
FOR_A_STRANGER = ("PATH", "LANG", "PYTHONUNBUFFERED", "OPEN_OUTCRY_DEMO")


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
    runner_port, example_port, exchange_port = free_ports(3)
    if EXCHANGE_SEASON in environ:
        environ = {**environ, "EXCHANGE_DOUBLE": f"http://{HOST}:{exchange_port}"}
    else:
        names.remove("exchange")
    if "RUNNER_URL" in environ:
        names = [name for name in names if name not in OURS_TO_ASK]
    else:
        example = f"{EXAMPLE_AGENT}=http://{HOST}:{example_port}"
        others = ",".join(filter(None, [environ.get("RUNNER_URLS"), example]))
        environ = {**environ, "RUNNER_URL": f"http://{HOST}:{runner_port}", "RUNNER_URLS": others}
    values = {
        "python": sys.executable,
        "host": HOST,
        "port": port,
        "runner_port": runner_port,
        "example_port": example_port,
        "exchange_port": exchange_port,
        "exchange_season": environ.get(EXCHANGE_SEASON, ""),
        "data": data,
        "level": environ.get("LOG_LEVEL", "INFO"),
    }
    return [
        Command(
            name,
            tuple(word.format_map(values) for word in shlex.split(TABLE[name])),
            _environ_of(name, environ),
        )
        for name in names
    ]


def run(commands: list[Command], may_follow: Callable[[], bool] = lambda: True) -> Death | None:
    """Run `commands` until one ends by itself, which is returned, or a signal to stop ends all: then None.

    The first is started at once, the others when `may_follow` says so: all at once they would make each other wait.
    """
    return _Crew(commands).work(may_follow)


def on_stop_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Let `handler` meet Ctrl-C, a plain kill and, but for nohup, the end of the terminal."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, handler)


class _Crew:
    """The running processes. honcho starts and reads each in a thread; here it is decided when all must end."""

    def __init__(self, commands: list[Command]) -> None:
        self.events: SimpleQueue[Any] = SimpleQueue()  # of honcho's messages, and None for a signal
        self.printer = Printer(sys.stdout, width=max(len(command.name) for command in commands))
        self.last_lines: dict[str, deque[str]] = {}
        self.waiting: dict[str, Process] = {}  # those that have not been started
        self.members: dict[str, Process] = {}  # those that have, and have not ended
        self.first_dead: tuple[str, int] | None = None
        self.kill_at: float | None = None  # set once they have been asked to end
        for command, colour in zip(commands, get_colours(), strict=False):
            line, environ = f"exec {shlex.join(command.argv)}", dict(command.environ)
            self.waiting[command.name] = Process(line, command.name, colour, env=environ, cwd=str(ROOT))
            self.last_lines[command.name] = deque(maxlen=LAST_LINES)

    def work(self, may_follow: Callable[[], bool]) -> Death | None:
        on_stop_signals(lambda *_: self.events.put(None))
        try:
            self._start(list(self.waiting)[:1])
            while self.members:
                if self.waiting and may_follow():
                    self._start(list(self.waiting))
                with suppress(Empty):
                    self._take(self.events.get(timeout=0.2))
                self._look()
        except BaseException:  # a terminal that has been closed, say: nobody may be left behind
            self._kill_all()
            raise
        if self.first_dead is None:
            return None
        name, code = self.first_dead
        return Death(name, code, tuple(self.last_lines[name]))

    def _start(self, names: list[str]) -> None:
        for name in names:
            self.members[name] = member = self.waiting.pop(name)
            threading.Thread(target=self._live, args=(member,), daemon=True).start()

    def _live(self, member: Process) -> None:
        try:
            member.run(self.events)
        except OSError as error:  # the system could not start it
            self.last_lines[member.name].append(str(error))
            self.events.put(Message("stop", {"returncode": 127}, None, member.name, None))

    def _take(self, message: Any) -> None:
        if message is None:
            self._end_all(print_it=True)
        elif message.type == "line":
            self._print(message)
        elif message.type == "start" and self.kill_at is not None:
            self.members[message.name]._child.terminate()
        elif message.type == "stop":
            del self.members[message.name]
            self._mourn(message.name, message.data["returncode"])

    def _look(self) -> None:
        """Notice a dead process whose own children still hold its output open, and one that will not end."""
        for name, member in self.members.items():
            code = member._child and member._child.poll()
            if code is not None:
                self._mourn(name, code)
                _kill_group(member)
        if self.kill_at is not None and time.monotonic() > self.kill_at:
            self._kill_all()

    def _mourn(self, name: str, code: int) -> None:
        if self.kill_at is None:
            self.first_dead = (name, code)
        self._end_all()

    def _end_all(self, *, print_it: bool = False) -> None:
        if self.kill_at is not None:
            return
        self.kill_at = time.monotonic() + END_WITHIN_S
        self.waiting.clear()
        if print_it:
            print("\nStopping everything", flush=True)  # noqa: T201
        for member in self.members.values():
            if member._child is not None:
                member._child.terminate()  # its head only, which knows best how to end its own

    def _kill_all(self) -> None:
        for member in self.members.values():
            if member._child is not None:
                _kill_group(member)

    def _print(self, message: Any) -> None:
        text = message.data.decode("utf-8", "replace").rstrip()
        self.last_lines[message.name].append(text)
        if text and self.kill_at is None:
            self.printer.write(message)


def _kill_group(member: Process) -> None:
    with suppress(ProcessLookupError):  # it was quicker
        os.killpg(member._child.pid, signal.SIGKILL)


def _environ_of(process: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What each may hold: keys of models are the runner's alone, those of the exchange the executor's, and the example
    and the exchange double are strangers in the house, the latter with the keys that it knows its customer by."""
    if process == "example":
        return {name: environ[name] for name in FOR_A_STRANGER if name in environ}
    if process == "exchange":
        return {name: environ[name] for name in (*FOR_A_STRANGER, *EXCHANGE_KEYS) if name in environ}
    if process != EXECUTOR:
        environ = {name: value for name, value in environ.items() if name not in EXCHANGE_KEYS}
    if process == "runner":
        kept = {name: value for name, value in environ.items() if name not in NOT_FOR_THE_RUNNER}
        return kept | {"DJANGO_SETTINGS_MODULE": "config.settings_runner"}
    return {name: value for name, value in environ.items() if name not in MODEL_KEYS}


def free_ports(count: int) -> list[int]:
    """So many different ports that are free now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
