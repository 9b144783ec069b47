"""Geometry of the small drawings in tables and of the chart before its script runs. Coordinates are SVG text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from competition.pages.figures import percent

SPARK_HEIGHT = 48  # half a pixel each
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
    """A curve as `curve_path` writes it, `width` steps wide, and the height of the line it started from."""

    path: str
    width: int
    start_y: int


def drawable(values: Sequence[str | Decimal | None]) -> list[float | None]:
    """Exact values as a drawing takes them: it is no sum of money, and a board draws thousands of them."""
    return [None if value is None else float(value) for value in values]


def polyline(values: Sequence[float | None], width: int, height: int, low: float, high: float) -> str:
    """Points of a curve between `low` (bottom) and `high` (top), gaps left out."""
    scale = (height - 2) / (high - low) if high > low else 0.0
    bottom = height - 1 if scale else height / 2  # a hair of room for the stroke; a flat curve is in the middle
    texts = _down(height)
    return " ".join(
        [
            f"{x},{texts[round((bottom - (value - low) * scale) * 10)]}"
            for x, value in zip(_across(len(values), width), values, strict=True)
            if value is not None
        ]
    )


def curve_path(values: Sequence[float | None], height: int, low: float, high: float) -> str:
    """A curve between `low` (bottom) and `high` (top) as an SVG path: a value is one to the right of the one before it.

    It goes in steps, which are short and alike, so that twenty curves come in the first packets. Gaps are left out.
    """
    at = [index for index, value in enumerate(values) if value is not None]
    levels = _levels([value for value in values if value is not None], height, low, high)
    steps = [
        f"l{index - before}{level - level_before: d}"
        for before, index, level_before, level in zip(at, at[1:], levels, levels[1:], strict=False)
    ]
    return "".join([f"m{at[0]} {levels[0]}", *steps]) if at else ""


def _levels(values: Sequence[float], height: int, low: float, high: float) -> list[int]:
    """How far from the top each value is, in whole units."""
    scale = (height - 2) / (high - low) if high > low else 0.0
    bottom = height - 1 if scale else height / 2  # a hair of room for the stroke; a flat curve is in the middle
    return [round(bottom - (value - low) * scale) for value in values]


def spark(values: Sequence[str | Decimal | None]) -> Spark | None:
    """The curve of one entry for a table cell; None while there is nothing to draw."""
    curve = drawable(values)
    known = [value for value in curve if value is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    (start_y,) = _levels(known[:1], SPARK_HEIGHT, low, high)
    return Spark(curve_path(curve, SPARK_HEIGHT, low, high), len(curve) - 1, start_y)


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
def _across(count: int, width: int) -> tuple[str, ...]:
    """Where `count` values stand from left to right, the first and the last at the edges."""
    step = width / max(1, count - 1)
    return tuple(_short(step * index) for index in range(count))


@lru_cache(maxsize=16)
def _down(height: int) -> tuple[str, ...]:
    """Every place from top to bottom as text: there are fewer of them than points."""
    return tuple(_short(step / 10) for step in range(height * 10 + 1))


def _short(number: float | Decimal) -> str:
    return f"{number:.1f}".removesuffix(".0")
