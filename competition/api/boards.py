"""Leaderboards, seasons and entries: the same queries and figures as their pages, unrounded."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from competition.api.answers import reads
from competition.api.envelope import Instant, Number, Part, Provenance, Success
from competition.api.sources import of_board, provenance
from competition.api.wishes import MaybeCount, MaybeId, SeasonWish, Slug, Wish, optional, season_of
from competition.core.ranking import StandingRow
from competition.models import Entry, Season
from competition.pages.board import standings_of
from competition.pages.entries import pair_named, standings_of_pair
from competition.pages.frame import season_named
from competition.pages.names import EntryName, contestants_of, habit, name_of
from competition.pages.progress import progress_of
from competition.pages.seasons import public_seasons
from market.core.indicators import rounded
from portfolio.models import Valuation

router = Router(tags=["Board"])


class Who(Part):
    """An entry wherever it is listed. A simulated one is a script, not a model."""

    slug: str
    name: str
    kind: str
    is_simulated: bool

    @classmethod
    def of(cls, entry: Entry) -> "Who":
        return cls.named(name_of(entry))

    @classmethod
    def named(cls, name: EntryName) -> "Who":
        return cls(slug=name.slug, name=name.name, kind=name.kind, is_simulated=name.is_simulated)


class Figures(Part):
    """A standing. Ratios are fractions, turnover is in portfolio values, amounts are in the season's quote asset."""

    rank: int | None
    unranked: str = Field(description="why there is no rank; empty when there is one")
    value: Number
    net_return: Number
    excess_return: Number | None = Field(description="over the season's benchmark")
    max_drawdown: Number
    turnover: Number
    fees: Number
    ai_cost: Number = Field(description="USD; counted against the net return")
    coverage: Number = Field(description="valid decisions per cycle in which one was due")
    due: int
    valid: int

    @classmethod
    def of(cls, row: StandingRow) -> "Figures":
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class Row(Part):
    entry: Who
    figures: Figures


class Leaderboard(Part):
    """The board in order of display, as it stood when cycle `cycle` closed; 0 is the start."""

    provenance: Provenance
    cycle: int
    cycles: int
    quote: str
    benchmark: str = Field(description="slug of the entry that the excess is over")
    rows: tuple[Row, ...]


@router.get(
    "/leaderboard",
    response=reads(Success[Leaderboard]),
    operation_id="leaderboard",
    summary="The leaderboard of a season",
)
def leaderboard(request: HttpRequest, wish: Query[SeasonWish]) -> Any:
    """The board of a season as its last closed cycle left it."""
    season = season_of(wish)
    progress, rules = progress_of(season), season.rule_book
    entries = contestants_of(season)
    who = {entry.slug: Who.named(entry.name) for entry in entries}
    board = standings_of(progress.closed, entries, rules)
    return Success[Leaderboard](
        data=Leaderboard(
            provenance=of_board(season, progress),
            cycle=progress.week,
            cycles=rules.cycles,
            quote=rules.quote,
            benchmark=rules.benchmark,
            rows=tuple(Row(entry=who[row.entry], figures=Figures.of(row)) for row in board),
        )
    )


class SeasonLine(Part):
    slug: str
    name: str
    is_open: bool
    provenance: Provenance
    cycles: int
    cycles_closed: int
    opened_at: Instant | None
    closed_at: Instant | None
    close_reason: str


class Seasons(Part):
    """A page of seasons, newest first. Give `next` as `before` for the page behind it; null at the end."""

    items: tuple[SeasonLine, ...]
    next: int | None


class PageWish(Wish):
    before: MaybeId = optional(description="the `next` of the page before")
    limit: int = Field(50, ge=1, le=200)


@router.get("/seasons", response=reads(Success[Seasons]), operation_id="seasons", summary="All seasons, newest first")
def seasons(request: HttpRequest, wish: Query[PageWish]) -> Any:
    """Every season that has opened, newest first."""
    rows = public_seasons()
    found = list((rows.filter(id__lt=wish.before) if wish.before else rows)[: wish.limit + 1])
    return Success[Seasons](
        data=Seasons(items=tuple(map(_season_line, found[: wish.limit])), next=next_of(found, wish.limit))
    )


def next_of(rows: Sequence[Any], limit: int) -> int | None:
    """What leads to the page behind these rows, of which there may be one more than the page is long."""
    return rows[limit - 1].id if len(rows) > limit else None


