"""The processes of the site, each in a group of its own, to be killed, frozen and started again."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from config.processes import ROOT, Command, site

# By the name it has here: the one it has among the processes of the site.
ROLES = {
    "ticker": "ticker",
    "third ticker": "ticker",
    "beat": "beat",
    "executor": "worker",
    "orchestrator": "asker",
    "runner": "runner",
    "exchange": "exchange",
    "web": "web",
}
GONE_WITHIN_S = 20


def commands(environ: Mapping[str, str], port: int, data: Path) -> dict[str, Command]:
    """The site's own processes, as `make demo` starts them, and one more ticker."""
    known = {command.name: command for command in site(environ, port=port, data=data)}
    found = {name: replace(known[role], name=name) for name, role in ROLES.items()}
    third = found["third ticker"]
    return found | {third.name: replace(third, argv=(*third.argv, "--name", third.name))}


class Crew:
    """Who runs. What each says goes to a file of its own under `logs`."""

    def __init__(self, commands: Mapping[str, Command], logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.commands = commands
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a process, unless it runs."""
        if self.runs(name):
            return
        command = self.commands[name]
        with (self._logs / f"{name.replace(' ', '-')}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command.argv,
                env=dict(command.environ),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def runs(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL to the process and all its children."""
        process = self._running.pop(name, None)
        if process is None:
            return
        for one in (*_children(process.pid), *_self(process.pid)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        with suppress(ProcessLookupError):  # who was born since
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=GONE_WITHIN_S)

    def kill_child(self, name: str) -> bool:
        """SIGKILL to the youngest child of a process; False if it has none now."""
        process = self._running.get(name)
        children = _children(process.pid) if process else ()
        for child in children[-1:]:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return bool(children)

    def signal_all(self, name: str, signum: signal.Signals) -> None:
        """A signal to a process and all its children, parents first; nothing if it does not run."""
        if self.runs(name):
            with suppress(ProcessLookupError):
                os.killpg(self._running[name].pid, signum)

    def start_the_ended(self) -> Sequence[str]:
        """Start again who has ended by itself, as the composition does; returns their names."""
        ended = [name for name, process in self._running.items() if process.poll() is not None]
        for name in ended:
            self.start(name)
        return ended

    def kill_all(self) -> None:
        for name in list(self._running):
            self.kill(name)


def signal_engine(main: psutil.Process | None, signum: signal.Signals) -> None:
    """A signal to the main process of an engine and to all its children; nothing if it is down."""
    for one in (main, *_children(main.pid)) if main else ():
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signum)


def _children(pid: int) -> Sequence[psutil.Process]:
    """All descendants, oldest first."""
    try:
        return sorted(psutil.Process(pid).children(recursive=True), key=lambda one: one.create_time())
    except psutil.NoSuchProcess:
        return ()


def _self(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        yield psutil.Process(pid)
