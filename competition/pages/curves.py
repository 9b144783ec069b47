"""Equity over the weeks: valuations, thinned to a bounded number of points, indexed to 100."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Min, StringAgg, TextField, Value
from django.db.models.functions import Cast

from competition.pages.charts import TWO_PLACES, Chart, Stroke, drawn
from competition.pages.names import EntryName
from competition.pages.pictures import HUES
from portfolio.models import Valuation

POINTS_MAX = 90
SPARK_POINTS_MAX = 30
CAPTION = (
    "Solid lines are models, thin dashed ones baselines. In ink: the benchmark dashed{}. Weekly values, after fees."
)


@dataclass(frozen=True, slots=True)
class Curves:
    """Indexed values by portfolio id, one per instant; None where a book was not valued."""

    weeks: tuple[int, ...]
    instants: tuple[datetime, ...]
    values: Mapping[int, tuple[Decimal | None, ...]]


def thinned(last: int, most: int) -> list[int]:
    """At most `most` whole numbers from 0 to `last`, evenly spread, both ends among them."""
    if last < most:
        return list(range(last + 1))
    return sorted({round(index * last / (most - 1)) for index in range(most)})


def read_curves(portfolio_ids: Sequence[int], last_week: int, capital: Decimal) -> Curves:
    """The curves of these portfolios from the start to `last_week`: one query."""
    weeks_shown = thinned(last_week, POINTS_MAX)
    rows = Valuation.objects.current().filter(portfolio__in=portfolio_ids, cycle_number__in=weeks_shown)
    by_week = rows.values("cycle_number").annotate(
        first=Min("at"), whose=_joined("portfolio_id"), worth=_joined("value")
    )
    weeks, instants, indexed = [], [], []
    for week, at, whose, worth in by_week.order_by("cycle_number").values_list(
        "cycle_number", "first", "whose", "worth"
    ):
        weeks.append(week)
        instants.append(at)
        indexed.append(dict(zip(map(int, whose.split()), _indexed(worth.split(), capital), strict=True)))
    return Curves(tuple(weeks), tuple(instants), {key: tuple(at.get(key) for at in indexed) for key in portfolio_ids})


def _joined(column: str) -> StringAgg:
    """All of a column as one text: thousands of values cost more to take apart as columns than as words."""
    return StringAgg(Cast(column, TextField()), delimiter=Value(" "), order_by="portfolio_id")


def _indexed(amounts: Sequence[str], capital: Decimal) -> list[Decimal]:
    return [(Decimal(amount) / capital * 100).quantize(TWO_PLACES) for amount in amounts]


def spark_values(values: Sequence[Decimal | None]) -> list[Decimal | None]:
    """A curve thinned further, for a table cell."""
    return [values[index] for index in thinned(len(values) - 1, SPARK_POINTS_MAX)] if values else []


def chart_of(
    title: str, message: str, entries: Mapping[int, EntryName], curves: Curves, *, benchmark: str, equal: str = ""
) -> Chart:
    """The chart of these entries, by portfolio id; the season's benchmark and the `equal` weights stand out."""
    tones = _tones(entries, {benchmark: "benchmark", equal: "equal"})
    strokes = [Stroke(name.slug, name.name, *tones[key], curves.values[key], name) for key, name in entries.items()]
    equals = ", equal weights dotted" if any(stroke.tone == "equal" for stroke in strokes) else ""
    return drawn(title, message, CAPTION.format(equals), strokes, curves.instants, curves.weeks)


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
