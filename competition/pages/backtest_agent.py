"""One agent of a finished backtest: its months, its worst falls, what it traded and decided, a page at a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from competition.core.backtest_parameters import AgentSpec
from competition.core.backtest_result import DecisionLine, Trade, unpacked_decisions, unpacked_trades
from competition.models import Backtest, BacktestRun
from competition.pages.backtest_figures import exact
from competition.pages.backtest_roles import RolesPart, roles_behind
from competition.pages.backtest_words import Player, player_of
from competition.pages.figures import (
    NOTHING,
    Figure,
    Moment,
    duration,
    moment,
    money,
    percent,
    price,
    quantity,
    signed_percent,
)
from competition.pages.frame import Link, NotThere
from competition.pages.history import Way
from competition.pages.text import detail, line, reply
from competition.pages.words import VERDICT_MARKS, Mark

TRADES_PER_PAGE, DECISIONS_PER_PAGE = 50, 25
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HEAT_STEPS = (0.0005, 0.03, 0.08, 0.15)  # of a month's return, either way: how strongly it is coloured
BRIEF_CHARACTERS_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A month: its return as text, and a `heat` from −4 to 4 as the name of a class."""

    text: str
    heat: str


@dataclass(frozen=True, slots=True)
class Year:
    year: str
    months: tuple[Cell, ...]
    total: Figure


@dataclass(frozen=True, slots=True)
class WorstFall:
    depth: str
    peak: Moment
    trough: Moment
    recovered: Moment | None
    lasted: str


@dataclass(frozen=True, slots=True)
class TradeLine:
    at: Moment
    side: str
    symbol: str
    quantity: str
    price: str
    amount: str
    fee: str


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision in the list; `number` counts from 1."""

    number: int
    at: Moment
    mark: Mark
    weights: str
    quote: str
    why: str
    orders: int
    traded: str


@dataclass(frozen=True, slots=True)
class Part[Row]:
    """A page of rows, `kept` of `count` being there, with the ways to its neighbours."""

    rows: tuple[Row, ...]
    kept: int
    count: int
    newer: Way
    older: Way


@dataclass(frozen=True, slots=True)
class AgentPart:
    player: Player
    others: tuple[tuple[Player, bool], ...]
    months: tuple[str, ...]
    years: tuple[Year, ...]
    falls: tuple[WorstFall, ...]
    verdicts: tuple[tuple[str, str], ...]
    trades: Part[TradeLine]
    decisions: Part[DecisionRow]


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """One decision in full. `brief` is what was shown, `left_off` characters of it are not."""

    player: Player
    row: DecisionRow
    count: int
    rationale: str
    violations: tuple[str, ...]
    skipped: tuple[str, ...]
    roles: RolesPart | None
    brief: str
    left_off: int
    before: int | None
    after: int | None


def run_named(backtest: Backtest, slug: str) -> BacktestRun:
    """What this agent came to, with everything; without a name the first one's. One query. Raises `NotThere`."""
    runs = backtest.runs.order_by("number")
    found = (runs.filter(agent=slug) if slug else runs).first()
    if found is None:
        raise NotThere(
            "Nobody of this name is in this backtest.", [Link(f"/backtests/{backtest.key}/", "The backtest")]
        )
    return found


def agent_part(backtest: Backtest, run: BacktestRun, *, trades_page: int, decisions_page: int) -> AgentPart:
    """Everything about one agent. Raises `NotThere` beyond the last page."""
    players = [player_of(AgentSpec.model_validate(agent)) for agent in backtest.parameters["agents"]]
    trades, decisions = unpacked_trades(bytes(run.trades)), unpacked_decisions(bytes(run.decisions))
    quote = str(backtest.parameters["quote"])
    shown, _, *around = _page("trades", trades, trades_page, TRADES_PER_PAGE)
    decided, number, *beside = _page("decisions", decisions, decisions_page, DECISIONS_PER_PAGE)
    rows = tuple(_decision(one, number + index + 1, quote) for index, one in enumerate(decided))
    return AgentPart(
        player=next(player for player in players if player.slug == run.agent),
        others=tuple((player, player.slug == run.agent) for player in players) if len(players) > 1 else (),
        months=MONTHS,
        years=years_of(run.metrics.get("monthly") or {}),
        falls=tuple(map(_fall, run.metrics.get("drawdowns") or ())),
        verdicts=_verdicts(run.metrics),
        trades=Part(tuple(map(_trade, shown)), len(trades), run.trades_count, *around),
        decisions=Part(rows, len(decisions), run.decisions_count, *beside),
    )


