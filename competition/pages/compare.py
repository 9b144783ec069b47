"""Two to four entries side by side: how far apart they are, whether that means anything, and what each decided."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from django.db.models import F

from competition.core.paired import WEEKS_MIN, Paired, overlap, paired
from competition.models import Season, Standing, Turn
from competition.pages.charts import Chart
from competition.pages.curves import Curves, chart_of, read_curves
from competition.pages.figures import NOTHING, Figure, percent, points, signed_percent
from competition.pages.frame import NotThere
from competition.pages.holdings import CASH, PricedBook, books_now
from competition.pages.names import Contestant, EntryName, contestants_of, spoken
from competition.pages.pictures import Segment, hues_of, segments
from competition.pages.progress import Progress
from competition.pages.text import line
from competition.pages.words import Mark, turn_mark, weights_text

LEAST, MOST = 2, 4
WEEKS_SHOWN = 26


@dataclass(frozen=True, slots=True)
class Side:
    """One of those compared: where it stands and what it holds now."""

    entry: EntryName
    rank: str
    net_return: Figure
    drawdown: str
    coverage: str
    bar: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One against another; `verdict` says in a sentence whether the weeks tell them apart."""

    ours: EntryName
    theirs: EntryName
    mean: Figure
    interval: str
    ahead: str
    overlap: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Deeds:
    """What each decided in one week, in the order of the sides; None where it had no turn."""

    week: int
    cells: tuple[tuple[Mark, str] | None, ...]
    differ: bool


@dataclass(frozen=True, slots=True)
class ComparePage:
    """`everybody` are those to choose from, with whether they are chosen; without a choice there is nothing else."""

    everybody: tuple[tuple[EntryName, bool], ...]
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    chart: Chart | None
    deeds: tuple[Deeds, ...]
    headline: str
    hint: str


def compare_page(season: Season, slugs: Sequence[str], progress: Progress) -> ComparePage:
    """The entries of these slugs side by side: five queries. Raises `NotThere` for one that takes no part."""
    entries = contestants_of(season)
    wanted = list(dict.fromkeys(slugs))
    known = {entry.slug: entry for entry in entries}
    if any(slug not in known for slug in wanted) or len(wanted) > MOST:
        raise NotThere(f"From {LEAST} to {MOST} who take part in {line(season.name)} can be compared.")
    everybody = tuple((entry.name, entry.slug in wanted) for entry in entries)
    if len(wanted) < LEAST:
        return ComparePage(everybody, (), (), None, (), "Compare entries", f"Choose from {LEAST} to {MOST}.")
    chosen = [known[slug] for slug in wanted]
    books = books_now(chosen, season, progress.priced)
    curves = read_curves([entry.portfolio_id for entry in chosen], progress.week, season.rule_book.capital)
    pairs = tuple(_pair(one, other, curves, books) for one, other in combinations(chosen, 2))
    return ComparePage(
        everybody=everybody,
        sides=_sides(chosen, season, progress, books),
        pairs=pairs,
        chart=_chart(chosen, season, curves),
        deeds=_deeds(chosen, season, progress),
        headline=" against ".join(entry.name.name for entry in chosen),
        hint=pairs[0].verdict,
    )


def _sides(
    chosen: Sequence[Contestant], season: Season, progress: Progress, books: dict[str, PricedBook]
) -> tuple[Side, ...]:
    ids = [entry.id for entry in chosen]
    rows = Standing.objects.current().filter(cycle=progress.closed, entry__in=ids) if progress.closed else ()
    standings = {row.entry_id: row for row in rows}
    quote = season.rule_book.quote
    hues = hues_of([symbol.removesuffix(quote) for symbol in season.rule_book.universe])
    return tuple(
        _side(entry, standings.get(entry.id), segments(books[entry.slug].weights(), hues, CASH)) for entry in chosen
    )


def _side(entry: Contestant, row: Standing | None, bar: tuple[Segment, ...]) -> Side:
    if row is None:
        return Side(entry.name, NOTHING, Figure(NOTHING), NOTHING, NOTHING, bar)
    rank = NOTHING if row.rank is None else str(row.rank)
    coverage = f"{row.valid}/{row.due}"
    return Side(entry.name, rank, signed_percent(row.net_return), percent(row.max_drawdown), coverage, bar)


def _pair(one: Contestant, other: Contestant, curves: Curves, books: dict[str, PricedBook]) -> Pair:
    found = paired(*(_exact(curves.of(entry.portfolio_id)) for entry in (one, other)))
    ours, theirs = one.name, other.name
    held = [books[entry.slug].weights_with_cash() for entry in (one, other)]
    return Pair(
        ours=ours,
        theirs=theirs,
        mean=_points(found.mean) if found.weeks else Figure(NOTHING),
        interval=_interval(found),
        ahead=f"{found.ahead} of {found.weeks}",
        overlap=percent(overlap(*held), 0),
        verdict=_verdict(found, ours, theirs),
    )


def _interval(found: Paired) -> str:
    if found.low is None or found.high is None:
        return f"needs {WEEKS_MIN} weeks"
    return f"{_points(found.low).text} to {_points(found.high).text}"


def _verdict(found: Paired, ours: EntryName, theirs: EntryName) -> str:
    if found.low is None:
        return f"{found.weeks} weeks are too few to say whether {spoken(ours)} and {spoken(theirs)} differ."
    if not found.tells_apart:
        return f"{found.weeks} weeks do not tell {spoken(ours)} from {spoken(theirs)}."
    better, worse = (ours, theirs) if found.mean > 0 else (theirs, ours)
    return f"Week by week, {spoken(better)} did better than {spoken(worse)}, by more than chance alone would explain."


def _points(fraction: float) -> Figure:
    return points(Decimal(repr(fraction)), 2)


def _exact(values: Sequence[str | None]) -> list[Decimal | None]:
    return [None if value is None else Decimal(value) for value in values]


def _chart(chosen: Sequence[Contestant], season: Season, curves: Curves) -> Chart:
    names = {entry.portfolio_id: entry.name for entry in chosen}
    last = {key: next((v for v in reversed(_exact(curves.of(key))) if v is not None), Decimal(100)) for key in names}
    message = " and ".join(f"{spoken(name)} at {last[key]:.1f}" for key, name in names.items())
    benchmark = season.rule_book.benchmark
    return chart_of("Equity, start = 100", f"{message}.", names, curves, benchmark=benchmark)


def _deeds(chosen: Sequence[Contestant], season: Season, progress: Progress) -> tuple[Deeds, ...]:
    """The newest weeks, newest first: one query."""
    newest = progress.newest.number if progress.newest else 0
    turns = Turn.objects.filter(entry__in=[entry.id for entry in chosen], cycle__number__gt=newest - WEEKS_SHOWN)
    quote = season.rule_book.quote
    weeks: defaultdict[int, dict[int, tuple[Mark, str]]] = defaultdict(dict)
    for turn in turns.only("entry", "state", "verdict", "decision").annotate(week=F("cycle__number")):
        weeks[turn.week][turn.entry_id] = (turn_mark(turn), weights_text(turn, quote))
    return tuple(
        Deeds(week, cells, len(set(cells)) > 1)
        for week, by_entry in sorted(weeks.items(), reverse=True)
        for cells in [tuple(by_entry.get(entry.id) for entry in chosen)]
    )