def _season_line(season: Season) -> SeasonLine:
    return SeasonLine(
        slug=season.slug,
        name=season.name,
        is_open=season.state == "open",
        provenance=provenance(season, season.traded_as_of),  # type: ignore[attr-defined]  # annotated
        cycles=season.rule_book.cycles,
        cycles_closed=season.week or 0,  # type: ignore[attr-defined]  # annotated by `public_seasons`
        opened_at=season.opened_at,
        closed_at=season.closed_at,
        close_reason=season.close_reason,
    )


class RuleBook(Part):
    """The rules of a season, as they were hashed when it opened."""

    provenance: Provenance
    name: str
    rules: dict[str, Any]
    symbols: tuple[dict[str, Any], ...] = Field(description="what is traded, with the exchange's filters as frozen")


@router.get(
    "/seasons/{slug}", response=reads(Success[RuleBook]), operation_id="season", summary="The rules of a season"
)
def season(request: HttpRequest, slug: Slug) -> Any:
    """The rules of a season and what is traded in it."""
    found = season_named(slug)
    return Success[RuleBook](
        data=RuleBook(
            provenance=of_board(found, progress_of(found)),
            name=found.name,
            rules=found.rules,
            symbols=tuple(found.symbols or ()),
        )
    )


class EntryData(Part):
    """Who an entry is and how it stands; `figures` is null before the first cycle has closed."""

    provenance: Provenance
    entry: Who
    model: str
    version: int
    number: int = Field(description="its neutral number in briefs")
    does: str = Field(description="what a scripted one does; empty for a model")
    cycle: int
    figures: Figures | None
    benchmark: Figures | None


@router.get(
    "/entries/{slug}", response=reads(Success[EntryData]), operation_id="entry", summary="An entry beside the benchmark"
)
def entry(request: HttpRequest, slug: Slug, wish: Query[SeasonWish]) -> Any:
    """Who an entry is and how it stands beside the benchmark."""
    of_season = season_of(wish)
    progress = progress_of(of_season)
    found, benchmark = pair_named(of_season, slug)
    rows = standings_of_pair([found, benchmark] if benchmark else [found], progress)
    ours, theirs = rows.get(found.slug), rows.get(of_season.rule_book.benchmark)
    return Success[EntryData](
        data=EntryData(
            provenance=of_board(of_season, progress),
            entry=Who.of(found),
            model=found.agent.model,
            version=found.agent.version,
            number=found.number,
            does=habit(found.agent),
            cycle=progress.week,
            figures=Figures.of(ours) if ours else None,
            benchmark=Figures.of(theirs) if theirs else None,
        )
    )


class Point(Part):
    """A valuation; cycle 0 is the start capital, `index` the value where that is 100."""

    cycle: int
    at: Instant
    value: Number
    index: Number


class Equity(Part):
    """Valuations, oldest first. Give `next` as `after` for those behind them; null at the end."""

    provenance: Provenance
    entry: Who
    quote: str
    items: tuple[Point, ...]
    next: int | None


class EquityWish(SeasonWish):
    after: MaybeCount = optional(description="the `next` of the page before")
    limit: int = Field(500, ge=1, le=2000)


@router.get(
    "/entries/{slug}/equity",
    response=reads(Success[Equity]),
    operation_id="entry_equity",
    summary="An entry's worth, cycle by cycle",
)
def equity(request: HttpRequest, slug: Slug, wish: Query[EquityWish]) -> Any:
    """What an entry was worth after each cycle."""
    of_season = season_of(wish)
    found, _ = pair_named(of_season, slug)
    rows = Valuation.objects.current().filter(portfolio=found.portfolio_id).order_by("cycle_number")
    values = list((rows if wish.after is None else rows.filter(cycle_number__gt=wish.after))[: wish.limit + 1])
    shown, capital = values[: wish.limit], of_season.rule_book.capital
    return Success[Equity](
        data=Equity(
            provenance=provenance(of_season, shown[-1].at if shown else None),
            entry=Who.of(found),
            quote=of_season.rule_book.quote,
            items=tuple(
                Point(cycle=row.cycle_number, at=row.at, value=row.value, index=rounded(row.value / capital * 100))
                for row in shown
            ),
            next=shown[-1].cycle_number if len(values) > wish.limit else None,
        )
    )
