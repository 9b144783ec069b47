"""Real engines for a test session, and folders with engines of their own for tests that kill them.

They lie in memory where there is plenty. A database is a thousand files, and a copy of it costs 0.03 s of CPU there; on
a disk whose file system is slow to take up again what was just deleted it costs up to 0.8 s.
"""

import atexit
import fcntl
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from config import engines

PATIENCE_S = 60.0
MEMORY = Path("/dev/shm")
PLENTY_BYTES = 2 * 1024**3
_session_locks = []  # held until this process ends


def provide_engines(environ: MutableMapping[str, str]) -> None:
    """Name a database and a Redis in `environ` for this session; a worker of it finds them named already.

    Each session has a folder of its own, so that two may run at a time. In memory nothing is left of it afterwards.
    """
    worker = environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        environ["REDIS_URL"] = environ["REDIS_URL"].replace("virtual_host=0", f"virtual_host={1 + int(worker[2:])}")
    elif not (environ.get("DATABASE_URL") and environ.get("REDIS_URL")):
        data = _free_folder(_parent(engines.data_folder(environ.get("DATA"))))
        found = engines.use(data, durable=False)
        atexit.register(_leave, data, only_pid=os.getpid())
        environ["DATABASE_URL"] = environ.get("DATABASE_URL") or found.database_url
        environ["REDIS_URL"] = environ.get("REDIS_URL") or found.redis_url


def _parent(data: Path) -> Path:
    """`data`, or what stands for it in memory."""
    if not _memory_is_plenty():
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return engines.data_folder(MEMORY / f"open-outcry-{os.geteuid()}-{name}")


def _memory_is_plenty() -> bool:
    try:
        room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:
        return False
    return room >= PLENTY_BYTES and os.access(MEMORY, os.W_OK)


def _free_folder(parent: Path) -> Path:
    for number in itertools.count(1):
        folder = parent / f"test-{number}"
        lock = folder.with_suffix(".lock").open("a")  # beside it, so that whoever holds it may remove the folder
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _session_locks.append(lock)
        return engines.data_folder(folder)
    raise AssertionError("numbers do not end")


def _leave(data: Path, *, only_pid: int) -> None:
    if os.getpid() != only_pid:
        return
    engines.release(data)
    if MEMORY in data.parents and not any(daemon.main_process() for daemon in engines.daemons(data)):
        shutil.rmtree(data)


@contextmanager
def own_engines_folder() -> Iterator[Path]:
    """A folder with a short path, for engines that are killed in it; nothing of them is left afterwards."""
    data = Path(tempfile.mkdtemp(prefix="oo-", dir=MEMORY if _memory_is_plenty() else "/tmp")).resolve()
    try:
        yield data
    finally:
        engines.stop(data)
        shutil.rmtree(data)


def until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not in good time."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        threading.Event().wait(0.02)
