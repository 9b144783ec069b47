"""Who takes part no more, and how they ended: a board of survivors alone would flatter everybody on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from competition.core.states import SeasonState
from competition.models import Cycle, Entry, Standing
from competition.pages.addresses import address
from competition.pages.figures import NOTHING, Figure, signed_percent
from competition.pages.frame import Link
from competition.pages.names import EntryName, name_of
from competition.pages.text import line

RETIRED_MAX = 40
_TOLD = ("slug", "season__slug", "season__name", "agent__name", "agent__kind", "agent__model")


@dataclass(frozen=True, slots=True)
class Retired:
    """An agent that takes part in no open season, by its last entry: `href` leads to that, `season` to its board."""

    entry: EntryName
    href: str
    season: Link
    rank: str
    unranked: str
    net_return: Figure | None


@dataclass(frozen=True, slots=True)
class Retirement:
    """The newest retired; `more` is how many others there are."""

    lines: tuple[Retired, ...]
    more: int


def retirement() -> Retirement:
    """Everybody who took part in a season that has ended and in none that is open: three queries."""
    playing = Entry.objects.filter(season__state=SeasonState.OPEN.value).values("agent__slug")
    gone = Entry.objects.filter(season__state=SeasonState.CLOSED.value).exclude(agent__slug__in=playing)
    last = gone.order_by("agent__slug", "-season").distinct("agent__slug")
    ids = sorted(last.values_list("id", flat=True), reverse=True)
    return Retirement(_lines(ids[:RETIRED_MAX]), max(0, len(ids) - RETIRED_MAX))


def _lines(entry_ids: Sequence[int]) -> tuple[Retired, ...]:
    """How these stood when the last cycle of their season had closed."""
    last = Cycle.objects.closed().filter(season=OuterRef("season")).order_by("-number").values("id")[:1]
    entries = list(
        Entry.objects.filter(id__in=entry_ids)
        .select_related("agent", "season")
        .only(*_TOLD)
        .annotate(last_cycle=Subquery(last))
        .order_by("-id")
    )
    ended = Standing.objects.current().filter(entry__in=entries, cycle__in={entry.last_cycle for entry in entries})
    standings = {row.entry_id: row for row in ended.only("entry", "rank", "unranked", "net_return")}
    return tuple(_line(entry, standings.get(entry.id)) for entry in entries)


def _line(entry: Entry, standing: Standing | None) -> Retired:
    season = entry.season
    return Retired(
        entry=name_of(entry),
        href=address("entry", season.slug, entry.slug),
        season=Link(address("season", season.slug), line(season.name)),
        rank=NOTHING if standing is None or standing.rank is None else str(standing.rank),
        unranked=standing.unranked if standing else "no week has closed",
        net_return=signed_percent(standing.net_return) if standing else None,
    )
