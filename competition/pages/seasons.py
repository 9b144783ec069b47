"""The archive: every season that has opened, newest first, with its files and its head; and who retired."""

from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet

from competition.core.states import CycleState, SeasonState
from competition.models import Entry, Season, Standing
from competition.pages.exports import ExportLink, export_links
from competition.pages.figures import Figure, Moment, moment, signed_percent
from competition.pages.history import Way, ways
from competition.pages.names import EntryName, name_of
from competition.pages.retired import Retirement, retirement
from competition.pages.text import line
from competition.pages.trails import Head, heads_of

PAGE_LENGTH = 20


@dataclass(frozen=True, slots=True)
class SeasonLine:
    """A season; `leaders` are those that share rank 1 on its newest board, with their net return."""

    slug: str
    name: str
    is_open: bool
    source: str
    opened: Moment | None
    closed: Moment | None
    reason: str
    weeks: str
    entries: int
    leaders: tuple[EntryName, ...]
    net_return: Figure | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The head of a season's ledger, and the season's facts as files."""

    slug: str
    name: str
    portfolios: str
    journals: str
    sha256: str
    exports: tuple[ExportLink, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """A page of seasons with what leads to the others."""

    seasons: tuple[SeasonLine, ...]
    ledgers: tuple[Ledger, ...]
    retirement: Retirement
    newer: Way
    older: Way


def archive_page(page: int) -> Archive:
    """A page of public seasons, and who retired: seven queries. Raises `NotThere` beyond the last page."""
    rows = list(public_seasons()[(page - 1) * PAGE_LENGTH : page * PAGE_LENGTH + 1])
    seasons = rows[:PAGE_LENGTH]
    newer, older = ways("page", page, has_rows=bool(rows), has_more=len(rows) > PAGE_LENGTH)
    counts = dict(
        Entry.objects.filter(season__in=seasons).values_list("season").annotate(n=Count("id")).order_by("season")
    )
    leaders = _leaders({season.id: season.week or 0 for season in seasons})  # type: ignore[attr-defined]  # annotated
    return Archive(
        seasons=tuple(_line(season, counts.get(season.id, 0), leaders.get(season.id, [])) for season in seasons),
        ledgers=tuple(map(_ledger, heads_of(seasons))),
        retirement=retirement(),
        newer=newer,
        older=older,
    )


def _ledger(head: Head) -> Ledger:
    return Ledger(
        slug=head.slug,
        name=line(head.name),
        portfolios=f"{head.portfolios:,}",
        journals=f"{head.journals:,}",
        sha256=head.sha256,
        exports=export_links(head.slug),
    )


def public_seasons() -> QuerySet[Season]:
    """Every season that has opened, newest first, with `week` and `traded_as_of` of its last closed cycle."""
    closed = Q(cycles__state=CycleState.CLOSED.value)
    newest = {"week": Max("cycles__number", filter=closed), "traded_as_of": Max("cycles__trade_as_of", filter=closed)}
    return Season.objects.exclude(state=SeasonState.DRAFT.value).annotate(**newest).order_by("-id")


def _leaders(weeks: dict[int, int]) -> dict[int, list[Standing]]:
    """Who shares rank 1 after that week, by season."""
    newest = Q(pk__in=[])
    for season_id, week in weeks.items():
        newest |= Q(cycle__season=season_id, cycle__number=week)
    leaders: dict[int, list[Standing]] = {}
    rows = (
        Standing.objects.current().filter(newest, rank=1).select_related("cycle", "entry__agent").order_by("position")
    )
    for row in rows:
        leaders.setdefault(row.cycle.season_id, []).append(row)
    return leaders


def _line(season: Season, entries: int, leaders: list[Standing]) -> SeasonLine:
    rules = season.rule_book
    week: int = season.week or 0  # type: ignore[attr-defined]  # annotated by `public_seasons`
    return SeasonLine(
        slug=season.slug,
        name=line(season.name),
        is_open=season.state == SeasonState.OPEN,
        source=rules.market_source,
        opened=moment(season.opened_at) if season.opened_at else None,
        closed=moment(season.closed_at) if season.closed_at else None,
        reason=season.close_reason,
        weeks=f"{week:,} of {rules.cycles:,}",
        entries=entries,
        leaders=tuple(name_of(row.entry) for row in leaders),
        net_return=signed_percent(leaders[0].net_return) if leaders else None,
    )
