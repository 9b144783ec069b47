"""The leaderboard page of a season: finished values out of a fixed number of queries, however many entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from competition.core.ranking import Result, StandingRow, rank
from competition.core.rules import Rules
from competition.core.states import SeasonState
from competition.models import Cycle, Entry, Season, Standing
from competition.pages.columns import KINDS, Heading, Wish, arranged, headings
from competition.pages.curves import Chart, Curves, chart_of, read_curves, spark_values
from competition.pages.figures import NOTHING, Figure, money, percent, points, signed_percent
from competition.pages.holdings import CASH, books_now
from competition.pages.latest import Latest, latest_of
from competition.pages.lead import Lead, extremes_of, lead_of
from competition.pages.names import EntryName, entries_of, names_by_slug
from competition.pages.pictures import Segment, Spark, hues_of, segments, spark
from competition.pages.progress import Hand, Later, Progress, clock_of, later_of

BY_LOT = "baseline/random"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One entry on the board; `unranked` says why it has no rank."""

    rank: str
    unranked: str
    entry: EntryName
    value: str
    net_return: Figure
    excess: Figure
    drawdown: str
    turnover: str
    fees: str
    ai_cost: str
    coverage: str
    bar: tuple[Segment, ...]
    spark: Spark | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter: the value of its parameter, its word, and whether it is on."""

    value: str
    word: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The leaderboard itself; `legend` names the colours of the allocation bars."""

    headings: tuple[Heading, ...]
    kinds: tuple[Choice, ...]
    ranked: tuple[BoardRow, ...]
    unranked: tuple[BoardRow, ...]
    legend: tuple[tuple[str, int], ...]
    quote: str
    benchmark: str


@dataclass(frozen=True, slots=True)
class BoardPage:
    week: int
    weeks: int
    lead: Lead
    clock: tuple[Hand, ...]
    chart: Chart
    table: Table
    latest: Latest | None
    later: Later | None


@dataclass(frozen=True, slots=True)
class ClockPart:
    """What of the page is renewed while somebody looks at it."""

    clock: tuple[Hand, ...]
    later: Later | None


def clock_part(season: Season, progress: Progress) -> ClockPart:
    """The clock by itself: no query."""
    return ClockPart(clock_of(season, progress), later_of(progress))


def board_page(season: Season, progress: Progress, wish: Wish) -> BoardPage:
    """Everything the leaderboard shows: seven queries."""
    rules = season.rule_book
    entries = entries_of(season)
    names = names_by_slug(entries)
    board = standings_of(progress.closed, entries, rules)
    curves = read_curves([entry.portfolio_id for entry in entries], progress.week, rules.capital)
    by_lot = [entry.slug for entry in entries if entry.agent.model == BY_LOT]
    closed = progress.closed
    return BoardPage(
        week=progress.week,
        weeks=rules.cycles,
        lead=lead_of(board, names, rules, progress.week, by_lot, is_over=season.state == SeasonState.CLOSED),
        clock=clock_of(season, progress),
        chart=_chart(entries, names, rules, curves, board),
        table=_table(board, entries, names, wish, season, curves, progress.priced),
        latest=latest_of(closed, entries, names, rules.quote) if closed else None,
        later=later_of(progress),
    )


def standings_of(closed: Cycle | None, entries: Sequence[Entry], rules: Rules) -> tuple[StandingRow, ...]:
    """The board as the last closed cycle left it; before the first, everybody at the start: one query."""
    if closed is None:
        start = [Result(entry.slug, (rules.capital,), ZERO, ZERO, ZERO, due=0, valid=0) for entry in entries]
        return rank(start, rules)
    slugs = {entry.id: entry.slug for entry in entries}
    return tuple(
        standing_row(row, slugs[row.entry_id])
        for row in Standing.objects.current().filter(cycle=closed).order_by("position")
    )


def standing_row(row: Standing, slug: str) -> StandingRow:
    """A stored standing as the value the core works with."""
    return StandingRow(
        entry=slug,
        rank=row.rank,
        unranked=row.unranked,
        value=row.value,
        net_return=row.net_return,
        excess_return=row.excess_return,
        max_drawdown=row.max_drawdown,
        turnover=row.turnover,
        fees=row.fees,
        ai_cost=row.ai_cost,
        coverage=row.coverage,
        due=row.due,
        valid=row.valid,
    )


def _table(
    board: Sequence[StandingRow],
    entries: Sequence[Entry],
    names: Mapping[str, EntryName],
    wish: Wish,
    season: Season,
    curves: Curves,
    priced: Cycle | None,
) -> Table:
    rules = season.rule_book
    hues = hues_of([symbol.removesuffix(rules.quote) for symbol in rules.universe])
    books = books_now(entries, season, priced)
    bars = {slug: segments(book.weights(), hues, CASH) for slug, book in books.items()}
    sparks = {entry.slug: spark(spark_values(curves.values[entry.portfolio_id])) for entry in entries}
    rows = {row.entry: board_row(row, names[row.entry], bars[row.entry], sparks[row.entry]) for row in board}
    ranked, unranked = arranged(board, names, wish)
    kinds = {"", wish.kind, *(name.kind for name in names.values())}
    return Table(
        headings=headings(wish),
        kinds=tuple(Choice(value, word, value == wish.kind) for value, word in KINDS.items() if value in kinds),
        ranked=tuple(rows[row.entry] for row in ranked),
        unranked=tuple(rows[row.entry] for row in unranked),
        legend=(*hues.items(), (CASH, 0)),
        quote=rules.quote,
        benchmark=names[rules.benchmark].name if rules.benchmark in names else "",
    )


def board_row(row: StandingRow, name: EntryName, bar: tuple[Segment, ...], curve: Spark | None) -> BoardRow:
    """A standing as the table shows it."""
    return BoardRow(
        rank=NOTHING if row.rank is None else str(row.rank),
        unranked=row.unranked,
        entry=name,
        value=money(row.value),
        net_return=signed_percent(row.net_return),
        excess=Figure(NOTHING) if row.excess_return is None else points(row.excess_return),
        drawdown=percent(row.max_drawdown),
        turnover=money(row.turnover),
        fees=money(row.fees),
        ai_cost=money(row.ai_cost),
        coverage=f"{row.valid}/{row.due}",
        bar=bar,
        spark=curve,
    )


def _chart(
    entries: Sequence[Entry],
    names: Mapping[str, EntryName],
    rules: Rules,
    curves: Curves,
    board: Sequence[StandingRow],
) -> Chart:
    by_portfolio = {entry.portfolio_id: names[entry.slug] for entry in entries}
    return chart_of("Equity, start = 100", extremes_of(board, names, rules), by_portfolio, rules.benchmark, curves)
