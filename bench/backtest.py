"""Backtests beside vectorbt, backtesting.py, backtrader, bt and bare NumPy: the same candles, the same rules, in turns.

    weekly   five symbols, three years of hours, a fifth of the value in each, brought back every week
    arrays   525,600 minutes, in while the average of 50 is above that of 200; the agent says so in one array
    called   the same, the agent called on every candle
    fresh    `manage.py backtest` of the weekly work in a new process, its candles in PostgreSQL, beside a new process
             of vectorbt, its candles in a file; here memory is taken

Beside the weekly work and the arrays run their floors (bench/_backtest_floor.py: the decimals of the orders alone),
beside the weekly one also the same with every fill and posting read, which are made when somebody reads them (peers
keep arrays of orders), half of its candles, and three agents instead of one: what it costs grows with both as they do.

Candles are a seeded walk. The peers have an environment of their own (bench/backtest-peers.txt), kept under DATA. Every
process has played its work once before it is measured, but for two that compile nothing and take long. CPU time is
compared: all are of one thread, and other work on the machine would count otherwise; wall times are printed. Our fills
are booked by vectorbt, too, which must come to the same value at every candle. At the end stands a table of medians, of
what each is to ours, and of what was aimed at. `bench/backtest.py weekly` measures one work alone.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from bench._engines import engines_of_its_own

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = {"backtrader": 1, "bt": 2, "backtesting": 2}
MANY = 7
FIRST_MS, HOURS, MINUTES = 1_609_718_400_000, 26_280, 525_600  # from Monday 2021-01-04
NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT")
PEERS = {
    "weekly": ("numpy", "vectorbt", "bt", "backtrader"),
    "arrays": ("numpy", "vectorbt", "backtesting"),
    "called": ("backtesting",),
}
OURS = {  # beside the work itself, and how many times its candles are played
    "weekly": {
        "floor": (("bench/_backtest_floor.py", "weekly"), 1),
        "all of it read": (("bench/_backtest_ours.py", "read"), 1),
        "half the candles": (("bench/_backtest_ours.py", "half"), 0.5),
        "three agents": (("bench/_backtest_ours.py", "three"), 3),
    },
    "arrays": {"floor": (("bench/_backtest_floor.py", "arrays"), 1)},
}
AIMS = {  # what theirs is to be of ours, at least
    ("weekly", "vectorbt", "cpu_s"): 6,
    ("weekly", "numpy", "cpu_s"): 1 / 3,
    ("arrays", "backtesting", "cpu_s"): 20,
    ("called", "backtesting", "cpu_s"): 5,
    ("fresh", "vectorbt", "cpu_s"): 3,
    ("fresh", "vectorbt", "peak_mib"): 3,
}
APART_MAX = 1e-9
# In a small process: the peak of a child is never below what its parent held when it began.
MEASURE = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}))
"""


def walk(folder: str) -> None:
    """Prices to the cent: hours of five symbols, minutes of one."""
    dice = np.random.default_rng(1)
    for work, count, names, step_s, scale in (
        ("weekly", HOURS, NAMES, 3600, 0.006),
        ("minutes", MINUTES, NAMES[:1], 60, 0.0008),
    ):
        starts = np.array([30_000.0, 2_000.0, 150.0, 300.0, 90.0][: len(names)])
        moves = dice.normal(0, scale, (count, 1)) * 0.8 + dice.normal(0, scale, (count, len(names))) * 0.6
        closes = np.round(starts * np.exp(np.cumsum(moves, axis=0)), 2)
        open_ms = FIRST_MS + np.arange(count, dtype=np.int64) * step_s * 1000
        np.savez(f"{folder}/{work}.npz", names=np.array(names), open_ms=open_ms, closes=closes)


