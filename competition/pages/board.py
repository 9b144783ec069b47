"""The leaderboard page of a season: finished values out of a fixed number of queries, however many entries."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from competition.core.ranking import Result, StandingRow, rank
from competition.core.rules import Rules
from competition.core.states import SeasonState
from competition.models import Cycle, Season, Standing
from competition.pages.charts import Chart
from competition.pages.columns import Wish
from competition.pages.curves import Curves, chart_of, read_curves
from competition.pages.latest import Latest, latest_of
from competition.pages.lead import Lead, extremes_of, lead_of
from competition.pages.names import Contestant, EntryName, contestants_of, names_by_slug
from competition.pages.progress import Hand, Later, Progress, clock_of, later_of
from competition.pages.provisional import board_notes
from competition.pages.table import Table, shown_of, standing_columns, table_of
from competition.pages.windows import seen_as_wished
from portfolio.prepared import Given, Prepared

BY_LOT, EQUAL_WEIGHT = "baseline/random", "baseline/equal-weight"
LINES_MAX = 24  # more cannot be told apart
ZERO = Decimal(0)
_BOARD = Prepared(
    lambda: standing_columns(Standing.objects.current().filter(cycle=Given("cycle"))).order_by("position")
)


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
    symbols: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClockPart:
    """What of the page is renewed while somebody looks at it."""

    clock: tuple[Hand, ...]
    later: Later | None


def clock_part(season: Season, progress: Progress) -> ClockPart:
    """The clock by itself: no query."""
    return ClockPart(clock_of(season, progress), later_of(progress))


def board_page(season: Season, progress: Progress, wish: Wish) -> BoardPage:
    """Everything the leaderboard shows: seven queries, and three more for its last weeks alone."""
    rules = season.rule_book
    entries = contestants_of(season)
    names = names_by_slug(entries)
    closed = progress.closed
    board = standings_of(closed, entries, rules)
    wished = seen_as_wished(board, entries, closed, wish, rules)
    shown, drawn, by_slug = shown_of(wished, names, wish), _drawn(entries, board, rules), {e.slug: e for e in entries}
    needed = {entry.portfolio_id for entry in (*drawn, *(by_slug[row.entry] for row in shown.rows))}
    curves = read_curves(sorted(needed), progress.week, rules.capital)
    ranks = Counter(row.rank for row in wished)
    by_lot = [entry.slug for entry in entries if entry.model == BY_LOT]
    return BoardPage(
        week=progress.week,
        weeks=rules.cycles,
        lead=lead_of(board, names, rules, progress.week, by_lot, is_over=season.state == SeasonState.CLOSED),
        clock=clock_of(season, progress),
        chart=_chart(drawn, names, rules, curves, board),
        table=table_of(shown, ranks, by_slug, names, wish, season, curves, progress),
        latest=latest_of(closed, rules.quote, len(entries)) if closed else None,
        later=later_of(progress),
        symbols=rules.universe,
        notes=board_notes(season, closed),
    )


def standings_of(closed: Cycle | None, entries: Sequence[Contestant], rules: Rules) -> tuple[StandingRow, ...]:
    """The board as the last closed cycle left it; before the first, everybody at the start: one query."""
    if closed is None:
        start = [Result(entry.slug, (rules.capital,), ZERO, ZERO, ZERO, due=0, valid=0) for entry in entries]
        return rank(start, rules)
    slugs = {entry.id: entry.slug for entry in entries}
    return tuple(StandingRow(slugs[entry_id], *row) for entry_id, *row in _BOARD.rows(cycle=closed.id))


def equity_chart(season: Season, progress: Progress) -> Chart:
    """The chart of a board by itself, for its table and its script: four queries."""
    rules, entries = season.rule_book, contestants_of(season)
    board = standings_of(progress.closed, entries, rules)
    drawn = _drawn(entries, board, rules)
    curves = read_curves([entry.portfolio_id for entry in drawn], progress.week, rules.capital)
    return _chart(drawn, names_by_slug(entries), rules, curves, board)


def _drawn(entries: Sequence[Contestant], board: Sequence[StandingRow], rules: Rules) -> list[Contestant]:
    """Everybody, or of many the first ones, and always what they are measured by."""
    equal = next((entry.slug for entry in entries if entry.model == EQUAL_WEIGHT), "")
    shown = {rules.benchmark, equal, *(row.entry for row in board[: LINES_MAX - 2])}
    return [entry for entry in entries if len(entries) <= LINES_MAX or entry.slug in shown]


def _chart(
    drawn: Sequence[Contestant],
    names: Mapping[str, EntryName],
    rules: Rules,
    curves: Curves,
    board: Sequence[StandingRow],
) -> Chart:
    equal = next((entry.slug for entry in drawn if entry.model == EQUAL_WEIGHT), "")
    title = "Equity, start = 100" if len(drawn) == len(names) else f"Equity of {len(drawn)} entries, start = 100"
    by_portfolio = {entry.portfolio_id: names[entry.slug] for entry in drawn}
    message = extremes_of(board, names, rules)
    return chart_of(title, message, by_portfolio, curves, benchmark=rules.benchmark, equal=equal)
