"""The list of backtests: the newest first, filtered by what the address asks for, a page at a time; and two to four
side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from competition.backtest_models import Label
from competition.core.backtest_result import unpacked_curve
from competition.core.states import BacktestState
from competition.models import Backtest, BacktestRun
from competition.pages.backtest_curves import Trace, chart_of
from competition.pages.backtest_figures import DRAWDOWN, HEADLINE, MEASURES, RETURN, Measure, measure_of
from competition.pages.backtest_sheet import label_mark
from competition.pages.backtest_words import (
    STATE_MARKS,
    Player,
    cadence_text,
    names_text,
    parameter_facts,
    period_text,
    player_of,
    symbols_text,
)
from competition.pages.charts import Chart
from competition.pages.figures import Figure, Moment, moment
from competition.pages.frame import Link, NotThere
from competition.pages.history import Way, ways
from competition.pages.pictures import HUES
from competition.pages.words import Mark
from competition.services.backtest_reads import metrics_of, status_from

PAGE_LENGTH = 25
COMPARED_MAX = 4
CHOSEN_MAX = 25  # of an address that are looked up
BEST_SHOWN = 3
_HEAVY = ("notes", "data")  # columns that a list does not need


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    word: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class BacktestWishes:
    """What the address asks for; empty for everything."""

    state: str = ""
    label: str = ""
    agent: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "BacktestWishes":
        """From the address; raises `NotThere` for a word that is no state or label."""
        state, label = query.get("state", ""), query.get("label", "")
        if state not in ("", *BacktestState) or label not in ("", *Label.values):
            raise NotThere("There is no such kind of backtest.", [Link("/backtests/", "All backtests")])
        return cls(state, label, query.get("agent", "")[:40])


@dataclass(frozen=True, slots=True)
class Best:
    name: str
    result: Figure
    fall: str


@dataclass(frozen=True, slots=True)
class BacktestLine:
    """One backtest in the list; `best` are its agents by return."""

    key: str
    title: str
    period: str
    symbols: str
    cadence: str
    mark: Mark
    label: Mark
    is_simulated: bool
    is_done: bool
    share: int
    best: tuple[Best, ...]
    requested: Moment
    is_ticked: bool = False


@dataclass(frozen=True, slots=True)
class ChoosePage:
    """What can be compared: those that are ticked already, then the newest that are done. `advice` says how many."""

    advice: str
    lines: tuple[BacktestLine, ...]


@dataclass(frozen=True, slots=True)
class ListPage:
    lines: tuple[BacktestLine, ...]
    states: tuple[Choice, ...]
    labels: tuple[Choice, ...]
    wish: BacktestWishes
    newer: Way
    older: Way


@dataclass(frozen=True, slots=True)
class Compared:
    """One agent of one of the compared backtests; `letter` says of which."""

    letter: str
    key: str
    player: Player
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class ComparePage:
    heads: tuple[tuple[str, BacktestLine], ...]
    headline: tuple[Measure, ...]
    agents: tuple[Compared, ...]
    chart: Chart | None
    differs: tuple[tuple[str, tuple[str, ...]], ...]
    same: tuple[tuple[str, str], ...]


def list_page(wish: BacktestWishes, page: int, now: datetime) -> ListPage:
    """One page of the list: two queries. Raises `NotThere` beyond the last."""
    rows = Backtest.objects.select_related("requested_by").defer(*_HEAVY).order_by("-requested_at", "-id")
    if wish.state:
        rows = rows.filter(state=wish.state)
    if wish.label:
        rows = rows.filter(label=wish.label)
    if wish.agent:
        rows = rows.filter(parameters__agents__contains=[{"slug": wish.agent}])
    found = list(rows[(page - 1) * PAGE_LENGTH : page * PAGE_LENGTH + 1])
    around = ways("page", page, has_rows=bool(found), has_more=len(found) > PAGE_LENGTH)
    shown = found[:PAGE_LENGTH]
    metrics = metrics_of([row.key for row in shown])
    states = [("", "All"), *((state.value, STATE_MARKS[state].word) for state in BacktestState)]
    labels = [
        ("", "any"),
        ("no_model", "no model"),
        ("after", "after cutoff"),
        ("before", "before"),
        ("unknown", "unknown"),
    ]
    return ListPage(
        tuple(_line(row, metrics.get(row.key, {}), now) for row in shown),
        tuple(Choice(value, word, value == wish.state) for value, word in states),
        tuple(Choice(value, word, value == wish.label) for value, word in labels),
        wish,
        *around,
    )


def compare_page(keys: Sequence[str], now: datetime) -> ComparePage | ChoosePage:
    """Two to four backtests side by side, or what to choose from where it is another number of them: two queries.

    Raises `NotThere` for unknown ones.
    """
    wanted = list(dict.fromkeys(keys))[:CHOSEN_MAX]
    rows = {row.key: row for row in Backtest.objects.select_related("requested_by").filter(key__in=wanted)}
    if missing := [key for key in wanted if key not in rows]:
        raise NotThere(f"There is no backtest {missing[0]}.", [Link("/backtests/", "All backtests")])
    chosen = [rows[key] for key in wanted]
    if not 2 <= len(wanted) <= COMPARED_MAX:
        return _choose_page(chosen, now)
    return _compare_page(chosen, now)


def _choose_page(ticked: Sequence[Backtest], now: datetime) -> ChoosePage:
    rows = Backtest.objects.select_related("requested_by").defer(*_HEAVY).filter(state=BacktestState.DONE.value)
    others = rows.exclude(id__in=[row.id for row in ticked]).order_by("-requested_at", "-id")[:PAGE_LENGTH]
    shown = [*(row for row in ticked if row.state == BacktestState.DONE), *others]
    metrics = metrics_of([row.key for row in shown])
    advice = f"Tick 2 to {COMPARED_MAX} that shall stand side by side."
    if count := len(ticked):
        advice = f"{count} {'is' if count == 1 else 'are'} ticked; {COMPARED_MAX} fit side by side, and it takes 2."
    lines = (_line(row, metrics.get(row.key, {}), now) for row in shown)
    keys = {row.key for row in ticked}
    return ChoosePage(advice, tuple(replace(line, is_ticked=line.key in keys) for line in lines))


def _compare_page(chosen: Sequence[Backtest], now: datetime) -> ComparePage:
    letters = {row.id: "ABCD"[number] for number, row in enumerate(chosen)}
    runs = list(BacktestRun.objects.defer("trades", "decisions").filter(backtest__in=chosen))
    runs.sort(key=lambda run: (letters[run.backtest_id], run.number))
    headline = tuple(measure for measure in MEASURES if measure.title in HEADLINE)
    players = {
        (row.id, agent.slug): player_of(agent) for row in chosen for agent in status_from(row, now).parameters.agents
    }
    by_backtest = {row.id: {run.agent: run.metrics for run in runs if run.backtest_id == row.id} for row in chosen}
    differs, same = _told_apart([parameter_facts(status_from(row, now).parameters) for row in chosen])
    return ComparePage(
        heads=tuple((letters[row.id], _line(row, by_backtest[row.id], now)) for row in chosen),
        headline=headline,
        agents=tuple(_compared(run, letters[run.backtest_id], chosen, players, headline) for run in runs),
        chart=chart_of("All of them, each 100 where it begins", _traces(runs, letters, players)) if runs else None,
        differs=differs,
        same=same,
    )


def _line(row: Backtest, metrics: Mapping[str, Mapping[str, Any]], now: datetime) -> BacktestLine:
    status = status_from(row, now)
    names = {agent.slug: player_of(agent).name for agent in status.parameters.agents}
    ranked = sorted(metrics, key=lambda slug: -(metrics[slug].get("total_return") or 0.0))
    best = [
        Best(names[slug], measure_of(metrics[slug], RETURN), measure_of(metrics[slug], DRAWDOWN).text)
        for slug in ranked
    ]
    return BacktestLine(
        key=row.key,
        title=names_text(status.parameters.agents),
        period=period_text(status.parameters),
        symbols=symbols_text(status.parameters),
        cadence=cadence_text(status.parameters),
        mark=STATE_MARKS[status.state],
        label=label_mark(row)[0],
        is_simulated=status.parameters.source == "synthetic",
        is_done=status.state == BacktestState.DONE,
        share=100 * status.progress_done // max(1, status.progress_total),
        best=tuple(best[:BEST_SHOWN]),
        requested=moment(status.requested_at),
    )


def _compared(
    run: BacktestRun,
    letter: str,
    chosen: Sequence[Backtest],
    players: Mapping[tuple[int, str], Player],
    headline: Sequence[Measure],
) -> Compared:
    key = next(row.key for row in chosen if row.id == run.backtest_id)
    figures = tuple(measure.read(run.metrics) for measure in headline)
    return Compared(letter, key, players[run.backtest_id, run.agent], figures)


def _traces(
    runs: Sequence[BacktestRun], letters: Mapping[int, str], players: Mapping[tuple[int, str], Player]
) -> list[Trace]:
    traces = []
    for number, run in enumerate(runs):
        letter, player = letters[run.backtest_id], players[run.backtest_id, run.agent]
        slug, name = f"{letter.lower()}-{player.slug}", f"{letter} · {player.name}"
        traces.append(Trace(slug, name, "model", number % HUES + 1, unpacked_curve(bytes(run.curve))))
    return traces


def _told_apart(
    facts: Sequence[Mapping[str, str]],
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[tuple[str, str], ...]]:
    """What differs between the backtests, and what they have in common."""
    differs, same = [], []
    for name in facts[0]:
        values = tuple(one[name] for one in facts)
        if len(set(values)) > 1:
            differs.append((name, values))
        else:
            same.append((name, values[0]))
    return tuple(differs), tuple(same)
