"""Charts of equity, of seasons and of backtests: curves over the same instants, each 100 where it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from competition.pages.figures import NOTHING, Moment, moment, money
from competition.pages.names import EntryName
from competition.pages.pictures import STILL_HEIGHT, curve_path, drawable

TWO_PLACES = Decimal("0.01")
_START = 100.0


@dataclass(frozen=True, slots=True)
class Stroke:
    """A curve to be drawn: `slug` is unlike any other's on the page, `hue` its colour.

    `values` are exact, as text, None where there is none. `tone` (model, baseline, benchmark, equal) says how it is
    drawn. A curve of a season has the `entry` to go to.
    """

    slug: str
    name: str
    tone: str
    hue: int
    values: Sequence[str | None]
    entry: EntryName | None = None

    @property
    def last(self) -> str:
        return _text(next((value for value in reversed(self.values) if value is not None), None))


@dataclass(frozen=True, slots=True)
class Line:
    """A stroke as it is drawn and told in the legend."""

    slug: str
    name: str
    tone: str
    hue: int
    last: str
    path: str
    entry: EntryName | None


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one instant; `week` in a season."""

    at: Moment
    values: tuple[str, ...]
    week: int | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture with what to read in it, its data as a table, and the same data for the script that draws it.

    Table and data are made when they are asked for: a board leaves both to addresses of their own.
    """

    title: str
    message: str
    caption: str
    lines: tuple[Line, ...]
    height: int
    start: str
    strokes: Sequence[Stroke]
    instants: Sequence[datetime]
    weeks: Sequence[int]

    @property
    def width(self) -> int:
        return max(1, len(self.instants) - 1)

    @property
    def is_weekly(self) -> bool:
        return bool(self.weeks)

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(
            Row(
                moment(at),
                tuple(_text(stroke.values[index]) for stroke in self.strokes),
                self.weeks[index] if self.weeks else None,
            )
            for index, at in enumerate(self.instants)
        )

    @property
    def data(self) -> Mapping[str, Any]:
        return {
            "seconds": [int(at.timestamp()) for at in self.instants],
            "lines": [{"slug": s.slug, "tone": s.tone, "hue": s.hue, "values": s.values} for s in self.strokes],
        }


def drawn(
    title: str,
    message: str,
    caption: str,
    strokes: Sequence[Stroke],
    instants: Sequence[datetime],
    weeks: Sequence[int] = (),
) -> Chart:
    """The chart of these strokes, a value of each per instant; `weeks` are the numbers of the instants in a season."""
    curves = [drawable(stroke.values) for stroke in strokes]
    known = [_START, *(value for curve in curves for value in curve if value is not None)]
    low, high = min(known), max(known)
    height = STILL_HEIGHT if weeks else STILL_HEIGHT * 10
    lines = tuple(
        Line(
            *(stroke.slug, stroke.name, stroke.tone, stroke.hue, stroke.last),
            path=curve_path(curve, height, low, high),
            entry=stroke.entry,
        )
        for stroke, curve in zip(strokes, curves, strict=True)
    )
    start = curve_path([_START], height, low, high)
    return Chart(title, message, caption, lines, height, start, strokes, instants, weeks)


def _text(value: str | None) -> str:
    return NOTHING if value is None else money(Decimal(value), 1)
