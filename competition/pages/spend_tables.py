"""A season's spending as tables: by provider, model, entry, role and week. The lines of each add up to its foot."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from competition.models import Season
from competition.pages.addresses import address
from competition.pages.called import decimals, is_simulated, role_word
from competition.pages.figures import NOTHING, percent
from competition.pages.names import EntryName
from competition.pages.spending import Share, Spending, Spent, added, provider_of
from competition.pages.text import line

LINES_MAX = 100


@dataclass(frozen=True, slots=True)
class SpendLine:
    """One line of a table, or its foot. `entry` is set where the line is about one, `href` where there is a page."""

    name: str
    href: str
    entry: EntryName | None
    is_simulated: bool
    calls: str
    failed: str
    prompt: str
    cached: str
    completion: str
    reasoning: str
    tokens: str
    usd: str
    worst: str


@dataclass(frozen=True, slots=True)
class SpendTable:
    """Lines that add up to the foot, digit by digit; what is beyond the longest list is in one line of its own."""

    slug: str
    title: str
    head: str
    lines: tuple[SpendLine, ...]
    foot: SpendLine


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    spending: Spending
    href: str = ""
    entry: EntryName | None = None
    is_simulated: bool = False


def spend_tables(season: Season, spent: Spent, names: Mapping[str, EntryName]) -> tuple[SpendTable, ...]:
    """The five tables; none without a call. `names` are the season's entries by slug."""
    if not spent.shares:
        return ()
    places = max(decimals(part.usd) for part in [*(share.spending for share in spent.shares), *spent.weeks.values()])
    tables = {
        "provider": ("By provider", "Provider", _by(spent, lambda share: provider_of(share.model), scripted=True)),
        "model": ("By model", "Model", _by(spent, lambda share: share.model, scripted=True)),
        "entry": ("By entry", "Entry", _by_entry(season, spent, names)),
        "role": ("By role", "Role", _by(spent, lambda share: role_word(share.role))),
        "week": ("By week", "Week", _by_week(season, spent)),
    }
    return tuple(_table(slug, *table, places) for slug, table in tables.items())


def _by(spent: Spent, key: Callable[[Share], str], *, scripted: bool = False) -> list[_Row]:
    return [
        _Row(line(name), spending, is_simulated=scripted and is_simulated(f"{name}/"))
        for name, spending in spent.by(key).items()
    ]


def _by_entry(season: Season, spent: Spent, names: Mapping[str, EntryName]) -> list[_Row]:
    parts = spent.by(lambda share: share.entry).items()
    return [
        _Row(names[slug].name, spending, address("entry", season.slug, slug), names[slug]) for slug, spending in parts
    ]


def _by_week(season: Season, spent: Spent) -> list[_Row]:
    return [
        _Row(f"Week {number}", spending, address("cycle", season.slug, number))
        for number, spending in spent.weeks.items()
    ]


def _table(slug: str, title: str, head: str, rows: list[_Row], places: int) -> SpendTable:
    shown, rest = rows[:LINES_MAX], rows[LINES_MAX:]
    if rest:
        shown = [*shown, _Row(f"{len(rest):,} more", _sum(rest))]
    lines = tuple(_line(row, places) for row in shown)
    return SpendTable(slug, title, head, lines, _line(_Row("All", _sum(shown)), places))


def _sum(rows: Iterable[_Row]) -> Spending:
    return added(row.spending for row in rows)


def _line(row: _Row, places: int) -> SpendLine:
    spending = row.spending
    return SpendLine(
        name=row.name,
        href=row.href,
        entry=row.entry,
        is_simulated=row.is_simulated,
        calls=f"{spending.calls:,}",
        failed=_count(spending.failed),
        prompt=_count(spending.prompt),
        cached=_count(spending.cached),
        completion=_count(spending.completion),
        reasoning=_count(spending.reasoning),
        tokens=f"{spending.tokens:,}",
        usd=f"{spending.usd:,.{places}f}",
        worst=percent(spending.worst_share) if spending.worst else NOTHING,
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else NOTHING
