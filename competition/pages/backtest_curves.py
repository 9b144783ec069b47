"""Curves of a backtest: agents beside what doing nothing came to, where the start is 100, and their falls."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from competition.core.backtest_result import Curve
from competition.pages.charts import TWO_PLACES, Chart, Stroke, drawn
from competition.pages.curves import thinned
from competition.pages.pictures import HUES

POINTS_MAX = 180
FALL_POINTS_MAX, FALL_WIDTH, FALL_HEIGHT = 300, 1000, 100
CAPTION = (
    f"Values after fees and slippage, at up to {POINTS_MAX} instants; figures are of all candles. "
    "In ink: bitcoin held dashed, all symbols held dotted."
)
YARDSTICKS = {"btc_hold": ("Bitcoin, held", "benchmark"), "equal_weight": ("All symbols, held", "equal")}


@dataclass(frozen=True, slots=True)
class Trace:
    """A curve to be drawn: `slug` is unlike any other's on the page, `tone` its stroke, `hue` its colour."""

    slug: str
    name: str
    tone: str
    hue: int
    curve: Curve


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


def chart_of(title: str, traces: Sequence[Trace]) -> Chart:
    """All traces over the same instants, each 100 where it begins."""
    instants = _instants(traces)
    strokes = [Stroke(t.slug, t.name, t.tone, t.hue, _indexed(t.curve, instants)) for t in traces]
    return drawn(title, _message(strokes), CAPTION, strokes, [_at(at_ms) for at_ms in instants])


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


def _indexed(curve: Curve, instants: Sequence[int]) -> list[str | None]:
    """Where the start is 100; the last value counts until the next, and there is none outside of the curve."""
    if not curve.values or not curve.values[0]:
        return [None] * len(instants)
    indexed: list[str | None] = []
    for at_ms in instants:
        if not curve.at_ms[0] <= at_ms <= curve.at_ms[-1]:
            indexed.append(None)
            continue
        value = curve.values[bisect_right(curve.at_ms, at_ms) - 1]
        indexed.append(str(Decimal(repr(value / curve.values[0] * 100)).quantize(TWO_PLACES)))
    return indexed


def _message(strokes: Sequence[Stroke]) -> str:
    shown = [f"{stroke.name} {stroke.last}" for stroke in strokes[:4]]
    more = f", and {len(strokes) - 4} more" if len(strokes) > 4 else ""
    return f"Where the start is 100, at the end: {', '.join(shown)}{more}."


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
