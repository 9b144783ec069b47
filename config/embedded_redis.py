"""The `redis-server` of this machine, or the one `make setup` has fetched, with settings of our own."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import quote

from config.daemons import Daemon, EngineError, socket_folder

SOCKET = "redis.sock"
OLDEST_REDIS = 6  # the client speaks RESP3
NO_REDIS = "There is no redis-server here. Run `make setup`, `apt install redis-server` or `brew install redis`."

# A lost message costs a minute, one evicted in silence is a riddle: append-only file, no eviction.
CONFIGURATION = """\
unixsocket {socket}
unixsocketperm 700
port 0
pidfile redis.pid
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
"""


def daemon(data: Path) -> Daemon:
    """The Redis of the folder `data`."""
    home = data / "redis"
    home.mkdir(exist_ok=True)
    (home / "redis.conf").write_text(CONFIGURATION.format(socket=_quoted(_socket(home))))

    def clear(failed_starts: int) -> None:
        _socket(home).unlink(missing_ok=True)
        if failed_starts == 2:
            _set_log_aside(home)

    return Daemon(
        title="Redis",
        program="redis-server",
        home=home,
        sockets=_socket(home).parent,
        pid_file=home / "redis.pid",
        command=(_program(), "redis.conf"),
        answers=lambda: _answers(home),
        clear=clear,
        stop_signal=signal.SIGTERM,
    )


def url(home: Path, number: int = 0) -> str:
    """The address of database `number`, in the form Celery reads."""
    return f"redis+socket://{quote(str(_socket(home)), safe='/')}?virtual_host={number}"


def _set_log_aside(home: Path) -> None:
    # A cut end is mended by Redis itself; a log damaged in the middle is refused. Its messages were hints.
    for name in ("appendonly.aof", "appendonlydir"):
        if (home / name).exists():
            (home / name).replace(home / f"{name}.damaged")


def _answers(home: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2.0)
        try:
            connection.connect(str(_socket(home)))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _socket(home: Path) -> Path:
    return socket_folder(home, SOCKET) / SOCKET


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@cache
def _program() -> str:
    prefix = Path(sys.prefix)
    on_path = shutil.which("redis-server")
    candidates = (
        on_path,
        str(prefix / "redis" / "bin" / "redis-server"),
        str(prefix / "bin" / "redis-server"),
    )
    for candidate in candidates:
        if candidate and _works(candidate):
            return candidate
    raise EngineError(NO_REDIS)


def _works(program: str) -> bool:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"v=(\d+)\.", answer)
    return version is not None and int(version[1]) >= OLDEST_REDIS
