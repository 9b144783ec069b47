"""Equity over the weeks: valuations, thinned to a bounded number of points, indexed to 100."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from competition.pages.figures import NOTHING, Moment, moment, money
from competition.pages.names import EntryName
from competition.pages.pictures import HUES, STILL_HEIGHT, STILL_WIDTH, polyline
from portfolio.models import Valuation

POINTS_MAX = 90
SPARK_POINTS_MAX = 30
_TWO_PLACES = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Curves:
    """Indexed values by portfolio id, one per instant; None where a book was not valued."""

    weeks: tuple[int, ...]
    instants: tuple[datetime, ...]
    values: Mapping[int, tuple[Decimal | None, ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of the chart: `tone` (model, baseline, benchmark, equal) says how it is drawn, `hue` in what colour."""

    entry: EntryName
    tone: str
    hue: int
    last: str
    points: str


@dataclass(frozen=True, slots=True)
class WeekRow:
    week: int
    at: Moment
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture, its data as a table, and the same data for the script that draws it."""

    title: str
    message: str
    lines: tuple[Line, ...]
    rows: tuple[WeekRow, ...]
    start_y: str
    has_equal: bool
    data: Mapping[str, Any]


def thinned(last: int, most: int) -> list[int]:
    """At most `most` whole numbers from 0 to `last`, evenly spread, both ends among them."""
    if last < most:
        return list(range(last + 1))
    return sorted({round(index * last / (most - 1)) for index in range(most)})


def read_curves(portfolio_ids: Sequence[int], last_week: int, capital: Decimal) -> Curves:
    """The curves of these portfolios from the start to `last_week`: one query."""
    values: defaultdict[int, dict[int, Decimal]] = defaultdict(dict)
    instants: dict[int, datetime] = {}
    weeks_shown = thinned(last_week, POINTS_MAX)
    rows = Valuation.objects.current().filter(portfolio__in=portfolio_ids, cycle_number__in=weeks_shown)
    for portfolio_id, week, at, value in rows.values_list("portfolio_id", "cycle_number", "at", "value"):
        values[portfolio_id][week] = (value / capital * 100).quantize(_TWO_PLACES)
        instants[week] = at
    weeks = tuple(sorted(instants))
    columns = {key: tuple(values[key].get(week) for week in weeks) for key in portfolio_ids}
    return Curves(weeks, tuple(instants[week] for week in weeks), columns)


def spark_values(values: Sequence[Decimal | None]) -> list[Decimal | None]:
    """A curve thinned further, for a table cell."""
    return [values[index] for index in thinned(len(values) - 1, SPARK_POINTS_MAX)] if values else []


def chart_of(
    title: str, message: str, entries: Mapping[int, EntryName], curves: Curves, *, benchmark: str, equal: str = ""
) -> Chart:
    """The chart of these entries, by portfolio id; the season's benchmark and the `equal` weights stand out."""
    known = [value for key in entries for value in curves.values[key] if value is not None] or [Decimal(100)]
    low, high = min(*known, Decimal(100)), max(*known, Decimal(100))
    tones = _tones(entries, {benchmark: "benchmark", equal: "equal"})
    lines = tuple(
        Line(name, *tones[key], _last(curves.values[key]), _still(curves.values[key], low, high))
        for key, name in entries.items()
    )
    rows = tuple(
        WeekRow(week, moment(at), tuple(_text(curves.values[key][index]) for key in entries))
        for index, (week, at) in enumerate(zip(curves.weeks, curves.instants, strict=True))
    )
    start_y = polyline([Decimal(100)], STILL_WIDTH, STILL_HEIGHT, low, high).partition(",")[2]
    has_equal = any(line.tone == "equal" for line in lines)
    return Chart(title, message, lines, rows, start_y, has_equal, _data(lines, list(entries), curves))


def _tones(entries: Mapping[int, EntryName], yardsticks: Mapping[str, str]) -> dict[int, tuple[str, int]]:
    """Models and baselines each run through the colours by themselves; what tells them apart is the stroke."""
    tones: dict[int, tuple[str, int]] = {}
    seen = {"model": 0, "baseline": 0}
    for key, name in entries.items():
        if name.slug in yardsticks:
            tones[key] = (yardsticks[name.slug], 0)
            continue
        tone = "baseline" if name.kind == "baseline" else "model"
        tones[key] = (tone, seen[tone] % HUES + 1)
        seen[tone] += 1
    return tones


def _data(lines: Sequence[Line], keys: Sequence[int], curves: Curves) -> dict[str, Any]:
    return {
        "seconds": [int(at.timestamp()) for at in curves.instants],
        "lines": [
            {"slug": line.entry.slug, "tone": line.tone, "hue": line.hue, "values": curves.values[key]}
            for line, key in zip(lines, keys, strict=True)
        ],
    }


def _still(values: Sequence[Decimal | None], low: Decimal, high: Decimal) -> str:
    return polyline(values, STILL_WIDTH, STILL_HEIGHT, low, high, places=0)


def _last(values: Sequence[Decimal | None]) -> str:
    return _text(next((value for value in reversed(values) if value is not None), None))


def _text(value: Decimal | None) -> str:
    return NOTHING if value is None else money(value, 1)
