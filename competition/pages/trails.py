"""The head of each season's ledger: one hash that stands for every journal in it, to be noted by whoever wants to."""

from collections.abc import Sequence
from dataclasses import dataclass

from competition.core.states import SeasonState
from competition.models import Season
from market.core.canonical import sha256_of
from portfolio.models import Journal


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
    rows = (
        Journal.objects.filter(portfolio__entry__season__in=[season.id for season in seasons])
        .order_by("portfolio", "-sequence")
        .distinct("portfolio")
        .values_list("portfolio__entry__season", "portfolio__key", "sequence", "hash")
    )
    newest: dict[int, list[tuple[str, int, str]]] = {season.id: [] for season in seasons}
    for season_id, key, sequence, sha256 in rows:
        newest[season_id].append((key, sequence, sha256))
    return tuple(_head(season, sorted(newest[season.id])) for season in seasons)


def _head(season: Season, newest: list[tuple[str, int, str]]) -> Head:
    return Head(
        slug=season.slug,
        name=season.name,
        is_simulated=season.rules["market_source"] == "synthetic",
        portfolios=len(newest),
        journals=sum(sequence for _, sequence, _ in newest),  # sequences have no holes
        sha256=sha256_of([[key, sha256] for key, _, sha256 in newest]),
    )
