"""The page of one backtest: how far it is, and when it is done, what came out: a tear sheet of all agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from competition.backtest_models import Label
from competition.core.backtest_result import DECISIONS_KEPT, TRADES_KEPT, unpacked_curve
from competition.core.states import BacktestState
from competition.models import Backtest, BacktestRun
from competition.pages.backtest_curves import agent_traces, chart_of, fall_outline, yardstick_traces
from competition.pages.backtest_figures import DRAWDOWN, HEADLINE, MEASURES, RETURN, Measure, exact, measure_of
from competition.pages.backtest_words import (
    LABEL_MARKS,
    STATE_MARKS,
    Player,
    cadence_text,
    clock_text,
    names_text,
    parameter_facts,
    period_text,
    player_of,
    symbols_text,
)
from competition.pages.called import exact_usd
from competition.pages.charts import Chart
from competition.pages.figures import NOTHING, Figure, Moment, duration, moment, money, percent, signed_percent
from competition.pages.frame import Link, NotThere
from competition.pages.text import detail, line
from competition.pages.words import Mark
from competition.services.backtest_reads import BacktestStatus, behind_the_mask, metrics_of, status_from

HOLES_SHOWN = 10
_HOW_BRIEFS = (
    "Each agent is asked as in a season: its decision is checked by the same rules, and a broken one trades nothing."
)


@dataclass(frozen=True, slots=True)
class Head:
    """What a backtest is, and how far: `done` of `total` decisions, `left` as a clock or empty."""

    key: str
    title: str
    period: str
    symbols: str
    cadence: str
    mark: Mark
    is_under_way: bool
    is_simulated: bool
    done: int
    total: int
    left: str
    waited: str
    ahead: int
    error: str
    via: str
    requested: Moment
    finished: Moment | None
    took: str


@dataclass(frozen=True, slots=True)
class AgentLine:
    """One agent, or what doing nothing came to, in the table of headline figures."""

    number: int
    player: Player
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class HeldLine:
    name: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class FallLine:
    """How deep an agent fell over all candles, and the picture of its falls."""

    player: Player
    deepest: str
    outline: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What came out. `everything` is every figure of every agent, in the order of `agents`."""

    headline: tuple[Measure, ...]
    agents: tuple[AgentLine, ...]
    held: tuple[HeldLine, ...]
    everything: tuple[tuple[Measure, tuple[Figure, ...]], ...]
    chart: Chart
    falls: tuple[FallLine, ...]
    label: Mark
    label_text: str
    facts: Mapping[str, str]
    assumptions: tuple[tuple[str, str], ...]
    holes: tuple[str, ...]
    asked: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    command_line: str


@dataclass(frozen=True, slots=True)
class Veil:
    """The same backtest with briefs as they are and behind the mask, by key, or empty; returns by agent."""

    is_masked: bool
    plain: str
    masked: str
    rows: tuple[tuple[str, Figure, Figure], ...]


def backtest_named(key: str) -> Backtest:
    """The backtest of this key, without what came out; raises `NotThere`."""
    found = Backtest.objects.select_related("requested_by").filter(key=key).first()
    if found is None:
        raise NotThere("There is no backtest of this name.", [Link("/backtests/", "All backtests")])
    return found


def head_of(backtest: Backtest, now: datetime) -> Head:
    """How far it is; one query more while it waits."""
    status = status_from(backtest, now)
    parameters = status.parameters
    waits = status.state == BacktestState.QUEUED
    return Head(
        key=status.key,
        title=names_text(parameters.agents),
        period=period_text(parameters),
        symbols=symbols_text(parameters),
        cadence=cadence_text(parameters),
        mark=STATE_MARKS[status.state],
        is_under_way=status.is_under_way,
        is_simulated=parameters.source == "synthetic",
        done=status.progress_done,
        total=status.progress_total,
        left=clock_text(status.left) if status.left is not None else "",
        waited=clock_text(now - (status.started_at or status.requested_at)) if status.is_under_way else "",
        ahead=_ahead_of(backtest) if waits else 0,
        error=detail(status.error),
        via=status.requested_via,
        requested=moment(status.requested_at),
        finished=moment(status.finished_at) if status.finished_at else None,
        took=_took(status),
    )


def runs_of(backtest: Backtest) -> list[BacktestRun]:
    """What each agent came to, without trades and decisions, which may be many: one query."""
    return list(backtest.runs.defer("trades", "decisions").order_by("number"))


def sheet_of(backtest: Backtest, runs: Sequence[BacktestRun], now: datetime) -> Sheet:
    """The tear sheet of a finished backtest. No query."""
    status = status_from(backtest, now)
    players = {agent.slug: player_of(agent) for agent in status.parameters.agents}
    curves = {run.number: unpacked_curve(bytes(run.curve)) for run in runs}
    traces = agent_traces({(run.agent, players[run.agent].name): curves[run.number] for run in runs})
    headline = tuple(measure for measure in MEASURES if measure.title in HEADLINE)
    mark, text = label_mark(backtest)
    return Sheet(
        headline=headline,
        agents=tuple(
            AgentLine(run.number, players[run.agent], tuple(one.read(run.metrics) for one in headline)) for run in runs
        ),
        held=_held_lines(backtest.notes, headline),
        everything=tuple((one, tuple(one.read(run.metrics) for run in runs)) for one in MEASURES),
        chart=chart_of("Equity against doing nothing", [*traces, *yardstick_traces(backtest.notes)]),
        falls=tuple(
            FallLine(players[run.agent], measure_of(run.metrics, DRAWDOWN).text, fall_outline(curves[run.number]))
            for run in runs
        ),
        label=mark,
        label_text=text,
        facts=parameter_facts(status.parameters),
        assumptions=_assumptions(backtest.notes, runs),
        holes=_holes(backtest.notes),
        asked=tuple(_asked(run, run.metrics["asking"]) for run in runs if "asking" in run.metrics),
        hashes=_hashes(backtest, runs),
        command_line=status.command_line,
    )


