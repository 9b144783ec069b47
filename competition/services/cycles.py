"""Opening cycles, freezing their snapshot and briefs, and moving them from phase to phase.

Every function may be called at any time, by any number of processes, any number of times: it looks at the row under
its lock, does what is due, or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from agents.core.brief import BoardLine, Place
from agents.models import Brief
from competition.core.engine import Seat, brief_turn
from competition.core.play import needed_but_missing, neutral_id, no_snapshot, take_snapshot
from competition.core.rules import Rules
from competition.core.schedule import (
    asking_ends,
    boundary,
    effective,
    last_due,
    market_time,
    too_late_to_open,
)
from competition.core.states import TERMINAL_CYCLES, CycleState, TurnState, check_transition
from competition.models import Cycle, Entry, EntryPause, Season, Standing, Turn
from market.core.candles import Candles
from market.core.readings import Readings
from market.core.snapshot import Snapshot
from market.core.symbols import Symbol
from market.services import store_snapshot
from portfolio.core.book import Book
from portfolio.core.decisions import VerdictKind
from portfolio.one_of import OneOf
from portfolio.prepared import Given, PreparedObjects
from portfolio.queries import books_of

MISSED_PER_LOOK_MAX = 1000
_CYCLE = PreparedObjects(lambda: Cycle.objects.select_related("season").filter(id=Given("id")))
_ENTRIES = PreparedObjects(
    lambda: Entry.objects.filter(season=Given("season")).select_related("agent", "portfolio").order_by("number")
)
_NEWEST = PreparedObjects(
    lambda: Cycle.objects.filter(OneOf("season", Given("seasons"))).order_by("season", "-number").distinct("season")
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What every step of a cycle needs of its season."""

    season: Season
    rules: Rules
    symbols: Mapping[str, Symbol]

    def entries(self) -> list[Entry]:
        """Everyone in the season, by number."""
        found = _ENTRIES.all(season=self.season.id)
        for entry in found:
            entry.season = self.season
        return found


def setting_of(season: Season) -> Setting:
    """Load a season's rules and symbols once for a step."""
    rules = season.rule_book
    return Setting(season, rules, season.symbol_book)


def books_by_portfolio(entries: Sequence[Entry]) -> dict[int, Book]:
    """The books of these entries, by portfolio id."""
    return books_of([entry.portfolio_id for entry in entries])


def seat_of(entry: Entry, number: int, rules: Rules) -> Seat:
    """The entry's place in a cycle, as the engine knows it."""
    return Seat(entry.portfolio.key, Place(number, rules.cycles, neutral_id(entry.number)))


@transaction.atomic
def open_due(season_id: int, now: datetime) -> list[Cycle]:
    """Write the rows of cycles whose boundary has passed: missed beyond the late window, at most one opened.

    A cycle opens only when all before it are terminal. Returns the rows written now.
    """
    season = Season.objects.select_for_update(skip_locked=True).filter(id=season_id).first()
    if season is None:
        return []  # another process is at it
    rules = season.rule_book
    newest = season.cycles.order_by("-number").first()
    if not is_due(rules, newest, now):
        return []
    rows = []
    first = newest.number + 1 if newest else 1
    for number in range(first, min(last_due(rules, now), first + MISSED_PER_LOOK_MAX - 1) + 1):
        rows.append(_due_cycle(season, rules, number, now))
        if rows[-1].state not in TERMINAL_CYCLES:
            break
    return Cycle.objects.bulk_create(rows)


def is_due(rules: Rules, newest: Cycle | None, now: datetime) -> bool:
    """Whether a boundary behind the newest cycle has passed, and that cycle has ended."""
    if newest and newest.state not in TERMINAL_CYCLES:
        return False
    return last_due(rules, now) > (newest.number if newest else 0)


def newest_cycles(seasons: Sequence[Season]) -> dict[int, Cycle]:
    """The last cycle of each of these seasons that has one, by season id."""
    return {cycle.season_id: cycle for cycle in _NEWEST.all(seasons=[season.id for season in seasons])}


def _due_cycle(season: Season, rules: Rules, number: int, now: datetime) -> Cycle:
    due_at = boundary(rules, number)
    if too_late_to_open(rules, number, now):
        return Cycle(
            season=season,
            number=number,
            state=CycleState.MISSED,
            due_at=due_at,
            opened_at=now,
            is_late=True,
            as_of=market_time(rules, due_at),
            deadline_at=asking_ends(rules, due_at),
            closed_at=now,
            reason=f"nobody was running between {due_at:%Y-%m-%d %H:%M:%S} UTC and the end of the late window",
        )
    opened_at = effective(due_at, now, rules.on_time_s)
    return Cycle(
        season=season,
        number=number,
        state=CycleState.BRIEFING,
        due_at=due_at,
        opened_at=opened_at,
        is_late=opened_at != due_at,
        as_of=market_time(rules, opened_at),
        deadline_at=asking_ends(rules, opened_at),
    )


