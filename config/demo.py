"""`make demo` and `make run`: everything from one command, and everything gone after Ctrl-C.

Whatever a kill -9 leaves is met at the next start: the dead hold no locks, their children are found by the
mark in their environment and ended, and engines that live are used on.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, lockf
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.processes import EXCHANGE_SEASON, HOST, ROOT, Command, Death, on_stop_signals, run, site

MARK = "OPEN_OUTCRY_DEMO"  # in the environment of all that a demo starts: the folder it works in
ANSWERS_WITHIN_S = 120.0  # the first time, nothing is compiled yet
LOOK_EVERY_S = 1.0
# The running season's week lasts one minute, so a day of it is over a thousand weeks' worth of (simulated) calls.
DEMO_SETTINGS = {"TICK_EVERY_S": "2", "DAILY_TOKEN_BUDGET": "100000000", "USD_PER_AGENT_DAY_MAX": "200"}
PAPER, EXCHANGE_DOUBLE = "paper", "exchange-double"  # what BROKER may be in a demo
REQUIRED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")


class StartError(Exception):
    """The site cannot be started, or not be kept up. The message says what to do."""


def main(mode: str) -> None:
    """Start the site: `demo` with engines and seasons of its own, `run` with what the environment names."""
    on_stop_signals(signal.default_int_handler)
    try:
        sys.exit({"demo": _demo, "run": _run}[mode]())
    except (StartError, ImproperlyConfigured) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(0)  # as after Ctrl-C later on: it is how one stops it


def _demo() -> int:
    from config import engines

    data = engines.data_folder(os.environ.get("DATA"))
    port, broker = _port(os.environ), _broker(os.environ)
    with _only_demo_in(data, f"http://{HOST}:{port}/"):
        _end_left_overs(data)
        _check_free(port)
        try:
            return _demo_with_engines(data, port, broker)
        finally:
            on_stop_signals(signal.SIG_IGN)
            _end_left_overs(data, quietly=True)
            engines.release(data)


def _demo_with_engines(data: Path, port: int, broker: str) -> int:
    from config import engines

    def keep_engines_up() -> None:
        if not engines.running(data):
            _say("PostgreSQL or Redis is gone; starting it again")
            engines.start(data)

    if os.environ.get("DATABASE_URL"):
        _say("DATABASE_URL is set, but the demo keeps to a database of its own")
    _say("Starting PostgreSQL and Redis")
    found = engines.use(data)
    environ = {
        **os.environ,
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "DATA": str(data),
        MARK: str(data),
    }
    environ.setdefault("SECRET_KEY", engines.kept_secret(data, "secret_key"))
    for name, value in DEMO_SETTINGS.items():
        environ.setdefault(name, value)
    for name in ("RUNNER_URL", EXCHANGE_SEASON):
        environ.pop(name, None)
    if broker == EXCHANGE_DOUBLE:
        environ |= {EXCHANGE_SEASON: str(data / "exchange-season.json"), **engines.double_keys(data)}
    _prepare("demo", environ)
    password = engines.kept_secret(data, "admin_password")
    return _serve(environ, port, data, _demo_greeting(port, data, environ, password), keep_engines_up)


def _run() -> int:
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if missing:
        raise StartError(f"Set {' and '.join(missing)} in the environment; .env.example says what they are.")
    port = _port(os.environ)
    _check_free(port)
    data = Path(os.environ.get("DATA") or ROOT / ".data").resolve()
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "is a file, not a folder" if data.is_file() else f"cannot be used: {error.strerror}"
        raise StartError(f"{data} {why}. Choose another with DATA=...") from None
    _prepare("run", os.environ)
    environ = {**os.environ, "COLLECTED": "true"}
    return _serve(environ, port, data, f"Open Outcry runs at http://{HOST}:{port}/. Ctrl-C stops it.", lambda: None)


def _serve(environ: Mapping[str, str], port: int, data: Path, greeting: str, look: Callable[[], None]) -> int:
    environ = {**environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONUNBUFFERED": "1"}
    trouble: list[str] = []
    stopping, answers = threading.Event(), threading.Event()
    watch = threading.Thread(target=_watch, args=(stopping, answers, port, greeting, look, trouble))
    commands = site(environ, port=port, data=data)
    first, *others = [command.name for command in commands]
    _say(f"Starting {first}, then {', '.join(others)}")
    watch.start()
    try:
        _keep_addresses(data, commands)
        death = run(commands, may_follow=answers.is_set)
    finally:
        on_stop_signals(signal.SIG_IGN)
        stopping.set()
        watch.join()
    if trouble:
        raise StartError(trouble[0])
    if death is not None:
        raise StartError(_obituary(death))
    return 0


def _keep_addresses(data: Path, commands: list[Command]) -> None:
    """So that manage.py beside a demo finds the runners; in `run` the environment says where they are."""
    if MARK in commands[0].environ:
        from config import engines

        engines.keep_addresses(data, commands[0].environ)


def _watch(
    stopping: threading.Event,
    answers: threading.Event,
    port: int,
    greeting: str,
    look: Callable[[], None],
    trouble: list[str],
) -> None:
    """Greet and set `answers` once the site does, then `look` after the rest. On trouble, note it and end the site."""
    try:
        _wait_for_answer(stopping, port)
        if not stopping.is_set():
            print(greeting, flush=True)  # noqa: T201
            answers.set()
        while not stopping.wait(LOOK_EVERY_S):
            look()
    except (StartError, ImproperlyConfigured) as error:
        trouble.append(str(error))
        os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_answer(stopping: threading.Event, port: int) -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while not stopping.wait(0.05):
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except (OSError, http.client.HTTPException):
            pass  # not yet
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise StartError(
                f"The site does not answer on /livez after {ANSWERS_WITHIN_S:.0f} s; its lines above say why."
            )


def _prepare(mode: str, environ: Mapping[str, str]) -> None:
    environ = {**environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    code = subprocess.run([sys.executable, "-m", "config.prepare", mode], env=environ, cwd=ROOT).returncode
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    if code:
        sys.exit(1)  # it has said why


@contextmanager
def _only_demo_in(data: Path, address: str) -> Iterator[None]:
    # lockf and not flock: a record lock is this process's own, so that no orphan keeps it.
    with (data / "demo.lock").open("a+") as lock:
        try:
            lockf(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            where = lock.read().strip()
            message = f"A demo already runs on {data}, at {where}. Stop it there with Ctrl-C, or choose DATA=..."
            raise StartError(message) from None
        lock.truncate(0)
        lock.write(address)
        lock.flush()
        yield


def _end_left_overs(data: Path, *, quietly: bool = False) -> None:
    from config.daemons import end, marked

    left_overs = marked(MARK, str(data))
    if left_overs and not quietly:
        _say(f"Ending {len(left_overs)} processes that an earlier demo has left")
    end(left_overs, (signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise StartError(f"PORT must be a number from 1 to 65535, not {text}.")
    return int(text)


def _broker(environ: Mapping[str, str]) -> str:
    broker = environ.get("BROKER") or PAPER
    if broker not in (PAPER, EXCHANGE_DOUBLE):
        raise StartError(f"BROKER must be {PAPER} or {EXCHANGE_DOUBLE}, not {broker}.")
    if broker == EXCHANGE_DOUBLE and environ.get("MARKET_DATA") == "binance":
        raise StartError(
            "BROKER=exchange-double and MARKET_DATA=binance do not go together: a made-up exchange has no real market."
        )
    return broker


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise StartError(f"Port {port} is reserved for root; choose another with PORT=...") from None
        except OSError:
            raise StartError(f"Port {port} is in use; choose another with PORT=...") from None


def _obituary(death: Death) -> str:
    how = f"was killed by signal {-death.code}" if death.code < 0 else f"ended with exit code {death.code}"
    lines = "".join(f"\n  {line}" for line in death.last_lines) or "\n  (none)"
    return f"{death.name} {how}, so everything was stopped. The last lines it wrote:{lines}"


def _demo_greeting(port: int, data: Path, environ: Mapping[str, str], password: str) -> str:
    address = f"http://{HOST}:{port}"
    admin = environ.get("ADMIN_PATH", "admin/")
    return f"""
  +----------------------------------------------------------------------------
  | Open Outcry runs at {address}/
  |
  | /          the leaderboard, with a link to each entry and cycle
  | /status/   the heartbeat, and when the next week of the running season ends
  | /{admin:<9} as user admin, password {password}{_of_the_exchange(environ)}
  |
  | Ctrl-C stops everything; `make demo` goes on from there. All data is in
  | {data}
  +----------------------------------------------------------------------------
"""


def _of_the_exchange(environ: Mapping[str, str]) -> str:
    if EXCHANGE_SEASON not in environ:
        return ""
    return """
  |
  | One season's orders go to a simulated exchange, a process of its own here.
  | `.venv/bin/python manage.py reconcile` compares its account with our ledgers"""


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
