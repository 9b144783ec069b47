"""The page that asks for a backtest: what can be chosen, what to start from, and what it will take, told before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max, OuterRef, QuerySet, Subquery

from agents.budget import caps_of
from agents.cutoffs import cutoffs_of
from competition.backtest_models import Backtest, Label
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.contamination import AFTER, BEFORE, contamination
from competition.core.states import BacktestState, SeasonState
from competition.models import Season
from competition.pages.backtest_words import player_of
from competition.pages.figures import duration
from competition.pages.text import line
from competition.services.backtest_costs import cost_of, cost_problems, models_behind, questions_in
from competition.services.backtest_requests import BacktestRefused, agents_there_are
from competition.services.backtest_visitors import spends_money
from competition.services.backtests import UNFINISHED
from market.core.symbols import DEFAULT_SYMBOLS
from market.models import Candle, ListedSymbol

USUAL_TIMEFRAME = "1h"
PACE_OF = 20  # finished backtests that a guess of the time rests on
YEAR = timedelta(days=365)
SYNTHETIC_FIRST, SYNTHETIC_LAST = "2024-01-01", "2025-01-01"
USUAL: Mapping[str, Any] = {
    "agents": ["equal-weight", "momentum", "ema-cross"],
    "symbols": [symbol.name for symbol in DEFAULT_SYMBOLS],
    "source": "synthetic",
    "seed": 1,
    "first": SYNTHETIC_FIRST,
    "last": SYNTHETIC_LAST,
    "timeframe": USUAL_TIMEFRAME,
    "every": "1w",
    "fill": "next_close",
    "capital": "10000",
    "fee_bps": "10",
    "slippage_bps": "5",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """Something to start from: its fields, or why there is nothing to start from."""

    key: str
    title: str
    data: Mapping[str, Any] | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen: agents and symbols as (value, words). `dear` are agents that only staff may ask."""

    agents: tuple[tuple[str, str], ...]
    dear: tuple[str, ...]
    symbols: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a wish will take, in sentences; `cutoffs` warn of what a model may remember."""

    size: str
    time: str
    cost: str
    cutoffs: tuple[str, ...]
    queue: str


def options_for(*, is_staff: bool) -> Options:
    """Everybody and everything that may be chosen: two queries."""
    names = [(row.name, row.name) for row in ListedSymbol.objects.order_by("name")]
    known = agents_there_are(1, tuple(name for name, _ in names))
    free = [agent for agent in known.values() if not spends_money(agent)]
    dear = [agent for agent in known.values() if spends_money(agent)]
    offered = sorted([*free, *(dear if is_staff else [])], key=_by_kind)
    words = tuple((agent.slug, f"{line(agent.name)} ({_kind(agent)})") for agent in offered)
    return Options(words, () if is_staff else tuple(line(agent.name) for agent in dear), tuple(names))


def presets() -> tuple[Preset, ...]:
    """Things to start from: two queries."""
    return (_synthetic(), _last_year(), _season())


def estimate_of(parameters: BacktestParameters, now: datetime) -> Estimate:
    """What this will take. Raises `BacktestRefused` when nobody knows what it costs, or may cost."""
    cost = cost_of(parameters, caps_of(settings), now)
    if problems := cost_problems(parameters, cost):
        raise BacktestRefused(problems)
    decisions = questions_in(parameters) * len(parameters.agents)
    waiting = Backtest.objects.filter(state__in=UNFINISHED).count()
    return Estimate(
        size=f"{parameters.candles:,} candles, up to {decisions:,} decisions.",
        time=_time(decisions, cost.seconds),
        cost=cost.sentence() or "It asks no model, so it costs nothing.",
        cutoffs=tuple(_cutoff_warnings(parameters)),
        queue=f"{waiting} before it in the queue." if waiting else "Nobody is waiting.",
    )


def _by_kind(agent: AgentSpec) -> tuple[str, str]:
    return _kind(agent), agent.name


def _kind(agent: AgentSpec) -> str:
    player = player_of(agent)
    return f"{player.kind}, simulated" if player.is_simulated else player.kind


def _time(decisions: int, asking_s: float) -> str:
    """By the pace of the last ones that asked no model, plus what models take; nothing is guessed out of nothing."""
    done = Backtest.objects.filter(
        state=BacktestState.DONE.value, label=Label.NO_MODEL.value, seconds__isnull=False, progress_total__gt=0
    )
    rows = list(done.order_by("-finished_at").values_list("seconds", "progress_total")[:PACE_OF])
    asked = f" Models take about {duration(timedelta(seconds=asking_s))} of it." if asking_s else ""
    if not rows:
        return f"Nothing has been played here yet, so its time is not known; baselines take seconds.{asked}"
    pace = sum(seconds or 0.0 for seconds, _ in rows) / sum(total for _, total in rows)
    took = duration(timedelta(seconds=max(1.0, pace * decisions + asking_s)))
    return f"About {took}, at the pace of the last {len(rows) if len(rows) > 1 else 'one'}.{asked}"


def _cutoff_warnings(parameters: BacktestParameters) -> list[str]:
    models = dict.fromkeys(model for agent in parameters.agents for model in models_behind(agent))
    told = []
    for model, cutoff in cutoffs_of(models).items() if models else ():
        label = contamination(parameters.first, [cutoff])
        if label == BEFORE:
            told.append(f"{line(model)} was trained up to {cutoff}: it may remember this period.")
        elif label != AFTER:
            told.append(f"{line(model)}: its training cutoff is unknown; it may remember this period.")
    return told


def _synthetic() -> Preset:
    return Preset("synthetic", "A made-up year", dict(USUAL))


def _last_year() -> Preset:
    """The last twelve months of which all usual symbols have stored candles."""
    title = "Last 12 months of stored candles"
    candles = Candle.objects.filter(symbol=OuterRef("name"), timeframe=USUAL_TIMEFRAME)
    rows = ListedSymbol.objects.filter(name__in=USUAL["symbols"]).annotate(
        first=Subquery(candles.order_by("open_at").values("open_at")[:1]),
        last=Subquery(candles.order_by("-open_at").values("open_at")[:1]),
    )
    stored = [(row.name, row.first, row.last) for row in rows if row.last is not None]
    if not stored:
        return Preset("year", title, None, "no real prices are kept here yet; a made-up year needs none")
    last = _midnight(min(last for _, _, last in stored) + timedelta(hours=1))
    first = max(last - YEAR, *(_midnight(first) + timedelta(days=1) for _, first, _ in stored))
    window = {"first": f"{first:%Y-%m-%d}", "last": f"{last:%Y-%m-%d}"}
    return Preset("year", title, {**USUAL, **window, "source": "stored", "symbols": [name for name, _, _ in stored]})


def _season() -> Preset:
    """What the newest season with two weeks behind it was played on."""
    title = "The weeks of a recorded season"
    public: QuerySet[Season] = Season.objects.exclude(state=SeasonState.DRAFT.value)
    newest = public.annotate(until=Max("cycles__as_of"), weeks=Max("cycles__number")).filter(weeks__gte=2)
    season = newest.order_by("state", "-id").first()
    if season is None or season.rule_book.timeframe != USUAL_TIMEFRAME:
        return Preset("season", title, None, "no season has two weeks behind it yet")
    rules, until = season.rule_book, season.until
    data = {
        **USUAL,
        "symbols": list(rules.universe),
        "source": rules.market_source if rules.market_source == "synthetic" else "stored",
        "seed": rules.market_seed,
        "first": f"{rules.market_starts_at:%Y-%m-%dT%H:%M}",
        "last": f"{until:%Y-%m-%dT%H:%M}",
        "capital": f"{rules.capital:f}",
        "fee_bps": f"{rules.fee_bps:f}",
        "slippage_bps": f"{rules.slippage_bps:f}",
    }
    return Preset("season", f"{title}: {line(season.name)}", data)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
