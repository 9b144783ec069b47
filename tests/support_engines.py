"""Real engines for a test session, and folders with engines of their own for tests that kill them."""

import atexit
import fcntl
import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from config import engines

PATIENCE_S = 60.0
_session_locks = []  # held until this process ends


def provide_engines(environ: MutableMapping[str, str]) -> None:
    """Name a database and a Redis in `environ` for this session; a worker of it finds them named already.

    Each session has a folder of its own below DATA, so that two may run at a time.
    """
    worker = environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        environ["REDIS_URL"] = environ["REDIS_URL"].replace("virtual_host=0", f"virtual_host={1 + int(worker[2:])}")
    elif not (environ.get("DATABASE_URL") and environ.get("REDIS_URL")):
        data = _free_folder(engines.data_folder(environ.get("DATA")))
        found = engines.use(data, durable=False)
        atexit.register(engines.release, data, only_pid=os.getpid())
        environ["DATABASE_URL"] = environ.get("DATABASE_URL") or found.database_url
        environ["REDIS_URL"] = environ.get("REDIS_URL") or found.redis_url


def _free_folder(parent: Path) -> Path:
    for number in itertools.count(1):
        folder = engines.data_folder(parent / f"test-{number}")
        lock = (folder / "session.lock").open("a")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _session_locks.append(lock)
        return folder
    raise AssertionError("numbers do not end")


@contextmanager
def own_engines_folder() -> Iterator[Path]:
    """A folder with a short path, for engines that are killed in it; nothing of them is left afterwards."""
    data = Path(tempfile.mkdtemp(prefix="oo-", dir="/tmp")).resolve()
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
