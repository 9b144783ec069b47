"""Equity over the weeks: valuations, thinned to a bounded number of points, indexed to 100."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import DecimalField, F, Min, QuerySet, StringAgg, TextField, Value
from django.db.models.functions import Cast, Round

from competition.pages.charts import Chart, Stroke, drawn
from competition.pages.names import EntryName
from competition.pages.pictures import HUES
from portfolio.models import Valuation
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared

POINTS_MAX = 90
SPARK_POINTS_MAX = 30
CAPTION = (
    "Solid lines are models, thin dashed ones baselines. In ink: the benchmark dashed{}. Weekly values, after fees."
)


@dataclass(frozen=True, slots=True)
class Curves:
    """Indexed values of portfolios at the same instants.

    `places` says for each instant where a portfolio, by id, stands among the `values` of then: texts with two places,
    as most are only drawn.
    """

    weeks: tuple[int, ...]
    instants: tuple[datetime, ...]
    places: tuple[Mapping[int, int], ...]
    values: tuple[Sequence[str], ...]

    def of(self, portfolio_id: int) -> list[str | None]:
        """The values of one portfolio, exact, one per instant; None where it was not valued."""
        found = zip(self.places, self.values, strict=True)
        return [values[places[portfolio_id]] if portfolio_id in places else None for places, values in found]


@lru_cache(maxsize=256)
def thinned(last: int, most: int) -> tuple[int, ...]:
    """At most `most` whole numbers from 0 to `last`, evenly spread, both ends among them."""
    if last < most:
        return tuple(range(last + 1))
    return tuple(sorted({round(index * last / (most - 1)) for index in range(most)}))


def joined(figure: str | Round, order: str) -> StringAgg:
    """A figure of all rows of a group as one text: thousands of rows cost more to take apart than as many words."""
    return StringAgg(Cast(figure, TextField()), delimiter=Value(" "), order_by=order)


def _curves() -> QuerySet[Valuation, tuple[Any, ...]]:
    """For each week who was valued and at how much, where the start capital is 100."""
    capital = Given("capital", DecimalField())
    rows = Valuation.objects.current().filter(
        OneOf("portfolio", Given("portfolios")), OneOf("cycle_number", Given("weeks"))
    )
    by_week = rows.values("cycle_number").annotate(
        first=Min("at"),
        whose=joined("portfolio_id", "portfolio_id"),
        worth=joined(Round(F("value") / capital * 100, precision=2), "portfolio_id"),
    )
    return by_week.order_by("cycle_number").values_list("cycle_number", "first", "whose", "worth")


_CURVES = Prepared(_curves)


def read_curves(portfolio_ids: Sequence[int], last_week: int, capital: Decimal) -> Curves:
    """The curves of these portfolios from the start to `last_week`: one query."""
    weeks = thinned(last_week, POINTS_MAX)
    found = _CURVES.rows(portfolios=list(portfolio_ids), weeks=list(weeks), capital=capital)
    # who was valued is the same in every week, as a rule, and is taken apart once
    places = {whose: {int(key): place for place, key in enumerate(whose.split())} for _, _, whose, _ in found}
    return Curves(
        weeks=tuple(week for week, *_ in found),
        instants=tuple(first for _, first, *_ in found),
        places=tuple(places[whose] for _, _, whose, _ in found),
        values=tuple(worth.split() for *_, worth in found),
    )


def spark_values(values: Sequence[str | None]) -> list[str | None]:
    """A curve thinned further, for a table cell."""
    return [values[index] for index in thinned(len(values) - 1, SPARK_POINTS_MAX)] if values else []


def chart_of(
    title: str, message: str, entries: Mapping[int, EntryName], curves: Curves, *, benchmark: str, equal: str = ""
) -> Chart:
    """The chart of these entries, by portfolio id; the season's benchmark and the `equal` weights stand out."""
    tones = _tones(entries, {benchmark: "benchmark", equal: "equal"})
    strokes = [Stroke(name.slug, name.name, *tones[key], curves.of(key), name) for key, name in entries.items()]
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
