"""From a bare machine to a running site: the interpreter is found, one demo owns a folder, and all end together."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from competition.core.schedule import market_time
from competition.services.demo import exchange_rules
from config.daemons import end, gone, marked
from config.engines import double_keys
from config.processes import EXCHANGE_SEASON, site
from market.core.candles import from_ms
from market.core.canonical import canonical_json
from market.synthetic import synthetic_candles
from portfolio.testnet import Keys, Testnet
from tests.support_engines import until

ROOT = settings.BASE_DIR
SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"
TOO_OLD = "#!/bin/sh\nexit 0\n"  # as a real one: it prints no path, because its version does not suit


def python(path: str, version: int) -> str:
    """A program that answers find-python's two questions as an interpreter of that version would."""
    return f'#!/bin/sh\ncase "$2" in *hexversion*) echo {version} ;; *) echo {path} ;; esac\n'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine without any Python: `bin` is its PATH, `home` its home."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    return tmp_path


def install(path: Path, program: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(program)
    path.chmod(0o755)


def find_python(machine: Path, **environ: str) -> subprocess.CompletedProcess:
    environ = {"PATH": str(machine / "bin"), "HOME": str(machine / "home"), **environ}
    return subprocess.run([ROOT / "bin" / "find-python"], env=environ, capture_output=True, text=True)


def test_the_newest_python_on_the_path_is_found(machine: Path) -> None:
    install(machine / "bin" / "python3", python("/opt/three", 1))
    install(machine / "bin" / "python3.12", python("/opt/twelve", 1))
    assert find_python(machine).stdout == "/opt/twelve\n"


def test_a_shim_that_fails_and_a_python_too_old_are_none(machine: Path) -> None:
    install(machine / "bin" / "python3.13", SHIM)
    install(machine / "bin" / "python3.12", TOO_OLD)
    install(machine / "bin" / "python", python("/opt/plain", 1))
    assert find_python(machine).stdout == "/opt/plain\n"


def test_the_newest_of_pyenv_is_found_when_the_path_has_none(machine: Path) -> None:
    install(machine / "bin" / "python3.13", SHIM)
    for version, number in (("3.9.1", 9), ("3.13.0", 13), ("3.12.7", 12)):
        install(machine / "home" / ".pyenv" / "versions" / version / "bin" / "python", python(f"/{version}", number))
    assert find_python(machine).stdout == "/3.13.0\n"


def test_a_pyenv_that_only_its_shims_on_the_path_tell_of_is_found(machine: Path) -> None:
    root = machine / "elsewhere"
    install(root / "shims" / "python3", SHIM)
    install(root / "versions" / "3.13.0" / "bin" / "python", python("/3.13.0", 1))
    assert find_python(machine, PATH=str(root / "shims")).stdout == "/3.13.0\n"


def test_a_python_of_uv_is_the_last_resort(machine: Path) -> None:
    install(machine / "uv-python", python("/uv/python", 1))
    install(machine / "bin" / "uv", f"#!/bin/sh\necho {machine / 'uv-python'}\n")
    assert find_python(machine).stdout == "/uv/python\n"


def test_a_python_that_is_named_is_taken_before_all_others(machine: Path) -> None:
    install(machine / "bin" / "python3.13", python("/opt/thirteen", 1))
    install(machine / "mine", python("/mine", 1))
    assert find_python(machine, PYTHON=str(machine / "mine")).stdout == "/mine\n"


@pytest.mark.parametrize("environ", [{}, {"PYTHON": "/no/such/python"}])
def test_without_a_python_there_is_one_sentence_and_no_path(machine: Path, environ: dict[str, str]) -> None:
    install(machine / "bin" / "python3", TOO_OLD)
    found = find_python(machine, **environ)
    assert (found.returncode, found.stdout) == (1, "")
    assert re.fullmatch(r"[^\n]*3\.12 to 3\.14[^\n]*\.\n", found.stderr)


def test_the_real_python_is_found_on_this_machine() -> None:
    environ = {**os.environ, "PYTHON": sys.executable}
    found = subprocess.run([ROOT / "bin" / "find-python"], env=environ, capture_output=True, text=True)
    assert Path(found.stdout.strip()).samefile(sys.executable)


def start(mode: str, **environ: str) -> subprocess.CompletedProcess:
    """What `make demo` or `make run` says when it refuses."""
    wanted = {**os.environ, **environ}
    return subprocess.run(
        [sys.executable, "-m", "config.demo", mode], cwd=ROOT, env=wanted, capture_output=True, text=True, timeout=60
    )


def test_a_second_demo_on_the_same_folder_says_where_the_first_one_is(tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        lock.write("http://127.0.0.1:4321/")
        lock.flush()
        refused = start("demo", DATA=str(tmp_path))
    assert refused.returncode == 1
    assert f"A demo already runs on {tmp_path}, at http://127.0.0.1:4321/." in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "postgres").exists()


def test_a_port_in_use_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = start("demo", DATA=str(tmp_path), PORT=str(port))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"Port {port} is in use; choose another with PORT=...\n"
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("port", ["0", "65536", "-1", "eighty", "٣"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    refused = start("demo", DATA=str(tmp_path), PORT=port)
    assert refused.returncode == 1
    assert refused.stderr == f"PORT must be a number from 1 to 65535, not {port}.\n"


def test_production_names_what_is_missing_from_the_environment() -> None:
    refused = start("run", DATABASE_URL="", REDIS_URL="redis://localhost", SECRET_KEY="")
    assert refused.returncode == 1
    assert refused.stderr == "Set DATABASE_URL and SECRET_KEY in the environment; .env.example says what they are.\n"


SECRETS = {"DATABASE_URL": "d", "REDIS_URL": "r", "SECRET_KEY": "s"}


def test_the_runner_is_given_no_database_no_redis_and_no_key(tmp_path: Path) -> None:
    table = {command.name: command for command in site({**SECRETS, "PATH": "/bin"}, port=8000, data=tmp_path)}
    assert set(table) == {"web", "worker", "asker", "backtester", "beat", "ticker", "runner", "example"}
    assert table["runner"].environ == {"PATH": "/bin", "DJANGO_SETTINGS_MODULE": "config.settings_runner"}
    assert table["example"].environ == {"PATH": "/bin"}
    for name in ("web", "worker", "asker", "backtester", "beat", "ticker"):
        assert SECRETS.items() <= table[name].environ.items()
        assert table[name].environ["RUNNER_URL"].rpartition(":")[2] in table["runner"].argv
        assert table[name].environ["RUNNER_URLS"].rpartition(":")[2] in table["example"].argv


def test_the_keys_of_models_reach_the_runner_and_nobody_else(tmp_path: Path) -> None:
    environ = {**SECRETS, "PATH": "/bin", "OPENAI_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "k"}
    table = {command.name: command for command in site(environ, port=8000, data=tmp_path)}
    holders = {name for name, command in table.items() if "k" in command.environ.values()}
    assert holders == {"runner"}


def test_no_runner_is_started_where_one_is_named(tmp_path: Path) -> None:
    table = site({"RUNNER_URL": "http://runner:8100"}, port=8000, data=tmp_path)
    assert not {"runner", "example"} & {command.name for command in table}
    assert {command.environ["RUNNER_URL"] for command in table} == {"http://runner:8100"}


@pytest.mark.parametrize("broker", ["testnet", "Paper", "exchange double"])
def test_a_broker_that_is_none_is_refused(tmp_path: Path, broker: str) -> None:
    refused = start("demo", DATA=str(tmp_path), BROKER=broker)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"BROKER must be paper or exchange-double, not {broker}.\n"
    assert not (tmp_path / "postgres").exists()


def test_a_made_up_exchange_and_a_real_market_do_not_go_together(tmp_path: Path) -> None:
    refused = start("demo", DATA=str(tmp_path), BROKER="exchange-double", MARKET_DATA="binance")
    assert refused.returncode == 1
    assert refused.stderr.startswith("BROKER=exchange-double and MARKET_DATA=binance do not go together")


KEYS = {"BINANCE_API_KEY": "exchange key", "BINANCE_API_SECRET": "exchange secret"}


def test_the_keys_of_the_exchange_reach_the_executor_and_nobody_else(tmp_path: Path) -> None:
    table = site({**SECRETS, **KEYS}, port=8000, data=tmp_path)
    assert {command.name for command in table if KEYS.keys() & command.environ.keys()} == {"worker"}


def test_an_exchange_double_is_a_process_of_its_own_that_only_knows_its_keys(tmp_path: Path) -> None:
    environ = {**SECRETS, **KEYS, "PATH": "/bin", "EXCHANGE_SEASON": str(tmp_path / "season.json")}
    table = {command.name: command for command in site(environ, port=8000, data=tmp_path)}
    assert table["exchange"].environ == {**KEYS, "PATH": "/bin"}
    assert {name for name, command in table.items() if KEYS.keys() & command.environ.keys()} == {"worker", "exchange"}
    assert not {"EXCHANGE_DOUBLE", "EXCHANGE_SEASON"} & table["runner"].environ.keys()
    told = table["worker"].environ["EXCHANGE_DOUBLE"]
    assert told == f"http://127.0.0.1:{table['exchange'].argv[table['exchange'].argv.index('--port') + 1]}"


def test_the_exchange_of_the_table_starts_with_the_prices_of_the_season_and_takes_its_keys(tmp_path: Path) -> None:
    rules = exchange_rules(datetime(2026, 3, 4, tzinfo=UTC), 7)
    season = tmp_path / "season.json"
    season.write_text(canonical_json(rules.document()))
    keys = double_keys(tmp_path)
    environ = {**os.environ, **keys, "EXCHANGE_SEASON": str(season), "PYTHONUNBUFFERED": "1"}
    double = next(command for command in site(environ, port=8000, data=tmp_path) if command.name == "exchange")
    with subprocess.Popen(double.argv, cwd=ROOT, env=double.environ, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            with Testnet(Keys(*keys.values()), url) as account:
                assert account.balances()["USDT"] == 100_000
                quoted_at = from_ms(account.server_time_ms())
            with urllib.request.urlopen(f"{url}/api/v3/ticker/price?symbol=BTCUSDT", timeout=10) as answer:
                price = Decimal(json.load(answer)["price"])
        finally:
            running.kill()
    near = [market_time(rules, quoted_at + timedelta(seconds=s)) for s in (-1, 30)]
    closes = synthetic_candles(rules.market_seed)(("BTCUSDT",), *near)["BTCUSDT"].closes
    assert price in closes


def test_a_path_with_spaces_stays_one_argument(tmp_path: Path) -> None:
    commands = site({EXCHANGE_SEASON: "season.json"}, port=8000, data=tmp_path / "a b")
    exchange = next(command for command in commands if command.name == "exchange")
    assert f"{tmp_path}/a b/exchange.json" in exchange.argv


CREW = """
import os, signal, sys
from config import processes
from config.processes import EXCHANGE_SEASON, Command, run
processes.END_WITHIN_S = 0.5
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs these tests under nohup has it ignored
shell = lambda name, line: Command(name, ("/bin/sh", "-c", line), os.environ)
print(run([shell(*pair.split("=", 1)) for pair in sys.argv[1:]]))
"""
STAYS = "stays=echo ready; exec sleep 1000"


@contextmanager
def crew(*processes: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-c", CREW, *processes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        try:
            yield running
        finally:
            running.kill()


def children_of(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_one_that_ends_by_itself_ends_all_and_its_last_lines_are_told() -> None:
    with crew(STAYS, "dies=echo alas; exit 3") as running:
        output, _ = running.communicate(timeout=60)
    assert "Death(name='dies', code=3, last_lines=('alas',))" in output


def test_a_head_that_dies_is_noticed_though_its_children_live_on() -> None:
    with crew(STAYS, "head=sleep 1000 & kill -9 $$") as running:
        output, _ = running.communicate(timeout=60)
    assert "Death(name='head', code=-9, last_lines=())" in output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_and_nobody_is_to_blame(signum: signal.Signals) -> None:
    with crew(STAYS, "stubborn=trap '' TERM; echo ready; sleep 1000; sleep 1000") as running:
        for _ in range(2):
            assert "ready" in running.stdout.readline()
        children = children_of(running)
        running.send_signal(signum)
        output, _ = running.communicate(timeout=60)
    assert output.splitlines() == ["", "Stopping everything", "None"]
    until(lambda: all(map(gone, children)), "the processes to be gone")


def test_the_others_start_once_they_may_and_never_when_the_first_has_died(tmp_path: Path) -> None:
    code = CREW.replace(
        "run([", f"run(may_follow=__import__('pathlib').Path({str(tmp_path / 'go')!r}).exists, commands=["
    )
    follows = f"follows=echo followed > {tmp_path}/followed; exit 4"
    command = [sys.executable, "-c", code, f"first=sleep 0.5; touch {tmp_path}/go; exec sleep 1000", follows]
    assert "Death(name='follows', code=4" in subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    for name in ("go", "followed"):
        (tmp_path / name).unlink()
    command[-2] = "first=exit 3"
    assert "Death(name='first', code=3" in subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    assert not (tmp_path / "followed").exists()


def test_processes_that_a_killed_demo_has_left_are_found_by_their_mark_and_ended(tmp_path: Path) -> None:
    environ = {**os.environ, "A_MARK": str(tmp_path)}
    with subprocess.Popen(["/bin/sh", "-c", "sleep 1000; true"], env=environ) as left_over:
        until(lambda: len(marked("A_MARK", str(tmp_path))) == 2, "the shell and its child")
        assert marked("A_MARK", "/elsewhere") == []
        end(marked("A_MARK", str(tmp_path)), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
        assert marked("A_MARK", str(tmp_path)) == []
        assert left_over.wait() == -signal.SIGTERM


def test_a_python_that_a_test_starts_reaches_this_machine_only() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "RuntimeError: A process started by a test wanted to reach '192.0.2.1'." in refused.stderr


def test_every_target_is_listed_with_what_it_does() -> None:
    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True).stdout
    targets = set(re.findall(r"^([a-z]+)(?:-%)?:", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^  make ([a-z]+)(?:-%)? +\S", listed, re.MULTILINE)) == targets


def test_a_machine_without_a_browser_is_told_what_to_install(tmp_path: Path) -> None:
    stub = tmp_path / "chromium"  # answers, but not as a Chromium does
    install(stub, "#!/bin/sh\necho 'install the snap'\n")
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    named = subprocess.run(
        [ROOT / "bin" / "find-chromium"], env={**environ, "CHROMIUM": str(stub)}, capture_output=True, text=True
    )
    assert (named.returncode, named.stderr) == (1, f"CHROMIUM={stub} is not a working Chromium.\n")
    nowhere = subprocess.run(
        ["/bin/sh", ROOT / "bin" / "find-chromium"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert "apt-get install chromium" in nowhere.stderr