def brief_cycle(cycle_id: int, now: datetime, candles: Candles, readings: Readings | None = None) -> bool:
    """Freeze the snapshot and write every entry's brief and turn. Reads the market outside the transaction.

    Without a usable snapshot it says so on the cycle, returns False, and is tried again until the asking phase would
    have ended: then the cycle is held for everybody. That needs nothing but the row, so the cycle always ends.
    """
    cycle = cycle_of(cycle_id)
    if cycle.state != CycleState.BRIEFING:
        return False
    if now >= cycle.deadline_at:
        return _hold_cycle(cycle.id, now)
    setting = setting_of(cycle.season)
    entries = setting.entries()
    snapshot = take_snapshot(candles, cycle.as_of, setting.symbols, setting.rules, readings=readings)
    books = books_by_portfolio(entries)
    missing = needed_but_missing(snapshot, list(books.values()), setting.symbols)
    if missing:
        say_why_waiting(cycle, no_snapshot(missing))
        return False
    return _write_briefs(cycle.id, setting, entries, snapshot, books, now)


def say_why_waiting(cycle: Cycle, reason: str) -> None:
    """Note on a cycle why it does not go on, unless it has gone on meanwhile."""
    waiting = Cycle.objects.filter(
        id=cycle.id, state=cycle.state, snapshot=cycle.snapshot_id, trade_snapshot=cycle.trade_snapshot_id
    )
    waiting.update(reason=reason[:500])


@transaction.atomic
def _hold_cycle(cycle_id: int, now: datetime) -> bool:
    cycle = locked(cycle_id, CycleState.BRIEFING)
    if cycle is None:
        return False
    cycle.closed_at = now
    cycle.reason = cycle.reason or "no snapshot was frozen while replies could be asked for"
    move(cycle, CycleState.HELD)
    return True


@transaction.atomic
def _write_briefs(
    cycle_id: int,
    setting: Setting,
    entries: Sequence[Entry],
    snapshot: Snapshot,
    books: Mapping[int, Book],
    now: datetime,
) -> bool:
    cycle = locked(cycle_id, CycleState.BRIEFING)
    if cycle is None:
        return False
    cycle.snapshot = store_snapshot(snapshot)
    cycle.reason = ""
    board = last_board(setting.season)
    briefs = []
    for entry in entries:
        seat = seat_of(entry, cycle.number, setting.rules)
        book = books[entry.portfolio_id]
        brief = brief_turn(seat, book, snapshot, setting.symbols, board, setting.rules)
        briefs.append(Brief(agent=entry.agent, sha256=brief.sha256, content=brief.content, created_at=now))
    Brief.objects.bulk_create(briefs)
    pairs = zip(entries, briefs, strict=True)
    pauses = {pause.entry_id: pause for pause in EntryPause.objects.in_force().filter(entry__season=setting.season)}
    Turn.objects.bulk_create(_turn(cycle, entry, brief, pauses.get(entry.id), now) for entry, brief in pairs)
    move(cycle, CycleState.ASKING)
    return True


def _turn(cycle: Cycle, entry: Entry, brief: Brief, pause: EntryPause | None, now: datetime) -> Turn:
    """A turn that waits to be asked; of an entry that is paused, one that is silent from the start."""
    turn = Turn(cycle=cycle, entry=entry, brief=brief)
    if pause:
        turn.state, turn.verdict, turn.decided_at = TurnState.DECIDED.value, VerdictKind.SILENT.value, now
        turn.verdict_reason = f"paused by {pause.who}: {pause.reason}"[:300]
    return turn


def last_board(season: Season) -> tuple[BoardLine, ...]:
    """The last closed leaderboard as briefs show it, in board order; empty before the first."""
    last = season.cycles.closed().order_by("-number").first()
    if last is None:
        return ()
    rows = Standing.objects.current().filter(cycle=last).select_related("entry").order_by("position")
    return tuple(BoardLine(neutral_id(row.entry.number), row.rank, row.net_return) for row in rows)


def cycle_of(cycle_id: int) -> Cycle:
    """The cycle with its season. Raises `Cycle.DoesNotExist`."""
    return _CYCLE.get(id=cycle_id)


def locked(cycle_id: int, state: CycleState) -> Cycle | None:
    """The cycle under its row lock if it is (still) in `state`; needs a transaction."""
    return _LOCKED.first(id=cycle_id, state=state.value)


def _locked() -> QuerySet[Cycle]:
    rows = Cycle.objects.select_for_update(of=("self",))
    return rows.select_related("season").filter(id=Given("id"), state=Given("state"))


_LOCKED = PreparedObjects(_locked)


def move(cycle: Cycle, state: CycleState) -> None:
    """Change a locked cycle's state along the declared transitions, and save it."""
    check_transition(CycleState(cycle.state), state)
    cycle.state = state
    cycle.save()
