"""The head of each season's ledger: one hash that stands for every journal in it, to be noted by whoever wants to."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from competition.core.states import SeasonState
from competition.models import Season
from competition.pages.text import line
from market.core.canonical import sha256_of
from portfolio.models import Journal, Portfolio


@dataclass(frozen=True, slots=True)
class Head:
    """`sha256` is over the newest hash of every portfolio's chain, by key; each covers all journals before it."""

    slug: str
    name: str
    is_simulated: bool
    portfolios: int
    journals: int
    sha256: str


def heads(seasons_max: int) -> tuple[Head, ...]:
    """The heads of the newest seasons that have opened: two queries."""
    public = Season.objects.exclude(state=SeasonState.DRAFT.value)
    return heads_of(list(public.order_by("-id").only("slug", "name", "rules", "state")[:seasons_max]))


def heads_of(seasons: Sequence[Season]) -> tuple[Head, ...]:
    """The heads of these seasons in their order: one query."""
    last = Journal.objects.filter(portfolio=OuterRef("pk")).order_by("-sequence")
    rows = (
        Portfolio.objects.filter(entry__season__in=[season.id for season in seasons])
        .annotate(last=Subquery(last.values("sequence")[:1]), head=Subquery(last.values("hash")[:1]))
        .filter(last__isnull=False)
        .values_list("entry__season", "key", "last", "head")
    )
    newest: dict[int, list[tuple[str, int, str]]] = {season.id: [] for season in seasons}
    for season_id, key, sequence, sha256 in rows:
        newest[season_id].append((key, sequence, sha256))
    return tuple(_head(season, sorted(newest[season.id])) for season in seasons)


def _head(season: Season, newest: list[tuple[str, int, str]]) -> Head:
    return Head(
        slug=season.slug,
        name=line(season.name),
        is_simulated=season.rules["market_source"] == "synthetic",
        portfolios=len(newest),
        journals=sum(sequence for _, sequence, _ in newest),  # sequences have no holes
        sha256=sha256_of([[key, sha256] for key, _, sha256 in newest]),
    )
