"""The status page: who is alive, what is due next, what is under way, and what went wrong lately."""

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import django
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from competition.core.findings import WORDS
from competition.core.schedule import boundary
from competition.core.states import TERMINAL_CYCLES, CycleState, SeasonState, TurnState
from competition.models import Audit, Cycle, Heartbeat, Season, Turn
from competition.pages.figures import Moment, duration, moment, relative
from competition.pages.market_status import MarketStatus, market_status
from competition.pages.names import EntryName, name_of
from competition.pages.orders_status import OrdersStatus, orders_status
from competition.pages.progress import pace
from competition.pages.reconciled import ReconciledStatus, last_look
from competition.pages.text import detail, line
from competition.pages.troubles import lost_before, lost_lately, stuck
from competition.pages.words import Mark, cycle_mark
from competition.services.reliability import own_version

STRIP_LENGTH = 12
SEASONS_MAX = 10
QUARANTINED_MAX = 20
AUDIT_FINDINGS_MAX = 10
AUDITED_EVERY = timedelta(hours=26)  # a night, and two hours for whatever held it up


@dataclass(frozen=True, slots=True)
class Beat:
    """A kind of process; it is stale when it has been silent for longer than `stale_after`."""

    name: str
    at: Moment
    age: str
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the last cycles of a season."""

    number: int
    mark: Mark
    is_late: bool


@dataclass(frozen=True, slots=True)
class SeasonStatus:
    """`next_at` is None when the calendar has no further week. `troubles` are sentences about an open season."""

    slug: str
    name: str
    is_open: bool
    source: str
    pace: str
    weeks: str
    next_at: Moment | None
    next_in: str
    is_overdue: bool
    running: Cell | None
    strip: tuple[Cell, ...]
    troubles: tuple[str, ...]
    without_decision: str


@dataclass(frozen=True, slots=True)
class Incident:
    season: str
    cycle: int
    entry: EntryName
    reason: str


@dataclass(frozen=True, slots=True)
class Invariance:
    """One invariant, and how often the last audit found it broken."""

    name: str
    words: str
    findings: int


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """The last audit of everything. `told` are its first findings in words; overdue is one that no night followed."""

    at: Moment
    age: str
    is_overdue: bool
    took: str
    findings: int
    known: int
    invariants: tuple[Invariance, ...]
    told: tuple[str, ...]

    @property
    def trouble(self) -> str:
        """What the headline says of it; empty when it found nothing."""
        found = "one fault" if self.findings == 1 else f"{self.findings:,} faults"
        return f"The last audit of the record found {found}." if self.findings else ""


@dataclass(frozen=True, slots=True)
class StatusPage:
    """`headline` sums up, `verdict` says what is wrong in full sentences."""

    at: Moment
    headline: str
    verdict: str
    beats: tuple[Beat, ...]
    stale_after: str
    seasons: tuple[SeasonStatus, ...]
    quarantined: tuple[Incident, ...]
    audit: AuditStatus | None
    market: MarketStatus
    reconciled: ReconciledStatus | None
    orders: OrdersStatus
    versions: tuple[tuple[str, str], ...]


def status_page(now: datetime) -> StatusPage:
    """Everything the status page shows: eleven queries."""
    stale_after = timedelta(seconds=max(30.0, 3 * settings.TICK_EVERY_S))
    beats = tuple(_beat(row, now, stale_after) for row in Heartbeat.objects.order_by("name"))
    seasons = _seasons(now, stale_after)
    audit = _last_audit(now)
    market = market_status(now)
    reconciled = last_look(now)
    orders = orders_status(now)
    found = [*market.troubles, *(one.trouble for one in (audit, reconciled, orders) if one and one.trouble)]
    headline, verdict = _verdict(beats, seasons, found)
    return StatusPage(
        at=moment(now),
        headline=headline,
        verdict=verdict,
        beats=beats,
        stale_after=duration(stale_after),
        seasons=seasons,
        quarantined=_quarantined(),
        audit=audit,
        market=market,
        reconciled=reconciled,
        orders=orders,
        versions=_versions(),
    )


def _beat(row: Heartbeat, now: datetime, stale_after: timedelta) -> Beat:
    return Beat(row.name, moment(row.at), relative(row.at, now), now - row.at > stale_after)


def _verdict(beats: Sequence[Beat], seasons: Sequence[SeasonStatus], found: Sequence[str]) -> tuple[str, str]:
    """A headline, and what is wrong in sentences; both calm when nothing is. `found` is of no season."""
    running = [season for season in seasons if season.is_open]
    troubles = [*_silence(beats), *(trouble for season in running for trouble in season.troubles)] if running else []
    troubles += found
    if troubles:
        return "Something needs attention.", " ".join(troubles)
    past = [f"{season.without_decision} of {line(season.name)}" for season in running if season.without_decision]
    if past:
        return "All runs again.", f"Everything is running. Lately without a decision: {'; '.join(past)}."
    return "All is well.", "Everything that should be running is running."


def _silence(beats: Sequence[Beat]) -> list[str]:
    """Who should tick and does not, while a season is open."""
    if not beats:
        return ["A season is open and nobody has ever ticked, so no week can begin."]
    silent = ", ".join(beat.name for beat in beats if beat.is_stale)
    return [f"Not heard of lately: {silent}. Weeks may open late until it is started again."] if silent else []


def _seasons(now: datetime, patience: timedelta) -> tuple[SeasonStatus, ...]:
    """The open seasons, newest first; the newest closed one when none is open."""
    public = Season.objects.exclude(state=SeasonState.DRAFT.value)
    seasons = list(public.order_by("-state", "-id")[:SEASONS_MAX])  # "open" sorts behind "closed"
    shown = [season for season in seasons if season.state == SeasonState.OPEN] or seasons[:1]
    newest: dict[int, list[Cycle]] = {season.id: [] for season in shown}
    for cycle in _last_cycles(newest):
        newest[cycle.season_id].append(cycle)
    return tuple(_season(season, newest[season.id], now, patience) for season in shown)


def _last_cycles(season_ids: Iterable[int]) -> Iterable[Cycle]:
    """The newest cycles of each season, oldest first, in one query."""
    age = Window(RowNumber(), partition_by=F("season"), order_by=F("number").desc())
    rows = Cycle.objects.filter(season__in=list(season_ids)).annotate(age=age).filter(age__lte=STRIP_LENGTH)
    return rows.order_by("season", "number")


def _season(season: Season, cycles: Sequence[Cycle], now: datetime, patience: timedelta) -> SeasonStatus:
    rules = season.rule_book
    last = cycles[-1].number if cycles else 0
    due = boundary(rules, last + 1) if season.state == SeasonState.OPEN and last < rules.cycles else None
    running = next((cycle for cycle in cycles if cycle.state not in TERMINAL_CYCLES), None)
    is_overdue = running is None and due is not None and now - due > patience
    return SeasonStatus(
        slug=season.slug,
        name=line(season.name),
        is_open=season.state == SeasonState.OPEN,
        source=rules.market_source,
        pace=pace(season),
        weeks=f"{last} of {rules.cycles:,}",
        next_at=moment(due) if due else None,
        next_in=relative(due, now) if due else "",
        is_overdue=is_overdue,
        running=_cell(running) if running else None,
        strip=tuple(_cell(cycle) for cycle in cycles),
        troubles=tuple(_troubles(season, cycles, is_overdue, now, patience)),
        without_decision=lost_before(cycles),
    )


def _troubles(
    season: Season, cycles: Sequence[Cycle], is_overdue: bool, now: datetime, patience: timedelta
) -> Iterator[str]:
    if is_overdue:
        yield f"A week of {line(season.name)} is due and has not opened."
    for cycle in cycles:
        why = "" if cycle.state in TERMINAL_CYCLES else stuck(cycle, season.rule_book, now, patience)
        if why:
            yield f"Week {cycle.number} of {line(season.name)} {why}."
    if lost := lost_lately(cycles):
        yield f"In {line(season.name)} {lost}."


def _cell(cycle: Cycle) -> Cell:
    return Cell(cycle.number, cycle_mark(cycle.state), cycle.is_late and cycle.state != CycleState.MISSED)


def _quarantined() -> tuple[Incident, ...]:
    rows = (
        Turn.objects.filter(state=TurnState.QUARANTINED.value)
        .select_related("cycle__season", "entry__agent")
        .order_by("-settled_at")[:QUARANTINED_MAX]
    )
    return tuple(
        Incident(turn.cycle.season.slug, turn.cycle.number, name_of(turn.entry), detail(turn.trade_reason))
        for turn in rows
    )


def _last_audit(now: datetime) -> AuditStatus | None:
    row = Audit.objects.filter(season="").defer("seals").order_by("-id").first()
    if row is None:
        return None
    found = [one for one in row.findings if not one["known"]]
    return AuditStatus(
        at=moment(row.at),
        age=relative(row.at, now),
        is_overdue=now - row.at > AUDITED_EVERY,
        took=duration(timedelta(seconds=max(float(row.seconds), 1))),
        findings=row.findings_count,
        known=row.known_count,
        invariants=tuple(
            Invariance(name.value, words, row.counts[name.value]) for name, words in WORDS.items() if name in row.counts
        ),
        told=tuple(line(f"{one['subject']}: {one['sentence']}") for one in found[:AUDIT_FINDINGS_MAX]),
    )


def _versions() -> tuple[tuple[str, str], ...]:
    return (
        ("Open Outcry", own_version()),
        ("Django", django.get_version()),
        ("Python", platform.python_version()),
        ("PostgreSQL", _postgres_version(cast(DatabaseWrapper, connection).pg_version)),
    )


def _postgres_version(number: int) -> str:
    """180001 is 18.1."""
    return f"{number // 10_000}.{number % 10_000}"
