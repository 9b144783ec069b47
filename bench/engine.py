"""A season of 165 weeks and the thirteen house entries through the engine, in memory: wall time, CPU per turn, memory.

With `KLINES=folder` the candles are Binance's (`BTCUSDT-1h.csv.gz` and so on); without, the synthetic market's. Each
run is a process of its own, so that its peak memory is its own. There is no peer: nobody else's engine plays this game.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

RUNS = 5
START, WEEKS = datetime(2021, 1, 4, tzinfo=UTC), 165


def one_run() -> dict[str, float | int | str]:
    """Play the season once and measure it; candles are loaded before the clock starts."""
    from agents.core.roster import house
    from competition.core.play import play
    from competition.core.rules import Rules
    from competition.services.playing import contestants_for
    from market.core.symbols import DEFAULT_SYMBOLS
    from market.queries import loaded

    symbols = {symbol.name: symbol for symbol in DEFAULT_SYMBOLS}
    source = "stored" if "KLINES" in os.environ else "synthetic"
    rules = Rules(universe=tuple(symbols), market_source=source, market_starts_at=START, starts_at=START, cycles=WEEKS)
    series = _candles(rules)
    contestants = contestants_for(house(1, rules.universe))
    wall_before, cpu_before = time.perf_counter(), time.process_time()
    played = play("bench", rules, symbols, contestants, loaded(series))
    wall_s, cpu_s = time.perf_counter() - wall_before, time.process_time() - cpu_before
    return {
        "source": source,
        "candles": sum(map(len, series.values())),
        "turns": WEEKS * len(contestants),
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "postings_sha256": played.postings_sha256(),
    }


def _candles(rules):
    from competition.services.playing import last_instant
    from market.core.klines import parse_klines
    from market.core.snapshot import HISTORY
    from market.synthetic import synthetic_candles

    if "KLINES" not in os.environ:
        return synthetic_candles(1)(rules.universe, START - HISTORY, last_instant(rules))
    files = (Path(os.environ["KLINES"]) / f"{name}-1h.csv.gz" for name in rules.universe)
    parsed = (parse_klines(file.name, file.read_bytes(), datetime.now(UTC)) for file in files)
    return {series.symbol: series for series in parsed}


def main() -> None:
    runs = []
    for number in range(1, RUNS + 1):
        done = subprocess.run([sys.executable, __file__, "once"], capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout))
        print(f"run {number}: {runs[-1]['wall_s']:.2f} s, {runs[-1]['peak_mib']:.0f} MiB")
    assert len({run["postings_sha256"] for run in runs}) == 1, "the same season left different postings"
    middle = {name: statistics.median(run[name] for run in runs) for name in ("wall_s", "cpu_s", "peak_mib")}
    turns = runs[0]["turns"]
    ours = {
        "turns_per_s": round(turns / middle["wall_s"]),
        "wall_s": round(middle["wall_s"], 3),
        "cpu_ms_per_turn": round(middle["cpu_s"] / turns * 1000, 3),
        "peak_mib": round(middle["peak_mib"], 1),
        **{name: runs[0][name] for name in ("source", "candles", "turns", "postings_sha256")},
    }
    print(json.dumps({"name": "engine", "ours": ours, "peers": {}, "ratio": {}}))


if __name__ == "__main__":
    os.environ.setdefault("SECRET_KEY", "bench")
    os.environ.setdefault("DATABASE_URL", "postgresql:///unused")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    print(json.dumps(one_run())) if sys.argv[1:] == ["once"] else main()