def decision_page(backtest: Backtest, run: BacktestRun, number: int) -> DecisionPage:
    """One decision, counted from 1; raises `NotThere` for one that was not kept."""
    decisions = unpacked_decisions(bytes(run.decisions))
    if not 1 <= number <= len(decisions):
        back = Link(f"/backtests/{backtest.key}/?agent={run.agent}", "The backtest")
        raise NotThere(f"There is no decision {number:,}; {len(decisions):,} of this agent were kept.", [back])
    found = decisions[number - 1]
    spec = AgentSpec.model_validate(
        next(agent for agent in backtest.parameters["agents"] if agent["slug"] == run.agent)
    )
    brief = "" if found.brief is None else json.dumps(found.brief, indent=2, ensure_ascii=False)
    shown, left_off = reply(brief, BRIEF_CHARACTERS_MAX)
    return DecisionPage(
        player=player_of(spec),
        row=_decision(found, number, str(backtest.parameters["quote"])),
        count=run.decisions_count,
        rationale=reply(found.rationale)[0],
        violations=tuple(map(detail, found.violations)),
        skipped=tuple(map(detail, found.skipped)),
        roles=roles_behind(spec, found.brief, bool(backtest.parameters["mask"])),
        brief=shown,
        left_off=left_off,
        before=number - 1 if number > 1 else None,
        after=number + 1 if number < len(decisions) else None,
    )


def years_of(monthly: Mapping[str, float]) -> tuple[Year, ...]:
    """Years of twelve months each; a month outside of the window is empty."""
    years = []
    for year in sorted({month[:4] for month in monthly}):
        returns = [monthly.get(f"{year}-{number:02}") for number in range(1, 13)]
        grown = 1.0
        for value in returns:
            grown *= 1 + (value or 0.0)
        years.append(Year(year, tuple(map(_cell, returns)), signed_percent(exact(grown - 1))))
    return tuple(years)


def _cell(value: float | None) -> Cell:
    if value is None:
        return Cell("", "none")
    steps = sum(abs(value) >= step for step in HEAT_STEPS)
    return Cell(signed_percent(exact(value)).text.removesuffix("%"), f"{'down' if value < 0 else 'up'}-{steps}")


def _page[Row](name: str, rows: Sequence[Row], page: int, length: int) -> tuple[Sequence[Row], int, Way, Way]:
    """The rows of this page, how many lie before them, and the ways to the page before and after."""
    first = (page - 1) * length
    if page > 1 and first >= len(rows):
        raise NotThere("There is nothing on this page; it lies beyond the last.")
    before: Way = {name: page - 1 if page > 2 else None} if page > 1 else None
    after: Way = {name: page + 1} if first + length < len(rows) else None
    return rows[first : first + length], first, before, after


def _fall(fall: Mapping[str, Any]) -> WorstFall:
    recovered = fall["recovered_ms"]
    return WorstFall(
        depth=percent(exact(fall["depth"])),
        peak=_at(fall["peak_ms"]),
        trough=_at(fall["trough_ms"]),
        recovered=None if recovered is None else _at(recovered),
        lasted=NOTHING if recovered is None else duration(timedelta(milliseconds=recovered - fall["peak_ms"])),
    )


def _verdicts(metrics: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """How its decisions ended, in words with their counts."""
    counted = [(VERDICT_MARKS[verdict][0], f"{count:,}") for verdict, count in (metrics.get("verdicts") or {}).items()]
    others = (("Near its target already", "decisions_near_target"), ("Decided nothing", "moments_without_decision"))
    return (*counted, *((words, f"{metrics[name]:,}") for words, name in others if metrics.get(name)))


def _trade(trade: Trade) -> TradeLine:
    return TradeLine(
        at=_moment(trade.at),
        side=trade.side,
        symbol=trade.symbol,
        quantity=quantity(Decimal(trade.quantity)),
        price=price(Decimal(trade.price)),
        amount=money(Decimal(trade.quote_amount)),
        fee=money(Decimal(trade.fee), 4),
    )


def _decision(found: DecisionLine, number: int, quote: str) -> DecisionRow:
    shares = sorted(((Decimal(weight), name) for name, weight in found.weights.items()), reverse=True)
    return DecisionRow(
        number=number,
        at=_moment(found.as_of),
        mark=Mark(*VERDICT_MARKS[found.verdict]),
        weights=line(", ".join(f"{name.removesuffix(quote) or name} {percent(share)}" for share, name in shares)),
        quote=line(found.rationale),
        why=line("; ".join([*filter(None, [found.reason]), *found.violations[:2]])),
        orders=found.orders,
        traded=money(Decimal(found.traded)),
    )


def _at(at_ms: int) -> Moment:
    return moment(datetime.fromtimestamp(at_ms / 1000, tz=UTC))


def _moment(text: str) -> Moment:
    return moment(datetime.fromisoformat(text))
