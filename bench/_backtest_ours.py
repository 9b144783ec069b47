"""Our side of the backtest benchmark: a process that loads its work once and plays it whenever a line comes in."""

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

STEPS_S = {"weekly": 3600, "half": 3600, "three": 3600, "read": 3600, "arrays": 60, "called": 60}
AGENTS = {"three": 3}  # else one
TIMEFRAMES = {3600: "1h", 60: "1m"}
SPANS = {"fast": 50, "slow": 200}


class CalledCross:
    """The same cross of averages, decided candle by candle; it says nothing while nothing crosses."""

    def figures(self, market):
        from market.core.indicator_arrays import ema

        self.was_above = None
        (columns,) = market.values()
        return {name: ema(columns.closes, span) for name, span in SPANS.items()}

    def decide(self, index, view):
        above = view.figure("fast", index) > view.figure("slow", index)
        if above == self.was_above:
            return None
        self.was_above = above
        return {view.symbols[0]: 1.0 if above else 0.0}


def stage_of(work: str, folder: str):
    from competition.core.backtest_parameters import AgentSpec, BacktestParameters, rules_of
    from competition.core.backtest_past import moments_of, past_of
    from competition.core.backtest_stage import Stage
    from market.core.candles import to_ms
    from market.core.columns import Columns
    from market.core.symbols import DEFAULT_SYMBOLS, pick

    step_s = STEPS_S[work]
    data = np.load(f"{folder}/{'minutes' if step_s == 60 else 'weekly'}.npz")
    some = slice(len(data["open_ms"]) // 2 if work == "half" else None)
    names, open_ms, closes = data["names"].tolist(), data["open_ms"][some], data["closes"][some]
    series = {name: Columns(open_ms, *(closes[:, n] for _ in range(5))) for n, name in enumerate(names)}
    parameters = BacktestParameters(
        agents=(AgentSpec(slug="bench", name="bench", kind="baseline", model="rule/bench"),),
        symbols=tuple(names),
        timeframe=TIMEFRAMES[step_s],
        first=datetime.fromtimestamp(int(open_ms[0]) / 1000, UTC),
        last=datetime.fromtimestamp(int(open_ms[-1]) / 1000 + step_s, UTC),
        every="candle" if step_s == 60 else "1w",
    )
    first_ms, last_ms = to_ms(parameters.first), to_ms(parameters.last)
    past = past_of(series, step_s * 1000, first_ms, last_ms)
    exact = [dict(zip(names, (Decimal(f"{price:.2f}") for price in row), strict=True)) for row in closes.tolist()]
    moments = moments_of(past, first_ms, last_ms, parameters.every_ms)
    rules = rules_of(parameters)
    symbols = pick(names, DEFAULT_SYMBOLS)
    at = exact.__getitem__
    return Stage(rules, symbols, past, moments, at, at, False, lambda as_of: None, len(moments.rows))


def agent_of(work: str):
    from agents.core.constant_agent import ConstantAgent
    from agents.core.rule_agents import rule_agent

    if work in ("weekly", "half", "three", "read"):
        return ConstantAgent(None)
    return rule_agent("rule/ema-cross", SPANS) if work == "arrays" else CalledCross()


def play(work: str, stage, agent):
    from competition.core.backtest import play_wishes, wishes_of
    from competition.core.backtest_curve import curve_of

    for _ in range(AGENTS.get(work, 1)):
        wishes = wishes_of(agent, stage, lambda looked_at: None)
        played = play_wishes("bench", stage, wishes)
        curve = curve_of(played, stage)
    if work == "read":  # every fill and posting, which are made when they are read
        assert all(journal.postings for journal in played.journals)
    return played, curve


def fills_of(played, stage, folder: str, curve) -> None:
    """What was executed, as arrays by row, for another's accounting."""
    names, count = list(stage.past.market), len(stage.past)
    sizes, prices, fees = (np.full((count, len(names)), np.nan) for _ in range(3))
    for turn in played.turns:
        for execution in turn.record.executions:
            (fill,) = execution.fills
            at = turn.row + 1, names.index(fill.symbol)
            sizes[at] = float(fill.quantity) * (1 if fill.side == "buy" else -1)
            prices[at], fees[at] = float(fill.price), float(fill.fee)
    first = count - len(curve)
    values = np.concatenate((np.full(first, float(stage.rules.capital)), curve.values))
    np.savez(f"{folder}/fills.npz", sizes=sizes, prices=prices, fees=fees, values=values)


def main(work: str, folder: str) -> None:
    stage, agent = stage_of(work, folder), agent_of(work)
    played, curve = play(work, stage, agent)
    if work == "weekly":
        fills_of(played, stage, folder, curve)
    print(json.dumps({"ready": work}), flush=True)
    for _ in sys.stdin:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        played, curve = play(work, stage, agent)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        trades = sum(len(turn.record.executions) for turn in played.turns)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"wall_s": wall_s, "cpu_s": cpu_s, "trades": trades, "value": curve.values[-1], "peak_mib": peak_mib}
        print(json.dumps(told), flush=True)


def in_django() -> None:
    os.environ.update(SECRET_KEY="bench", DATABASE_URL="postgresql:///unused")
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()


if __name__ == "__main__":
    in_django()
    main(*sys.argv[1:])
