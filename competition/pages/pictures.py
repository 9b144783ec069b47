"""Geometry of the small drawings in tables and of the chart before its script runs. Coordinates are SVG text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from competition.pages.figures import percent

SPARK_WIDTH, SPARK_HEIGHT = 96, 24
BAR_WIDTH = 100
STILL_WIDTH, STILL_HEIGHT = 1000, 320
HUES = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of an allocation bar: `hue` numbers its colour, 0 is cash."""

    name: str
    share: str
    x: str
    width: str
    hue: int


@dataclass(frozen=True, slots=True)
class Spark:
    """A polyline, and the height of the line it started from."""

    points: str
    start_y: str


def drawable(values: Sequence[str | Decimal | None]) -> list[float | None]:
    """Exact values as a drawing takes them: it is no sum of money, and a board draws thousands of them."""
    return [None if value is None else float(value) for value in values]


def polyline(
    values: Sequence[float | None], width: int, height: int, low: float, high: float, *, places: int = 1
) -> str:
    """Points of a curve between `low` (bottom) and `high` (top), gaps left out."""
    scale = (height - 2) / (high - low) if high > low else 0.0
    bottom = height - 1 if scale else height / 2  # a hair of room for the stroke; a flat curve is in the middle
    texts, tenths = _down(height, places), 10**places
    return " ".join(
        [
            f"{x},{texts[round((bottom - (value - low) * scale) * tenths)]}"
            for x, value in zip(_across(len(values), width, places), values, strict=True)
            if value is not None
        ]
    )


def spark(values: Sequence[str | Decimal | None]) -> Spark | None:
    """The curve of one entry for a table cell; None while there is nothing to draw."""
    curve = drawable(values)
    known = [value for value in curve if value is not None]
    if len(known) < 2:
        return None
    points = polyline(curve, SPARK_WIDTH, SPARK_HEIGHT, min(known), max(known))
    return Spark(points, points.partition(",")[2].partition(" ")[0])


def segments(weights: Mapping[str, Decimal], hues: Mapping[str, int], cash: str) -> tuple[Segment, ...]:
    """An allocation as parts of a bar, in the order of `hues`, what is left over being cash."""
    parts = [(name, weights[name], hues[name]) for name in hues if weights.get(name)]
    rest = 1 - sum((share for _, share, _ in parts), Decimal(0))
    if rest > Decimal("0.0005"):
        parts.append((cash, rest, 0))
    drawn = []
    x = Decimal(0)
    for name, share, hue in parts:
        drawn.append(Segment(name, percent(share), _short(x), _short(share * BAR_WIDTH), hue))
        x += share * BAR_WIDTH
    return tuple(drawn)


def hues_of(names: Sequence[str]) -> dict[str, int]:
    """A colour number from 1 to `HUES` for each name, in order, over and over."""
    return {name: index % HUES + 1 for index, name in enumerate(names)}


@lru_cache(maxsize=64)
def _across(count: int, width: int, places: int) -> tuple[str, ...]:
    """Where `count` values stand from left to right, the first and the last at the edges."""
    step = width / max(1, count - 1)
    return tuple(_short(step * index, places) for index in range(count))


@lru_cache(maxsize=16)
def _down(height: int, places: int) -> tuple[str, ...]:
    """Every place from top to bottom as text: there are fewer of them than points."""
    return tuple(_short(step / 10**places, places) for step in range(height * 10**places + 1))


def _short(number: float | Decimal, places: int = 1) -> str:
    return f"{number:.{places}f}".removesuffix(".0")