def peers_python() -> str:
    """The interpreter of the peers' environment, made when it is not there; it is made anew when the list changes."""
    listed = ROOT / "bench" / "backtest-peers.txt"
    home = Path(os.environ.get("DATA", ROOT / ".data")) / "bench-backtest"
    python, made_of = home / "bin" / "python", home / "made-of.txt"
    if not made_of.exists() or made_of.read_text() != listed.read_text():
        print(f"installing the peers under {home}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(listed)]
        subprocess.run(install, check=True)
        made_of.write_text(listed.read_text())
    return str(python)


@contextmanager
def worker(*command: str) -> Iterator[subprocess.Popen]:
    """A process that has loaded and played its work once."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert "ready" in process.stdout.readline(), f"{command} did not begin"
        yield process
        process.stdin.close()


def once(process: subprocess.Popen) -> dict:
    process.stdin.write("go\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def in_turns(work: str, python: str, folder: str) -> dict[str, dict]:
    """Everybody's medians of one work."""
    took: dict[str, list[dict]] = {}
    with ExitStack() as stack:
        players = {"ours": stack.enter_context(worker(sys.executable, "bench/_backtest_ours.py", work, folder))}
        for name, (command, _) in OURS.get(work, {}).items():
            players[name] = stack.enter_context(worker(sys.executable, *command, folder))
        for peer in PEERS[work]:
            theirs = "weekly" if work == "weekly" else "cross"
            players[peer] = stack.enter_context(worker(python, "bench/_backtest_peers.py", peer, theirs, folder))
        for number in range(MANY):
            for name, process in players.items():
                if number < ROUNDS.get(name, MANY):
                    took.setdefault(name, []).append(once(process))
    bars = HOURS * len(NAMES) if work == "weekly" else MINUTES
    times = {name: played for name, (_, played) in OURS.get(work, {}).items()}
    found = {name: _middle(runs, bars * times.get(name, 1)) for name, runs in took.items()}
    for name, figures in found.items():
        print(
            f"{work:<8}{name:<18}{figures['bars_per_s']:>13,} bars/s  {figures['cpu_s']:.4f} s CPU, "
            f"{figures['wall_s']:.4f} s wall, {figures['trades']:,} orders, ends at {figures['value']:,.2f}",
            flush=True,
        )
    return found


def _middle(runs: list[dict], bars: float) -> dict:
    middle = {name: statistics.median(run[name] for run in runs) for name in ("cpu_s", "wall_s", "peak_mib")}
    return {
        **middle,
        "bars_per_s": round(bars / middle["cpu_s"]),
        "trades": runs[0]["trades"],
        "value": runs[0]["value"],
    }


def fresh(python: str, folder: str) -> dict[str, dict]:
    """New processes, taking turns: wall and CPU seconds, and peak memory."""
    took: dict[str, list[dict]] = {"ours": [], "vectorbt": []}
    for number in range(3):
        ours = [sys.executable, "manage.py", "backtest", "--agent", "equal-weight", "--symbols", ",".join(NAMES)]
        ours += ["--from", "2021-01-04", "--to", "2024-01-04", "--capital", str(10_000 + number)]
        took["ours"].append(measured(ours))
        took["vectorbt"].append(measured([python, "bench/_backtest_peers.py", "vectorbt", "weekly", folder]))
    found = {}
    for name, runs in took.items():
        found[name] = {key: statistics.median(run[key] for run in runs) for key in ("wall_s", "cpu_s", "peak_mib")}
        print(f"fresh   {name:<14}" + ", ".join(f"{key} {value:.2f}" for key, value in found[name].items()), flush=True)
    return found


def measured(command: list[str]) -> dict:
    import time

    # Byte code is kept, as it is wherever the product is installed: the first of the processes compiles for the others.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *command], cwd=ROOT, env=env, check=True, capture_output=True, text=True
    ).stdout
    return {"wall_s": time.perf_counter() - began, **json.loads(told)}


def store(folder: str) -> None:
    """The weekly candles into PostgreSQL, as closes that are opens, highs and lows, too."""
    from decimal import Decimal

    from django.core.management import call_command

    from market.core.candles import Series
    from market.services import store_candles

    call_command("migrate", verbosity=0)
    data = np.load(f"{folder}/weekly.npz")
    open_ms = data["open_ms"].tolist()
    for number, name in enumerate(NAMES):
        closes = [Decimal(f"{price:.2f}") for price in data["closes"][:, number].tolist()]
        store_candles([Series(name, "1h", open_ms, closes, closes, closes, closes, [Decimal(1)] * len(closes))])


def main(folder: str) -> None:
    python = peers_python()
    walk(folder)
    wanted = sys.argv[1:] or [*PEERS, "fresh"]
    found = {work: in_turns(work, python, folder) for work in PEERS if work in wanted}
    apart = _checked(python, folder) if "weekly" in found else None
    if "fresh" in wanted:
        store(folder)
        found["fresh"] = fresh(python, folder)
    print(table(found))
    print(json.dumps(summary(found, apart)))


def table(found: dict[str, dict[str, dict]]) -> str:
    """Medians, what each is to ours, and what was aimed at."""
    lines = ["", f"{'work':<8}{'who':<18}{'CPU s':>9}{'/ ours':>8}{'aim':>6}{'peak MiB':>11}{'/ ours':>8}{'aim':>6}"]
    for work, players in found.items():
        for name, figures in players.items():
            line = f"{work:<8}{name:<18}"
            for key, width, places in (("cpu_s", 9, 4), ("peak_mib", 11, 0)):
                ratio, aim = figures[key] / players["ours"][key], AIMS.get((work, name, key))
                aimed = "" if aim is None else f"{aim:.3g}"
                line += f"{figures[key]:>{width}.{places}f}{ratio:>8.2f}{aimed:>6}"
            lines.append(line)
    return "\n".join([*lines, ""])


def _checked(python: str, folder: str) -> float:
    """How far vectorbt's values are from ours, by the same fills; as a fraction, at most."""
    checked = subprocess.run(
        [python, "bench/_backtest_peers.py", "accounting", folder], check=True, capture_output=True, text=True, cwd=ROOT
    )
    told = json.loads(checked.stdout.splitlines()[-1])
    print(f"our fills in vectorbt's books: {told['orders']} orders, at most {told['apart']:.1e} apart")
    assert told["apart"] < APART_MAX, "vectorbt comes to other values with the same fills"
    return float(told["apart"])


def summary(found: dict[str, dict], apart: float | None) -> dict:
    ours = {work: players["ours"] for work, players in found.items()}
    peers = {work: {name: p for name, p in players.items() if name != "ours"} for work, players in found.items()}
    ratio = {
        f"{work} / {name}": round(figures["cpu_s"] / ours[work]["cpu_s"], 2)
        for work, players in peers.items()
        for name, figures in players.items()
    }
    if "fresh" in found:
        for name in ("peak_mib", "wall_s", "cpu_s"):
            ratio[f"fresh {name} / vectorbt"] = round(peers["fresh"]["vectorbt"][name] / ours["fresh"][name], 2)
    return {"name": "backtest", "ours": {**ours, "apart_from_vectorbt": apart}, "peers": peers, "ratio": ratio}


if __name__ == "__main__":
    with engines_of_its_own() as scratch:
        main(str(scratch))
