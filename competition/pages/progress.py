"""How far a season is, and the clock that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Q, QuerySet, Subquery

from competition.core.schedule import boundary
from competition.core.states import TERMINAL_CYCLES, CycleState, SeasonState
from competition.models import Cycle, Season
from competition.pages.figures import Moment, every, exact_duration, moment
from competition.pages.text import line
from competition.pages.words import Mark, cycle_mark
from market.models import StoredSnapshot
from portfolio.prepared import Given, Prepared


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest cycle, the newest closed one, and the newest with trade prices (loaded); None where there is none."""

    newest: Cycle | None
    closed: Cycle | None
    priced: Cycle | None

    @property
    def week(self) -> int:
        """Number of weeks on the board."""
        return self.closed.number if self.closed else 0


@dataclass(frozen=True, slots=True)
class Later:
    """A cycle newer than the board: still running, or over without a decision."""

    number: int
    mark: Mark
    reason: str
    is_running: bool


@dataclass(frozen=True, slots=True)
class Hand:
    """One line of the clock; `note` says what to know of the instant, or why there is none.

    How far off it is, is for the visitor's own clock: a board is made when it changes, and read for days.
    """

    label: str
    at: Moment | None
    note: str
    is_counted: bool = False


def progress_of(season: Season) -> Progress:
    """The cycles a page about the present needs: one query."""
    found = [_cycle(season, row) for row in _PRESENT.rows(season=season.id)]
    cycles = sorted(found, key=lambda cycle: -cycle.number)
    return Progress(
        newest=next(iter(cycles), None),
        closed=next((cycle for cycle in cycles if cycle.state == CycleState.CLOSED), None),
        priced=next((cycle for cycle in cycles if cycle.trade_snapshot), None),
    )


def later_of(progress: Progress) -> Later | None:
    """The newest cycle, when it is not the one the board is from."""
    newest = progress.newest
    if newest is None or newest == progress.closed:
        return None
    return Later(newest.number, cycle_mark(newest.state), line(newest.reason), newest.state not in TERMINAL_CYCLES)


def clock_of(season: Season, progress: Progress) -> tuple[Hand, ...]:
    """Last decision, next decision, and how fresh the data is."""
    closed = progress.closed
    last = Hand("Last decisions", None, "none yet")
    if closed and closed.closed_at:
        last = Hand("Last decisions", moment(closed.closed_at), "", is_counted=True)
    fresh = closed.trade_as_of if closed else season.rule_book.market_starts_at
    note = "" if runs_with_the_clock(season) else "market time"
    hands = (last, _next(season, progress), Hand("Prices as of", moment(fresh) if fresh else None, note))
    return (*hands, Hand("Pace", None, pace(season)))


def as_of(progress: Progress) -> Moment | None:
    """The instant of the prices on the board."""
    closed = progress.closed
    return moment(closed.trade_as_of) if closed and closed.trade_as_of else None


def pace(season: Season) -> str:
    """How often decisions fall, and how much market passes between them."""
    rules = season.rule_book
    if runs_with_the_clock(season):
        return f"a decision {every(rules.cycle_s)}"
    return f"a decision {every(rules.cycle_s)}, for {exact_duration(rules.market_cycle_s)} of market"


def runs_with_the_clock(season: Season) -> bool:
    """Whether market time passes as fast as the clock on the wall."""
    return season.rule_book.cycle_s == season.rule_book.market_cycle_s


def _next(season: Season, progress: Progress) -> Hand:
    rules = season.rule_book
    if season.state == SeasonState.CLOSED:
        return Hand("Next decisions", None, f"none: {line(season.close_reason)}")
    number = progress.newest.number + 1 if progress.newest else 1
    if number > rules.cycles:
        return Hand("Next decisions", None, "none: the last week is under way")
    return Hand("Next decisions", moment(boundary(rules, number)), "", is_counted=True)


def _cycle(season: Season, row: Sequence[Any]) -> Cycle:
    """A cycle of the season out of its own columns and those of its trade snapshot."""
    cycle = Cycle.from_db(DEFAULT_DB_ALIAS, _CYCLE_COLUMNS, row[: len(_CYCLE_COLUMNS)])
    cycle.season = season
    if cycle.trade_snapshot_id:
        cycle.trade_snapshot = StoredSnapshot.from_db(DEFAULT_DB_ALIAS, _SNAPSHOT_COLUMNS, row[len(_CYCLE_COLUMNS) :])
    return cycle


def _present() -> QuerySet[Cycle, tuple[Any, ...]]:
    """The newest cycle of a season, the newest closed one and the newest with trade prices."""
    of_season = Cycle.objects.filter(season=Given("season"))
    marks = (Q(), Q(state=CycleState.CLOSED.value), Q(trade_snapshot__isnull=False))
    newest = [Subquery(of_season.filter(mark).order_by("-number").values("number")[:1]) for mark in marks]
    numbers = Q.create([Q(number=number) for number in newest], connector=Q.OR)
    snapshot = (f"trade_snapshot__{column}" for column in _SNAPSHOT_COLUMNS)
    return of_season.filter(numbers).values_list(*_CYCLE_COLUMNS, *snapshot)


_CYCLE_COLUMNS, _SNAPSHOT_COLUMNS = (
    tuple(field.attname for field in model._meta.concrete_fields) for model in (Cycle, StoredSnapshot)
)
_PRESENT = Prepared(_present)
