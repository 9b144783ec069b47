"""The archive: every season that has opened, newest first."""

from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet

from competition.core.states import CycleState, SeasonState
from competition.models import Entry, Season, Standing
from competition.pages.figures import Figure, Moment, moment, signed_percent
from competition.pages.names import EntryName, name_of

LENGTH_MAX = 200


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


def seasons_page() -> tuple[SeasonLine, ...]:
    """Every public season: three queries."""
    seasons = list(public_seasons()[:LENGTH_MAX])
    counts = dict(
        Entry.objects.filter(season__in=seasons).values_list("season").annotate(n=Count("id")).order_by("season")
    )
    leaders = _leaders({season.id: season.week or 0 for season in seasons})  # type: ignore[attr-defined]  # annotated
    return tuple(_line(season, counts.get(season.id, 0), leaders.get(season.id, [])) for season in seasons)


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
    week: int = season.week or 0  # type: ignore[attr-defined]  # annotated by `seasons_page`
    return SeasonLine(
        slug=season.slug,
        name=season.name,
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
