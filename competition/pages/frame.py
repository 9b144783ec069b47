"""What stands around every page: which season it is about, the others, and what is simulated.

A season, entry or cycle that does not exist is said to be missing, with links to what there is; no page ever shows
another one in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.http import Http404
from django.urls import reverse

from agents.models import SIMULATED_PREFIXES
from competition.core.rules import Rules
from competition.core.states import SeasonState
from competition.models import Entry, Heartbeat, Season
from competition.pages.figures import Moment
from competition.pages.stale import stale_since
from competition.pages.text import line
from portfolio.prepared import Prepared

SWITCH_LENGTH = 8

_SIMULATED = {
    (True, True): "The market is made up, and the entries marked “simulated” are scripts, not models.",
    (True, False): "The market is made up. No price here was ever paid.",
    (False, True): "The entries marked “simulated” are scripts, not models.",
    (False, False): "",
}
_SIMULATED_EXCHANGE = "Its orders go to a simulated exchange on this machine, never to Binance."


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    text: str


@dataclass(frozen=True, slots=True)
class SeasonHead:
    """The season a page is about. `simulated` says what of it is not real; empty when all is."""

    slug: str
    name: str
    is_open: bool
    weeks: int
    simulated: str
    rules_sha256: str


@dataclass(frozen=True, slots=True)
class Frame:
    """`seasons` are the newest ones, for the switch; `board` is the slug of the season that Board and Rules lead to.

    `as_of` is when the prices were taken that everybody traded at; `stale` when anything last ran, if long ago.
    """

    seasons: tuple[Link, ...] = ()
    season: SeasonHead | None = None
    board: str = ""
    as_of: Moment | None = None
    stale: Moment | None = None


class NotThere(Http404):
    """Something named in the address does not exist. `links` lead to what does."""

    def __init__(self, message: str, links: Sequence[Link] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.links = tuple(links)


def current_season() -> Season | None:
    """The newest open season, else the newest closed one; None before the first has opened."""
    return _current_first(_public()).first()


def _current_first(seasons: QuerySet[Season]) -> QuerySet[Season]:
    """Open ones before closed ones, each newest first."""
    is_open = ExpressionWrapper(Q(state=SeasonState.OPEN.value), output_field=BooleanField())
    return seasons.order_by(is_open.desc(), "-id")


def season_named(slug: str) -> Season:
    """The season of this slug; raises `NotThere` for an unknown one and for a draft."""
    season = _public().filter(slug=slug).first()
    if season is None:
        raise NotThere("There is no season of this name.", season_links())
    return season


def frame_of(season: Season, as_of: Moment | None = None, *, now: datetime | None = None) -> Frame:
    """The frame of a page about one season, which must come from `current_season` or `season_named`.

    Without `now` it says nothing about staleness: a page that is kept until the season changes could not.
    """
    beat: datetime | None = season.beat_at  # type: ignore[attr-defined]  # annotated by `_public`
    stale = stale_since(now, beat) if now and season.state == SeasonState.OPEN else None
    return Frame(season_links(), head_of(season), season.slug, as_of, stale)


def head_of(season: Season) -> SeasonHead:
    """The season as the frame names it."""
    has_offline: bool = season.has_offline  # type: ignore[attr-defined]  # annotated by `_public`
    return SeasonHead(
        slug=season.slug,
        name=line(season.name),
        is_open=season.state == SeasonState.OPEN,
        weeks=season.rule_book.cycles,
        simulated=_simulated(season.rule_book, has_offline),
        rules_sha256=season.rules_sha256,
    )


def _simulated(rules: Rules, has_offline: bool) -> str:
    exchange = _SIMULATED_EXCHANGE if rules.exchange == "double" else ""
    return f"{_SIMULATED[rules.market_source == 'synthetic', has_offline]} {exchange}".strip()


def season_links() -> tuple[Link, ...]:
    """Links to the newest seasons, open ones first."""
    return _links(_listed())


def archive_frame() -> Frame:
    """The frame of pages that are about no season in particular; Board and Rules are those of the current one."""
    listed = _listed()
    return Frame(_links(listed), board=listed[0][0] if listed else "")


def _listed() -> list[tuple[str, str]]:
    """Slug and name of as many seasons as the switch shows, the current one first: one query."""
    return _SWITCH.rows()


_SWITCH = Prepared(
    lambda: _current_first(Season.objects.exclude(state=SeasonState.DRAFT.value)).values_list("slug", "name")[
        :SWITCH_LENGTH
    ]
)


def _links(listed: Sequence[tuple[str, str]]) -> tuple[Link, ...]:
    return tuple(Link(reverse("season", args=[slug]), line(name)) for slug, name in listed)


@cache
def _public() -> QuerySet[Season]:
    """The query to go on from, put together once: it is never asked itself."""
    scripted = Q.create([Q(agent__model__startswith=prefix) for prefix in SIMULATED_PREFIXES], connector=Q.OR)
    offline = Entry.objects.filter(scripted, season=OuterRef("pk"))
    beat = Heartbeat.objects.order_by("-at").values("at")[:1]
    public = Season.objects.exclude(state=SeasonState.DRAFT.value)
    return public.annotate(has_offline=Exists(offline), beat_at=Subquery(beat))
