"""The page of one cycle: how far it is or how it ended, the market all were shown, and what each made of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max
from django.urls import reverse

from competition.core.states import TERMINAL_CYCLES, TURNS_OVER, CycleState, TurnState
from competition.models import Cycle, Season
from competition.pages.figures import NOTHING, Figure, Moment, listed, moment, percent, price, signed_percent
from competition.pages.frame import Link, NotThere
from competition.pages.history import Way, ways
from competition.pages.latest import EntryDeed, deeds_in
from competition.pages.progress import runs_with_the_clock
from competition.pages.provisional import board_notes
from competition.pages.text import detail, line
from competition.pages.words import VERDICT_MARKS, Mark, cycle_mark

TURNS_PER_PAGE = 60
NUMBER_MAX = 2_147_483_647  # what the database can count to

_OVER = {
    CycleState.HELD: "Nobody was asked and nobody traded: every book stayed as it was.",
    CycleState.MISSED: "Nobody was asked and nobody traded: the week passed while the system was down.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One instant in the life of a cycle; `at` is None while it has not come."""

    label: str
    at: Moment | None
    note: str


@dataclass(frozen=True, slots=True)
class Head:
    """`sentence` says how far the cycle is, or how it ended; `reason` why, when it ended early."""

    number: int
    weeks: int
    mark: Mark
    is_running: bool
    opened_late: bool
    sentence: str
    reason: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    earlier: int | None
    later: int | None


@dataclass(frozen=True, slots=True)
class MarketRow:
    """A symbol as all entries were shown it; `traded_at` is the later price orders were filled around."""

    symbol: str
    price: str
    traded_at: str
    change_1d: Figure
    change_7d: Figure
    change_28d: Figure
    volatility: str


@dataclass(frozen=True, slots=True)
class Market:
    rows: tuple[MarketRow, ...]
    missing: tuple[tuple[str, str], ...]
    off: str
    source: str
    sha256: str
    trade_sha256: str


@dataclass(frozen=True, slots=True)
class CycleHead:
    """What of the page is renewed while somebody looks at it."""

    head: Head


@dataclass(frozen=True, slots=True)
class CyclePage:
    head: Head
    market: Market | None
    turns: tuple[EntryDeed, ...]
    newer: Way
    older: Way


def cycle_numbered(season: Season, number: int) -> Cycle:
    """The cycle with its snapshots; raises `NotThere` with links to the first and the newest."""
    if number <= NUMBER_MAX:
        rows = season.cycles.select_related("snapshot", "trade_snapshot")
        cycle = rows.filter(number=number).first()
        if cycle is not None:
            return cycle
    newest = _newest(season)
    links = [
        Link(reverse("cycle", args=[season.slug, at]), f"Week {at}") for at in sorted({1, newest}) if 1 <= at <= newest
    ]
    raise NotThere(
        f"{line(season.name)} has no week {number} yet." if newest < number else "There is no such week.", links
    )


def cycle_page(season: Season, cycle: Cycle, page: int) -> CyclePage:
    """How a cycle went and what each did: four queries. Turns come `TURNS_PER_PAGE` at a time, by number."""
    head = head_of(season, cycle)
    first = (page - 1) * TURNS_PER_PAGE
    turns = deeds_in(cycle, season.rule_book.quote, first, TURNS_PER_PAGE + 1)
    newer, older = ways("page", page, has_rows=bool(turns), has_more=len(turns) > TURNS_PER_PAGE)
    return CyclePage(
        head=head,
        market=_market(cycle),
        turns=turns[:TURNS_PER_PAGE],
        newer=newer,
        older=older,
    )


def cycle_head(season: Season, cycle: Cycle) -> CycleHead:
    """The head by itself: two queries."""
    return CycleHead(head_of(season, cycle))


def head_of(season: Season, cycle: Cycle) -> Head:
    """Where the cycle stands: two queries."""
    newest = _newest(season)
    state = CycleState(cycle.state)
    return Head(
        number=cycle.number,
        weeks=season.rule_book.cycles,
        mark=cycle_mark(state),
        is_running=state not in TERMINAL_CYCLES,
        opened_late=cycle.is_late and state is not CycleState.MISSED,
        sentence=_sentence(cycle, state),
        reason=detail(cycle.reason),
        steps=_steps(season, cycle),
        notes=board_notes(season, cycle),
        earlier=cycle.number - 1 if cycle.number > 1 else None,
        later=cycle.number + 1 if cycle.number < newest else None,
    )


