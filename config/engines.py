"""A real PostgreSQL and a real Redis under one folder, for the demo, the tests and manage.py.

Both listen on unix sockets only and outlive whoever started them. Everyone who uses a folder holds a shared
lock on it, which the system takes back even from a killed process; the last one to leave stops the engines.
"""

import atexit
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path

from config import embedded_postgres, embedded_redis
from config.daemons import Daemon, EngineError, bring_up, shut_down

ADDRESSES = ("RUNNER_URL", "RUNNER_URLS", "EXCHANGE_DOUBLE")
ADDRESSES_FILE = "runners.json"
_joined: dict[Path, TextIOWrapper] = {}


@dataclass(frozen=True)
class Engines:
    """Where the engines of a folder answer, as DATABASE_URL and REDIS_URL."""

    database_url: str
    redis_url: str


def use_embedded_postgres(environ: MutableMapping[str, str]) -> None:
    """Start the PostgreSQL under DATA if need be, put its address into `environ`, and leave it at exit.

    Redis is only addressed: its messages are hints, and matter while a demo runs it. A missing SECRET_KEY
    becomes the one kept under DATA.
    """
    data = data_folder(environ.get("DATA"))
    engines = use(data, with_redis=False)
    atexit.register(release, data, only_pid=os.getpid())
    environ["DATABASE_URL"] = engines.database_url
    environ.setdefault("REDIS_URL", engines.redis_url)
    environ.setdefault("SECRET_KEY", kept_secret(data, "secret_key"))
    addresses = _kept_addresses(data)
    if "EXCHANGE_DOUBLE" in addresses and "EXCHANGE_DOUBLE" not in environ:
        environ.update(double_keys(data))  # a real account's keys are none of the double's business
    for name, address in addresses.items():
        environ.setdefault(name, address)


def keep_addresses(data: Path, environ: Mapping[str, str]) -> None:
    """Note where the runners of the site on this folder are, for commands that are given beside it."""
    addresses = {name: environ[name] for name in ADDRESSES if name in environ}
    (data / ADDRESSES_FILE).write_text(json.dumps(addresses))


def _kept_addresses(data: Path) -> dict[str, str]:
    try:
        return dict(json.loads((data / ADDRESSES_FILE).read_text()))
    except (OSError, ValueError):
        return {}  # no site has run here yet, or it was killed in writing; the settings have a default


def use(data: Path, *, durable: bool = True, with_redis: bool = True) -> Engines:
    """`start`, and count as a user of `data` until `release`, or until this process ends in whatever way."""
    data = data_folder(data)
    with _alone(data):
        if data not in _joined:
            _joined[data] = (data / "engines.users").open("a+")
            fcntl.lockf(_joined[data], fcntl.LOCK_SH)
        return _start(data, durable=durable, with_redis=with_redis)


def release(data: Path, *, only_pid: int | None = None) -> None:
    """Stop using `data`; stop its engines if nobody else uses them. Does nothing in a fork of `only_pid`."""
    data = data_folder(data)
    if data not in _joined or only_pid not in (None, os.getpid()):
        return
    with _alone(data), _joined.pop(data) as users:
        try:
            fcntl.lockf(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _stop(data)


def start(data: Path, *, durable: bool = True) -> Engines:
    """Bring up whichever engine of `data` is down, after whatever end it had. Raises EngineError.

    `durable=False` trades what a power failure would cost for speed: for tests.
    """
    data = data_folder(data)
    with _alone(data):
        return _start(data, durable=durable, with_redis=True)


def stop(data: Path) -> None:
    """Stop the engines of `data`, whoever uses them, and return when they are gone."""
    data = data_folder(data)
    with _alone(data):
        _stop(data)


def running(data: Path) -> bool:
    """Whether both engines of `data` run, for a frequent look: it does not ask them."""
    return all(daemon.main_process() is not None for daemon in daemons(data))


def daemons(data: Path) -> tuple[Daemon, Daemon]:
    """PostgreSQL and Redis of `data`, whether they run or not."""
    return embedded_postgres.daemon(data), embedded_redis.daemon(data)


def data_folder(path: str | Path | None) -> Path:
    """The folder DATA as an absolute path, made if missing. Raises EngineError if it cannot be one."""
    data = Path(path or Path(__file__).parent.parent / ".data").expanduser().resolve()
    try:
        data.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise EngineError(f"{data} is a file, not a folder. Choose another with DATA=...") from None
    except OSError as error:
        raise EngineError(f"{data} cannot be used: {error.strerror}. Choose another with DATA=...") from None
    return data


def double_keys(data: Path) -> dict[str, str]:
    """Keys of the account at the exchange double of this folder, made up here, in the form that exchange keys have."""
    names = {"BINANCE_API_KEY": "exchange_key", "BINANCE_API_SECRET": "exchange_secret"}
    return {name: sha256(kept_secret(data, kept).encode()).hexdigest() for name, kept in names.items()}


def kept_secret(data: Path, name: str, *, random_bytes: int = 40) -> str:
    """The random text kept in the file `name` of `data`, readable by its owner only; made the first time."""
    path = data / name
    with _alone(data):
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(random_bytes))
            draft.rename(path)  # whole or not there, also after a kill in between
        return path.read_text()


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    # lockf and not flock: a record lock is the process's own, so no fork keeps it alive.
    with (data / "engines.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def _start(data: Path, *, durable: bool, with_redis: bool) -> Engines:
    postgres = embedded_postgres.daemon(data, durable=durable)
    embedded_postgres.init_cluster(postgres)
    bring_up(postgres)
    embedded_postgres.create_database(postgres.home)
    if with_redis:
        bring_up(embedded_redis.daemon(data))
    return Engines(embedded_postgres.url(postgres.home), embedded_redis.url(data / "redis"))


def _stop(data: Path) -> None:
    if (data / "redis").is_dir():
        shut_down(embedded_redis.daemon(data))
    if (data / "postgres").is_dir():
        shut_down(embedded_postgres.daemon(data))
