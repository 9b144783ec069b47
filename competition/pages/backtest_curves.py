"""Curves of a backtest: agents beside what doing nothing came to, where the start is 100, and their falls."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from competition.core.backtest_result import Curve
from competition.pages.curves import thinned
from competition.pages.figures import NOTHING, Moment, moment, money
from competition.pages.pictures import HUES, STILL_HEIGHT, STILL_WIDTH, polyline

POINTS_MAX = 180
FALL_POINTS_MAX, FALL_WIDTH, FALL_HEIGHT = 300, 1000, 100
_TWO_PLACES = Decimal("0.01")
YARDSTICKS = {"btc_hold": ("Bitcoin, held", "benchmark"), "equal_weight": ("All symbols, held", "equal")}


@dataclass(frozen=True, slots=True)
class Trace:
    """A curve to be drawn: `slug` is unlike any other's on the page, `tone` its stroke, `hue` its colour."""

    slug: str
    name: str
    tone: str
    hue: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class DrawnLine:
    slug: str
    name: str
    tone: str
    hue: int
    last: str
    points: str


@dataclass(frozen=True, slots=True)
class Row:
    at: Moment
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BacktestChart:
    """The picture, its data as a table, and the same data for the script that draws it."""

    title: str
    message: str
    lines: tuple[DrawnLine, ...]
    rows: tuple[Row, ...]
    start_y: str
    data: Mapping[str, Any]


def agent_traces(curves: Mapping[tuple[str, str], Curve]) -> list[Trace]:
    """Traces of agents by (slug, name), each in a colour of its own."""
    return [
        Trace(slug, name, "model", number % HUES + 1, curve)
        for number, ((slug, name), curve) in enumerate(curves.items())
    ]


def yardstick_traces(notes: Mapping[str, Any]) -> list[Trace]:
    """What doing nothing came to, as far as the backtest kept it."""
    kept = notes.get("yardsticks") or {}
    return [
        Trace(f"held-{key}", name, tone, 0, Curve(kept[key]["at_ms"], kept[key]["values"]))
        for key, (name, tone) in YARDSTICKS.items()
        if key in kept
    ]


def chart_of(title: str, traces: Sequence[Trace]) -> BacktestChart:
    """All traces over the same instants, each 100 where it begins."""
    instants = _instants(traces)
    columns = [_indexed(trace.curve, instants) for trace in traces]
    known = [value for column in columns for value in column if value is not None] or [Decimal(100)]
    low, high = min(*known, Decimal(100)), max(*known, Decimal(100))
    lines = tuple(
        DrawnLine(
            trace.slug,
            trace.name,
            trace.tone,
            trace.hue,
            _text(next((value for value in reversed(column) if value is not None), None)),
            polyline(column, STILL_WIDTH, STILL_HEIGHT, low, high),
        )
        for trace, column in zip(traces, columns, strict=True)
    )
    rows = tuple(
        Row(moment(_at(at_ms)), tuple(_text(column[index]) for column in columns))
        for index, at_ms in enumerate(instants)
    )
    start_y = polyline([Decimal(100)], STILL_WIDTH, STILL_HEIGHT, low, high).partition(",")[2]
    return BacktestChart(title, _message(lines), lines, rows, start_y, _data(lines, columns, instants))


def fall_outline(curve: Curve) -> str:
    """How far under its high a curve lay, as the outline of an area hanging from the top; empty if it never fell.

    Each stretch of it shows the deepest of the kept points within.
    """
    depths, peak = [], 0.0
    for value in curve.values:
        peak = max(peak, value)
        depths.append(1 - value / peak if peak else 0.0)
    size = max(1, -(-len(depths) // FALL_POINTS_MAX))
    shown = [max(depths[first : first + size]) for first in range(0, len(depths), size)]
    deepest = max(shown, default=0.0)
    if not deepest:
        return ""
    step = FALL_WIDTH / max(1, len(shown) - 1)
    points = [f"{index * step:.1f},{depth / deepest * FALL_HEIGHT:.1f}" for index, depth in enumerate(shown)]
    return " ".join(["0,0", *points, f"{FALL_WIDTH},0"])


def _instants(traces: Sequence[Trace]) -> list[int]:
    every = sorted({at_ms for trace in traces if trace.tone == "model" for at_ms in trace.curve.at_ms})
    return [every[index] for index in thinned(len(every) - 1, POINTS_MAX)] if every else []


def _indexed(curve: Curve, instants: Sequence[int]) -> list[Decimal | None]:
    """Where the start is 100; the last value counts until the next, and there is none outside of the curve."""
    if not curve.values or not curve.values[0]:
        return [None] * len(instants)
    indexed: list[Decimal | None] = []
    for at_ms in instants:
        if not curve.at_ms[0] <= at_ms <= curve.at_ms[-1]:
            indexed.append(None)
            continue
        value = curve.values[bisect_right(curve.at_ms, at_ms) - 1]
        indexed.append(Decimal(repr(value / curve.values[0] * 100)).quantize(_TWO_PLACES))
    return indexed


def _message(lines: Sequence[DrawnLine]) -> str:
    shown = [f"{line.name} {line.last}" for line in lines[:4]]
    more = f", and {len(lines) - 4} more" if len(lines) > 4 else ""
    return f"Where the start is 100, at the end: {', '.join(shown)}{more}."


def _data(
    lines: Sequence[DrawnLine], columns: Sequence[list[Decimal | None]], instants: Sequence[int]
) -> Mapping[str, Any]:
    return {
        "seconds": [at_ms // 1000 for at_ms in instants],
        "lines": [
            {"slug": line.slug, "tone": line.tone, "hue": line.hue, "values": column}
            for line, column in zip(lines, columns, strict=True)
        ],
    }


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)


def _text(value: Decimal | None) -> str:
    return NOTHING if value is None else money(value, 1)