def _newest(season: Season) -> int:
    return season.cycles.aggregate(newest=Max("number"))["newest"] or 0


def _sentence(cycle: Cycle, state: CycleState) -> str:
    if state in _OVER:
        return _OVER[state]
    if state is CycleState.BRIEFING:
        return "The market snapshot is being taken. If there is none by the deadline, everybody holds."
    counts = Counter[tuple[str, str]]()
    for turn_state, verdict, count in cycle.turns.values_list("state", "verdict").annotate(n=Count("id")).order_by():
        counts[turn_state, verdict] = count
    everybody = counts.total()
    if state is CycleState.ASKING:
        decided = everybody - sum(count for (at, _), count in counts.items() if at == TurnState.ASKING)
        return f"{decided} of {everybody} have decided. Whoever is silent at the deadline places no order."
    if state is CycleState.TRADING and cycle.trade_snapshot is None:
        return "All verdicts are in. Trading waits for the one price snapshot that everybody trades at."
    if state is CycleState.TRADING:
        over = sum(count for (at, _), count in counts.items() if at in TURNS_OVER)
        return f"Orders are being carried out: {over} of {everybody} are settled."
    if state is CycleState.CLOSING:
        return "Every turn is settled. The board is being written."
    return f"{everybody} were asked: {_verdicts(counts)}."


def _verdicts(counts: Mapping[tuple[str, str], int]) -> str:
    """How many turns came to which verdict, in words."""
    parts = []
    for verdict, (word, _, _) in VERDICT_MARKS.items():
        count = sum(number for (_, given), number in counts.items() if given == verdict)
        parts += [f"{count} {word.lower()}"] if count else []
    return listed(parts)


def _steps(season: Season, cycle: Cycle) -> tuple[Step, ...]:
    opened = "late" if cycle.is_late else "on time"
    if cycle.state == CycleState.MISSED:
        return (_step("Due", cycle.due_at), _step("Recorded as missed", cycle.opened_at))
    steps = (
        _step("Due", cycle.due_at),
        _step("Opened", cycle.opened_at, opened),
        _step("Market as of", cycle.as_of, "" if runs_with_the_clock(season) else "market time"),
        _step("Deadline for replies", cycle.deadline_at),
        _step("Trade prices as of", cycle.trade_as_of, "one later snapshot for all" if cycle.trade_as_of else ""),
        _step("Closed", cycle.closed_at),
    )
    return steps if cycle.state != CycleState.HELD else (*steps[:4], steps[5])


def _step(label: str, at: Any, note: str = "") -> Step:
    return Step(label, moment(at) if at else None, note)


def _market(cycle: Cycle) -> Market | None:
    stored = cycle.snapshot
    if stored is None:
        return None
    later = cycle.trade_snapshot
    traded = later.content["symbols"] if later else {}
    content = stored.content
    return Market(
        rows=tuple(_market_row(name, row, traded.get(name)) for name, row in content["symbols"].items()),
        missing=tuple((name, line(reason)) for name, reason in content["missing"].items()),
        off=", ".join(content["off"]),
        source=content["source"],
        sha256=stored.sha256,
        trade_sha256=later.sha256 if later else "",
    )


def _market_row(name: str, row: Mapping[str, Any], traded: Mapping[str, Any] | None) -> MarketRow:
    return MarketRow(
        symbol=name,
        price=price(Decimal(row["price"])),
        traded_at=price(Decimal(traded["price"])) if traded else NOTHING,
        change_1d=_change(row["change_1d"]),
        change_7d=_change(row["change_7d"]),
        change_28d=_change(row["change_28d"]),
        volatility=percent(Decimal(row["volatility_28d"]), 0) if row["volatility_28d"] else NOTHING,
    )


def _change(text: str | None) -> Figure:
    return signed_percent(Decimal(text)) if text else Figure(NOTHING)
