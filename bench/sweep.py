"""`manage.py sweep` on one and on two real celery workers: wall seconds, CPU seconds of the workers, who played what.

Each worker is the composition's: prefork, one process, the queue of backtests. All have played before they are
measured. A sweep is of new seeds each time, so that nothing is shown from store; no backtest may have been begun twice.
Wall time is what more workers are for; it needs as many idle cores as there are workers, and one for PostgreSQL.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench._engines import engines_of_its_own

ROOT = Path(__file__).resolve().parent.parent
WORKERS = (1, 2)
SEEDS = 6  # of two agents each
AGENTS = ("equal-weight", "momentum")
WORKER = "-m celery --quiet --app config.celery worker --queues backtest --pool prefork --concurrency 1"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def worker(number: int) -> Iterator[int]:
    """The process id of a worker of the queue of backtests."""
    apart = ["--without-mingle", "--without-gossip", "--loglevel", "ERROR", "--hostname", f"backtester{number}@%h"]
    command = [sys.executable, "-W", "ignore::UserWarning", *WORKER.split(), *apart]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def cpu_s(pids: list[int]) -> float:
    """CPU seconds of these workers and their children, by now."""
    every = [*pids, *(int(child) for pid in pids for child in _children(pid))]
    return sum(_ticks(pid) for pid in every) / TICKS_PER_S


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _ticks(pid: int) -> int:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def sweep(first_seed: int, seeds: int) -> dict:
    """One sweep, told by its own command."""
    flags = [flag for agent in AGENTS for flag in ("--agent", agent)]
    flags += ["--window", "2021-01-04:2024-01-04", "--source", "synthetic", "--every", "1d", "--json"]
    flags += ["--seeds", ",".join(str(seed) for seed in range(first_seed, first_seed + seeds))]
    done = subprocess.run([sys.executable, "manage.py", "sweep", *flags], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measured(workers: int) -> dict:
    from competition.backtest_models import Backtest, BacktestRun

    with ExitStack() as stack:
        pids = [stack.enter_context(worker(number)) for number in range(workers)]
        sweep(1_000 * workers, 2)  # whoever has not played yet loads its arrays
        before, began = cpu_s(pids), time.perf_counter()
        told = sweep(1_000 * workers + 100, SEEDS)
        wall_s, spent_s = time.perf_counter() - began, cpu_s(pids) - before
    assert {line["state"] for line in told["lines"]} == {"done"}, told
    played = Backtest.objects.filter(sweeps__key=told["sweep"])
    assert all(backtest.attempts == 1 for backtest in played), "a backtest was begun twice"
    assert BacktestRun.objects.filter(backtest__in=played).count() == len(told["lines"]), "a run was kept twice"
    print(
        f"{workers} workers  {len(told['lines'])} backtests  {wall_s:.2f} s wall, {spent_s:.2f} s CPU of workers",
        flush=True,
    )
    return {"workers": workers, "backtests": len(told["lines"]), "wall_s": wall_s, "cpu_s": spent_s}


def main() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    found = [measured(workers) for workers in WORKERS]
    speed_up = round(found[0]["wall_s"] / found[-1]["wall_s"], 2)
    print(json.dumps({"name": "sweep", "ours": found, "peers": {}, "ratio": {"one worker / two": speed_up}}))


if __name__ == "__main__":
    with engines_of_its_own(with_redis=True):
        main()
