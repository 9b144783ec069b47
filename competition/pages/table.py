"""The leaderboard's table: who is shown, in which order, with which figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db.models import QuerySet

from competition.core.ranking import StandingRow
from competition.models import Season, Standing, StandingQuerySet
from competition.pages.columns import KINDS, RETURNS, STRETCHES, Heading, Wish, arranged, headings
from competition.pages.curves import Curves, spark_values
from competition.pages.figures import NOTHING, Figure, money, percent, points, signed_percent
from competition.pages.frame import NotThere
from competition.pages.history import Way, ways
from competition.pages.holdings import CASH, books_now
from competition.pages.names import Contestant, EntryName
from competition.pages.pictures import Segment, Spark, hues_of, segments, spark
from competition.pages.progress import Progress

ROWS_PER_PAGE = 50


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
    """The leaderboard itself; `legend` names the colours of the allocation bars.

    `kinds` are links, the other choices fields of one form; `find` is what was searched for, `sort` as in the address.
    """

    headings: tuple[Heading, ...]
    kinds: tuple[Choice, ...]
    vendors: tuple[Choice, ...]
    stretches: tuple[Choice, ...]
    returns: tuple[Choice, ...]
    kind: str
    find: str
    sort: str
    seen: str
    ranked: tuple[BoardRow, ...]
    unranked: tuple[BoardRow, ...]
    newer: Way
    older: Way
    legend: tuple[tuple[str, int], ...]
    quote: str
    benchmark: str


def standing_columns(rows: StandingQuerySet) -> QuerySet[Standing, tuple[Any, ...]]:
    """Whose a standing is, by id, and what else a `StandingRow` is made of, in its order."""
    return rows.values_list("entry_id", *(field.name for field in fields(StandingRow) if field.name != "entry"))


@dataclass(frozen=True, slots=True)
class Shown:
    """The standings on one page of the board in their order, and the ways to the pages beside it."""

    rows: tuple[StandingRow, ...]
    newer: Way
    older: Way


def shown_of(board: Sequence[StandingRow], names: Mapping[str, EntryName], wish: Wish) -> Shown:
    """The page of `board` that is wished for; raises `NotThere` for an unknown vendor and a page beyond the last."""
    vendors = _vendors(names)
    if wish.vendor and wish.vendor not in vendors:
        raise NotThere(f"Nobody here is from that vendor. There are: {', '.join(vendors)}.")
    wished = arranged(board, names, wish)
    first = (wish.page - 1) * ROWS_PER_PAGE
    rows = wished[first : first + ROWS_PER_PAGE]
    around = ways("page", wish.page, has_rows=bool(rows), has_more=len(wished) > first + ROWS_PER_PAGE)
    return Shown(tuple(rows), *around)


def table_of(
    shown: Shown,
    ranks: Mapping[int | None, int],
    entries: Mapping[str, Contestant],
    names: Mapping[str, EntryName],
    wish: Wish,
    season: Season,
    curves: Curves,
    progress: Progress,
) -> Table:
    """The table of who is shown: one query. `ranks` counts how many of the whole board have each rank."""
    rules = season.rule_book
    hues = hues_of([symbol.removesuffix(rules.quote) for symbol in rules.universe])
    books = books_now([entries[row.entry] for row in shown.rows], season, progress.priced)
    rows = [
        board_row(
            row,
            names[row.entry],
            segments(books[row.entry].weights(), hues, CASH),
            spark(spark_values(curves.of(entries[row.entry].portfolio_id))),
            shares=ranks[row.rank] > 1,
        )
        for row in shown.rows
    ]
    kinds = {"", wish.kind, *(name.kind for name in names.values())}
    return Table(
        headings=headings(wish),
        kinds=_choices({value: word for value, word in KINDS.items() if value in kinds}, wish.kind),
        vendors=_choices({"": "Any vendor", **{vendor: vendor for vendor in _vendors(names)}}, wish.vendor),
        stretches=_choices(STRETCHES, str(wish.weeks or "")),
        returns=_choices(RETURNS, "gross" if wish.gross else ""),
        kind=wish.kind,
        find=wish.search,
        sort=_sort(wish),
        seen=_seen(wish, progress.week),
        ranked=tuple(row for row in rows if not row.unranked),
        unranked=tuple(row for row in rows if row.unranked),
        newer=shown.newer,
        older=shown.older,
        legend=(*hues.items(), (CASH, 0)),
        quote=rules.quote,
        benchmark=names[rules.benchmark].name if rules.benchmark in names else "",
    )


def _vendors(names: Mapping[str, EntryName]) -> list[str]:
    return sorted({name.vendor for name in names.values()})


def _choices(words: Mapping[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, word, value == chosen) for value, word in words.items())


def _sort(wish: Wish) -> str:
    """The `sort` parameter that asks for this order; empty for the order of a plain address."""
    turned = wish.falling != wish.column.falling
    return "" if wish.column.key == "rank" and not turned else ("-" if turned else "") + wish.column.key


def _seen(wish: Wish, week: int) -> str:
    """What is measured when it is not the season's own ranking; empty when it is."""
    if wish.weeks and week <= wish.weeks:
        return f"The season has {week} weeks so far, so this is all of it{', before AI cost' if wish.gross else ''}."
    if not wish.weeks and not wish.gross:
        return ""
    over = f"over the last {wish.weeks} weeks" if wish.weeks else "over the season"
    return f"Seen {over}, {'before' if wish.gross else 'after'} AI cost. The season ranks all weeks, after AI cost."


def board_row(
    row: StandingRow, name: EntryName, bar: tuple[Segment, ...], curve: Spark | None, *, shares: bool
) -> BoardRow:
    """A standing as the table shows it; `shares` says that its rank is not its alone."""
    return BoardRow(
        rank=NOTHING if row.rank is None else f"{'=' if shares else ''}{row.rank}",
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
