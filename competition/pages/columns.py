"""The leaderboard's columns: what each shows, what it sorts by, and what a visitor may ask for in the address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from competition.core.ranking import StandingRow
from competition.pages.frame import NotThere
from competition.pages.history import page_number
from competition.pages.names import EntryName

NOBODY = Decimal("-Infinity")  # sorts an absent figure below every other

# (row, position on the board, name of the entry) -> what to sort by
SortKey = Callable[[StandingRow, int, EntryName], Decimal | str | int]


@dataclass(frozen=True, slots=True)
class Column:
    """`width` is `wide` for what a phone leaves out; `falling` columns start with the largest."""

    key: str
    title: str
    unit: str
    width: str
    falling: bool
    sort_by: SortKey


@dataclass(frozen=True, slots=True)
class Heading:
    """A column as the page shows it: `sort` is the parameter its link sets, `order` the value of aria-sort."""

    key: str
    title: str
    unit: str
    width: str
    sort: str
    order: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address asks for: a column to sort by and its direction, who is shown, and what is measured.

    `kind`, `vendor` and `search` are empty for everybody; `weeks` is how many last weeks count, 0 for all; `page`
    counts from 1.
    """

    column: Column
    falling: bool
    kind: str = ""
    vendor: str = ""
    search: str = ""
    weeks: int = 0
    gross: bool = False
    page: int = 1

    def fits(self, name: EntryName) -> bool:
        """Whether an entry is among those to be shown."""
        return (
            self.kind in ("", name.kind)
            and self.vendor in ("", name.vendor)
            and self.search.casefold() in name.name.casefold()
        )


COLUMNS: tuple[Column, ...] = (
    Column("rank", "#", "", "", False, lambda row, position, name: position),
    Column("entry", "Entry", "", "", False, lambda row, position, name: name.name.lower()),
    Column("value", "Value", "", "wide", True, lambda row, position, name: row.value),
    Column("return", "Return", "", "", True, lambda row, position, name: row.net_return),
    Column("excess", "Excess", "vs benchmark", "", True, lambda row, position, name: _known(row.excess_return)),
    Column("drawdown", "Drawdown", "deepest", "wide", False, lambda row, position, name: row.max_drawdown),
    Column("turnover", "Turnover", "× value", "wide", True, lambda row, position, name: row.turnover),
    Column("fees", "Fees", "", "wide", True, lambda row, position, name: row.fees),
    Column("cost", "AI cost", "USD", "wide", True, lambda row, position, name: row.ai_cost),
    Column("coverage", "Coverage", "valid/due", "", True, lambda row, position, name: row.coverage),
)
STRETCHES: Mapping[str, str] = {"": "The whole season", "4": "Last 4 weeks", "12": "Last 12 weeks"}
RETURNS: Mapping[str, str] = {"": "After AI cost", "gross": "Before AI cost"}
SEARCH_CHARACTERS_MAX = 60
KINDS: Mapping[str, str] = {"": "Everyone", "model": "Models", "firm": "Firms", "baseline": "Baselines"}

PARAMETERS = frozenset({"sort", "kind", "vendor", "find", "weeks", "returns", "page"})  # all that an address may wish


def wish_of(query: Mapping[str, str]) -> Wish:
    """Read the parameters of a board's address; raises `NotThere` for a value that none of them has.

    `sort` is a column, with a minus for the other direction. A name that is no parameter is let be.
    """
    sort, kind = query.get("sort", ""), query.get("kind", "")
    key = sort.removeprefix("-") if sort else "rank"
    column = next((column for column in COLUMNS if column.key == key), None)
    if column is None:
        raise NotThere(f"The board cannot be sorted that way. It has: {', '.join(c.key for c in COLUMNS)}.")
    if kind not in KINDS:
        raise NotThere(f"There is no such kind of entry. There are: {', '.join(filter(None, KINDS))}.")
    if query.get("weeks", "") not in STRETCHES:
        raise NotThere(f"The board is not kept over that many weeks. It is over: {', '.join(filter(None, STRETCHES))}.")
    if query.get("returns", "") not in RETURNS:
        raise NotThere(f"There are no such returns. There are: {', '.join(filter(None, RETURNS))}.")
    return Wish(
        column=column,
        falling=column.falling != sort.startswith("-"),
        kind=kind,
        vendor=query.get("vendor", ""),
        search=" ".join(query.get("find", "")[:SEARCH_CHARACTERS_MAX].split()),
        weeks=int(query.get("weeks", "") or 0),
        gross=query.get("returns", "") == "gross",
        page=page_number(query.get("page", "")),
    )


def headings(wish: Wish) -> tuple[Heading, ...]:
    """Each column with the link that sorts by it, or turns it round when it is sorted by already."""
    units = {"return": "gross" if wish.gross else "net"}
    return tuple(
        Heading(
            column.key, column.title, units.get(column.key, column.unit), column.width, *_link_and_order(column, wish)
        )
        for column in COLUMNS
    )


def arranged(board: Sequence[StandingRow], names: Mapping[str, EntryName], wish: Wish) -> list[StandingRow]:
    """The rows of those who are wished for, the ranked before the unranked, each sorted as wished."""
    places = {row.entry: position for position, row in enumerate(board)}
    rows = [row for row in board if wish.fits(names[row.entry])]

    def key(row: StandingRow) -> Decimal | str | int:
        return wish.column.sort_by(row, places[row.entry], names[row.entry])

    rows.sort(key=key, reverse=wish.falling)
    return [row for row in rows if row.rank is not None] + [row for row in rows if row.rank is None]


def _link_and_order(column: Column, wish: Wish) -> tuple[str, str]:
    if column.key != wish.column.key:
        return column.key, "none"
    turned = wish.falling == column.falling
    return ("-" if turned else "") + column.key, "descending" if wish.falling else "ascending"


def _known(number: Decimal | None) -> Decimal:
    return NOBODY if number is None else number