def label_mark(backtest: Backtest) -> tuple[Mark, str]:
    """Whether a model may remember what it is tested on, as a mark and a sentence."""
    shape, tone, text = LABEL_MARKS[backtest.label]
    words = {"no_model": "No model", "before": "Before cutoff", "unknown": "Cutoff unknown", "after": "After cutoff"}
    return Mark(words[backtest.label], shape, tone), text


def veil_of(backtest: Backtest, now: datetime) -> Veil | None:
    """The returns of whoever was asked as they are and behind the mask, if a model takes part: three queries."""
    if backtest.label == Label.NO_MODEL and not backtest.parameters.get("mask"):
        return None
    plain, masked = behind_the_mask(backtest.key, now)
    metrics = metrics_of([status.key for status in (plain, masked) if status])
    found = [metrics.get(status.key, {}) if status else {} for status in (plain, masked)]
    rows = tuple(
        (line(agent["name"]), _return_of(found[0], agent["slug"]), _return_of(found[1], agent["slug"]))
        for agent in backtest.parameters["agents"]
    )
    return Veil(
        is_masked=bool(backtest.parameters.get("mask")),
        plain=plain.key if plain else "",
        masked=masked.key if masked else "",
        rows=rows,
    )


def _return_of(metrics: Mapping[str, Mapping[str, Any]], slug: str) -> Figure:
    return measure_of(metrics[slug], RETURN) if slug in metrics else Figure(NOTHING)


def _ahead_of(backtest: Backtest) -> int:
    """How many of the unfinished ones were asked for earlier."""
    unfinished = Backtest.objects.filter(state__in=[BacktestState.QUEUED.value, BacktestState.RUNNING.value])
    return unfinished.filter(requested_at__lt=backtest.requested_at).count()


def _took(status: BacktestStatus) -> str:
    if status.seconds is None:
        return ""
    return f"{status.seconds:.2f} seconds" if status.seconds < 10 else duration(timedelta(seconds=status.seconds))


def _held_lines(notes: Mapping[str, Any], headline: Sequence[Measure]) -> tuple[HeldLine, ...]:
    """Doing nothing has a value, a return and a fall; the other figures are of agents."""
    kept = notes.get("yardsticks") or {}
    lines = []
    for key, name in (("btc_hold", "Bitcoin, held"), ("equal_weight", "All symbols, held")):
        if key in kept:
            known = {
                "Value": Figure(money(exact(kept[key]["final_value"]), 0)),
                "Return": signed_percent(exact(kept[key]["total_return"])),
                "Deepest fall": Figure(percent(exact(kept[key]["max_drawdown"]))),
            }
            lines.append(HeldLine(name, tuple(known.get(one.title, Figure("")) for one in headline)))
    return tuple(lines)


def _assumptions(notes: Mapping[str, Any], runs: Sequence[BacktestRun]) -> tuple[tuple[str, str], ...]:
    """What the result takes for granted, in words."""
    moments, missed = int(notes.get("moments", 0)), int(notes.get("moments_missed", 0))
    said = [
        (
            "Prices",
            f"Every order is filled in full at the {notes.get('fills', 'next candle')}; its size moves no price.",
        ),
        ("Seen", "An agent sees candles that have closed, and nothing after them."),
        ("Checked", _HOW_BRIEFS),
        ("Filters", f"Step sizes and least amounts {notes.get('filters', 'as listed now')}."),
        (
            "Candles",
            f"{int(notes.get('candles', 0)):,}, and {int(notes.get('warm_up_rows', 0)):,} before them to warm up.",
        ),
        ("Decisions", f"{moments:,} moments{f', {missed:,} more fell into holes' if missed else ''}."),
        ("Year", "365 days. Nothing is annualised below 30 daily returns."),
        ("Costs of models", "Not in the returns; they are listed apart."),
    ]
    cut = [run.name for run in runs if run.trades_count > TRADES_KEPT or run.decisions_count > DECISIONS_KEPT]
    if cut:
        said.append(("Kept", f"The first {TRADES_KEPT:,} trades and {DECISIONS_KEPT:,} decisions. Figures are of all."))
    return tuple(said)


def _asked(run: BacktestRun, asking: Mapping[str, Any]) -> tuple[str, str]:
    """What asking a model came to."""
    cost = exact_usd(Decimal(asking["usd"]))
    told = f"{cost} USD for {asking['asked']:,} questions; {asking['answered_before']:,} known before"
    if unanswered := asking.get("unanswered", 0):  # results of earlier versions do not say
        told += f"; {unanswered:,} got no answer, and would be asked and paid for again in another backtest"
    return line(run.name), told


def _holes(notes: Mapping[str, Any]) -> tuple[str, ...]:
    holes = notes.get("holes") or []
    told = [f"{hole['from']} to {hole['to']}: {int(hole['candles']):,} candles" for hole in holes[:HOLES_SHOWN]]
    more = int(notes.get("holes_count", 0)) - len(told)
    return (*told, f"and {more:,} more") if more > 0 else tuple(told)


def _hashes(backtest: Backtest, runs: Sequence[BacktestRun]) -> tuple[tuple[str, str], ...]:
    return (
        ("Parameters", backtest.parameters_sha256),
        ("Candles, filters and engine", backtest.data_sha256),
        *((f"Postings of {run.agent}", run.postings_sha256) for run in runs),
    )
