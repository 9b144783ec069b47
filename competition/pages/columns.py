"""The leaderboard's columns: what each shows, what it sorts by, and what a visitor may ask for in the address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from competition.core.ranking import StandingRow
from competition.pages.frame import NotThere
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
    """What the address asks for: a column to sort by, its direction, and a kind of entry (empty for all)."""

    column: Column
    falling: bool
    kind: str = ""


COLUMNS: tuple[Column, ...] = (
    Column("rank", "#", "", "", False, lambda row, position, name: position),
    Column("entry", "Entry", "", "", False, lambda row, position, name: name.name.lower()),
    Column("value", "Value", "", "wide", True, lambda row, position, name: row.value),
    Column("return", "Return", "net", "", True, lambda row, position, name: row.net_return),
    Column("excess", "Excess", "vs benchmark", "", True, lambda row, position, name: _known(row.excess_return)),
    Column("drawdown", "Drawdown", "deepest", "wide", False, lambda row, position, name: row.max_drawdown),
    Column("turnover", "Turnover", "× value", "wide", True, lambda row, position, name: row.turnover),
    Column("fees", "Fees", "", "wide", True, lambda row, position, name: row.fees),
    Column("cost", "AI cost", "USD", "wide", True, lambda row, position, name: row.ai_cost),
    Column("coverage", "Coverage", "valid/due", "", True, lambda row, position, name: row.coverage),
)
KINDS: Mapping[str, str] = {"": "Everyone", "model": "Models", "firm": "Firms", "baseline": "Baselines"}

PARAMETERS = frozenset({"sort", "kind"})  # of a board's address; any other changes nothing


def wish_of(sort: str, kind: str) -> Wish:
    """Read `?sort=` (a column, with a minus for the other direction) and `?kind=`; raises `NotThere`."""
    key = sort.removeprefix("-") if sort else "rank"
    column = next((column for column in COLUMNS if column.key == key), None)
    if column is None:
        raise NotThere(f"The board cannot be sorted that way. It has: {', '.join(c.key for c in COLUMNS)}.")
    if kind not in KINDS:
        raise NotThere(f"There is no such kind of entry. There are: {', '.join(filter(None, KINDS))}.")
    return Wish(column, column.falling != sort.startswith("-"), kind)


def headings(wish: Wish) -> tuple[Heading, ...]:
    """Each column with the link that sorts by it, or turns it round when it is sorted by already."""
    return tuple(
        Heading(column.key, column.title, column.unit, column.width, *_link_and_order(column, wish))
        for column in COLUMNS
    )


def arranged(
    board: Sequence[StandingRow], names: Mapping[str, EntryName], wish: Wish
) -> tuple[list[StandingRow], list[StandingRow]]:
    """The ranked and the unranked rows of the kind wished for, each sorted as wished."""
    places = {row.entry: position for position, row in enumerate(board)}
    rows = [row for row in board if not wish.kind or names[row.entry].kind == wish.kind]

    def key(row: StandingRow) -> Decimal | str | int:
        return wish.column.sort_by(row, places[row.entry], names[row.entry])

    rows.sort(key=key, reverse=wish.falling)
    return [row for row in rows if row.rank is not None], [row for row in rows if row.rank is None]


def _link_and_order(column: Column, wish: Wish) -> tuple[str, str]:
    if column.key != wish.column.key:
        return column.key, "none"
    turned = wish.falling == column.falling
    return ("-" if turned else "") + column.key, "descending" if wish.falling else "ascending"


def _known(number: Decimal | None) -> Decimal:
    return NOBODY if number is None else number
