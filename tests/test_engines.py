"""PostgreSQL and Redis come back from whatever end they had, and what was committed is still there."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured

from config import embedded_postgres, embedded_redis, engines
from config.daemons import Daemon, gone
from tests.support_engines import own_engines_folder, until

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with own_engines_folder() as data:
        engines.start(data, durable=False)
        note(data, "CREATE TABLE kept (number int)")
        yield data


@pytest.fixture
def data(folder: Path) -> Path:
    """A folder whose engines run, with one row and one message more than before."""
    engines.start(folder, durable=False)
    note(folder, "INSERT INTO kept VALUES (1)")
    tell_redis(folder, "RPUSH kept 1")
    return folder


def note(data: Path, statement: str) -> None:
    with psycopg.connect(embedded_postgres.url(data / "postgres"), autocommit=True) as connection:
        connection.execute(statement)


def rows(data: Path) -> int:
    with psycopg.connect(embedded_postgres.url(data / "postgres")) as connection:
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


def tell_redis(data: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(data / "redis" / embedded_redis.SOCKET))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(1024).decode().strip()


def postgres(data: Path) -> Daemon:
    return embedded_postgres.daemon(data)


def postmaster(data: Path) -> psutil.Process:
    process = postgres(data).main_process()
    assert process is not None
    return process


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # the postmaster may have ended its children itself
            process.kill()
    until(lambda: all(map(gone, processes)), "the killed to be gone")


def kill_postmaster(data: Path) -> None:
    kill(postmaster(data))


def kill_its_children(data: Path) -> None:
    kill(*postmaster(data).children())


def kill_all_of_it(data: Path) -> None:
    main = postmaster(data)
    children = main.children()
    kill(main, *children)


def kill_it_while_its_children_are_stuck(data: Path) -> None:
    main = postmaster(data)
    for child in main.children():
        with suppress(psutil.NoSuchProcess):  # some come and go
            child.suspend()
    kill(main)


def answers_again(data: Path) -> bool:
    try:
        return rows(data) >= 0
    except psycopg.OperationalError:  # it is recovering
        return False


@pytest.mark.parametrize(
    "kill_postgres", [kill_postmaster, kill_its_children, kill_all_of_it, kill_it_while_its_children_are_stuck]
)
def test_what_was_committed_survives_the_death_of_postgres(data: Path, kill_postgres: Callable[[Path], None]) -> None:
    before = rows(data)
    kill_postgres(data)
    engines.start(data, durable=False)
    # With its children dead the postmaster recovers on its own time.
    until(lambda: answers_again(data), "PostgreSQL to recover")
    assert rows(data) == before


@pytest.mark.parametrize("remains", ["{stranger}\n/elsewhere\n1\n5432\n/tmp\n\n1 2\nready\n", "12", "", "no number\n"])
def test_a_pid_file_that_lies_does_not_stop_postgres(data: Path, remains: str) -> None:
    before = rows(data)
    kill_all_of_it(data)
    text = remains.format(stranger=os.getpid())
    (data / "postgres" / "postmaster.pid").write_text(text)
    (data / "postgres" / f"{embedded_postgres.SOCKET}.lock").write_text(text)
    engines.start(data, durable=False)
    assert rows(data) == before
    assert postmaster(data).pid != os.getpid()


def test_a_postgres_that_waits_for_its_clients_to_leave_is_hurried_and_started_again(data: Path) -> None:
    before = rows(data)
    old = postmaster(data)
    with psycopg.connect(embedded_postgres.url(data / "postgres")):
        old.terminate()
        pid_file = data / "postgres" / "postmaster.pid"
        until(lambda: "stopping" in pid_file.read_text(), "PostgreSQL to begin its smart shutdown")
        engines.start(data, durable=False)
        assert gone(old)
        assert rows(data) == before


def test_messages_survive_the_death_of_redis(data: Path) -> None:
    before = tell_redis(data, "LLEN kept")
    kill(embedded_redis.daemon(data).main_process())
    engines.start(data, durable=False)
    assert tell_redis(data, "LLEN kept") == before


def append_to_log(data: Path, junk: bytes) -> None:
    kill(embedded_redis.daemon(data).main_process())
    logs = sorted((data / "redis").glob("appendonlydir/*.incr.aof")) or [data / "redis" / "appendonly.aof"]
    with logs[-1].open("ab") as log:
        log.write(junk)


def test_a_log_cut_short_by_a_crash_costs_redis_nothing_else(data: Path) -> None:
    before = tell_redis(data, "LLEN kept")
    append_to_log(data, b"*3\r\n$5\r\nRPUSH\r\n$4\r\nke")
    engines.start(data, durable=False)
    assert tell_redis(data, "LLEN kept") == before


def test_a_damaged_log_is_set_aside_and_redis_starts_empty(data: Path) -> None:
    append_to_log(data, b"garbage\r\n*1\r\n$4\r\nPING\r\n")
    engines.start(data, durable=False)
    assert tell_redis(data, "LLEN kept") == ":0"
    assert list((data / "redis").glob("*.damaged"))


def test_redis_refuses_what_does_not_fit_and_keeps_a_log(data: Path) -> None:
    assert "noeviction" in tell_redis(data, "CONFIG GET maxmemory-policy")
    assert "everysec" in tell_redis(data, "CONFIG GET appendfsync")
    assert "appendonly\r\n$3\r\nyes" in tell_redis(data, "CONFIG GET appendonly")
    assert tell_redis(data, "CONFIG GET port").endswith("\r\n0")


def test_a_second_start_uses_the_engines_that_run(data: Path) -> None:
    before = postmaster(data).pid, embedded_redis.daemon(data).main_process().pid
    engines.start(data, durable=False)
    assert before == (postmaster(data).pid, embedded_redis.daemon(data).main_process().pid)
    assert engines.running(data)


def test_postgres_is_durable_unless_told_otherwise() -> None:
    with own_engines_folder() as data:
        url = engines.start(data).database_url
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_cluster_half_made_by_a_killed_start_is_made_anew() -> None:
    with own_engines_folder() as data:
        half = data / f"{embedded_postgres.DRAFT}half"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
        with psycopg.connect(engines.start(data, durable=False).database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert not half.exists()


def test_a_folder_with_a_long_path_has_its_sockets_elsewhere() -> None:
    with own_engines_folder() as parent:
        data = parent / ("long, and with a \"comma' " * 5)
        found = engines.start(data, durable=False)
        sockets = embedded_postgres.daemon(data).sockets
        try:
            with psycopg.connect(found.database_url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert not sockets.is_relative_to(data)
            assert engines.running(data)
        finally:
            engines.stop(data)
        assert not sockets.exists()


USER = """
import sys
from config import engines
engines.use(sys.argv[1], durable=False)
print("in use", flush=True)
sys.stdin.read()
engines.release(sys.argv[1])
"""


@pytest.fixture
def other_user(data: Path) -> Iterator[subprocess.Popen]:
    """Another process that uses the engines until its standard input is closed."""
    command = [sys.executable, "-c", USER, str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in use\n"
        yield process
        process.kill()


def test_the_last_user_to_leave_stops_the_engines(data: Path, other_user: subprocess.Popen) -> None:
    engines.use(data, durable=False)
    engines.release(data)
    assert engines.running(data)
    other_user.communicate()
    assert not engines.running(data)


def test_a_killed_user_is_no_user(data: Path, other_user: subprocess.Popen) -> None:
    engines.use(data, durable=False)
    other_user.kill()
    other_user.wait()
    engines.release(data)
    assert not engines.running(data)


def test_whoever_does_not_use_the_engines_does_not_stop_them(data: Path) -> None:
    engines.release(data)
    assert engines.running(data)


def test_manage_py_gets_a_database_a_key_and_leaves_what_is_set(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered = []
    monkeypatch.setattr(engines.atexit, "register", lambda *args, **kwargs: registered.append((args, kwargs)))
    environ = {"DATA": str(data), "REDIS_URL": "redis://elsewhere"}
    engines.use_embedded_postgres(environ)
    assert environ["DATABASE_URL"] == embedded_postgres.url(data / "postgres")
    assert environ["REDIS_URL"] == "redis://elsewhere"
    assert len(environ["SECRET_KEY"]) >= 50
    assert registered == [((engines.release, data), {"only_pid": os.getpid()})]
    engines.release(data)


def test_a_kept_secret_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    first = engines.kept_secret(tmp_path, "admin_password")
    assert engines.kept_secret(tmp_path, "admin_password") == first
    assert stat.S_IMODE((tmp_path / "admin_password").stat().st_mode) == 0o600
    assert engines.kept_secret(tmp_path, "secret_key") != first


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImproperlyConfigured, match=r"is a file, not a folder. Choose another with DATA="):
        engines.data_folder(tmp_path / "file")


def test_without_the_packages_one_is_told_what_to_set() -> None:
    code = "import sys; sys.modules['psutil'] = None; sys.argv[1:] = ['check']; import manage; manage.main()"
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    told = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert told.returncode == 1
    assert told.stderr.startswith("Set DATABASE_URL and REDIS_URL: ")
    assert len(told.stderr.splitlines()) == 1


def test_stopping_leaves_no_process(data: Path) -> None:
    main = postmaster(data)
    processes = [main, *main.children(), embedded_redis.daemon(data).main_process()]
    engines.stop(data)
    assert all(map(gone, processes))
    assert postgres(data).stop_signal == signal.SIGINT
