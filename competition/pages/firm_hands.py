"""What the roles of a firm handed to each other, in readable form: stances, weights before and after, and words."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from competition.pages import text
from competition.pages.called import role_word
from competition.pages.figures import NOTHING, Figure, percent
from competition.pages.minutes import ANALYSTS, Minutes, as_text


@dataclass(frozen=True, slots=True)
class Handed:
    """What one role handed on. `points` are named remarks of its own; `raw` is an output that could not be read."""

    says: str = ""
    confidence: str = ""
    points: tuple[tuple[str, str], ...] = ()
    raw: str = ""


@dataclass(frozen=True, slots=True)
class StanceLine:
    """A symbol with the stance of each analyst and of the researcher; `is_disputed` when analysts contradict."""

    symbol: str
    analysts: tuple[Figure, ...]
    researcher: Figure
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class WeightLine:
    """A weight held, proposed by the trader, and left by the risk manager; `cut` says by how much, in points."""

    name: str
    held: str
    proposed: str
    after: str
    cut: str


def handed_on(role: str, minutes: Minutes) -> Handed:
    """The output of a role, whatever it is."""
    output = minutes.role(role).output
    if output is None:
        return Handed()
    shown = {"researcher": _note, "trader": _proposal, "risk": _ruling}.get(role)
    handed = shown(minutes) if shown else _report(role, minutes)
    return handed or Handed(raw=as_text(output))


def _report(role: str, minutes: Minutes) -> Handed | None:
    report = minutes.reports.get(role)
    if report is None:
        return None
    points = tuple(("Was missing", text.detail(missing)) for missing in report.missing)
    return Handed(text.visible(report.summary), _confidence(report.confidence), points)


def _note(minutes: Minutes) -> Handed | None:
    note = minutes.note
    if note is None:
        return None
    views = [(text.line(view.symbol), f"{stance(view.stance).text}. {text.detail(view.why)}") for view in note.views]
    dissent = [(f"Dissent of {_listed(part.analysts)}", text.detail(part.about)) for part in note.dissent]
    return Handed(text.visible(note.thesis), "", (*views, *dissent))


def _proposal(minutes: Minutes) -> Handed | None:
    proposal = minutes.proposal
    if proposal is None:
        return None
    points = (("Proposed", text.line(proposal.action)),)
    return Handed(text.visible(proposal.rationale), _confidence(proposal.confidence), points)


def _ruling(minutes: Minutes) -> Handed | None:
    ruling = minutes.ruling
    return Handed(text.visible(ruling.rationale), "", (("Ruled", text.line(ruling.ruling)),)) if ruling else None


def _listed(analysts: list[str]) -> str:
    return ", ".join(role_word(name) for name in analysts)


def _confidence(confidence: Decimal | None) -> str:
    return "" if confidence is None else percent(confidence, 0)


def stance(value: Decimal | None) -> Figure:
    """From −1, sure to fall, to +1, sure to rise."""
    if value is None:
        return Figure(NOTHING)
    sign = "up" if value > 0 else "down" if value < 0 else "flat"
    return Figure(f"{value:+.2f}".replace("-", "−") if value else "0.00", sign)


def stance_lines(minutes: Minutes) -> tuple[StanceLine, ...]:
    """Every symbol somebody has a stance on, by name."""
    reports, note = minutes.reports, minutes.note
    views = {view.symbol: view.stance for view in note.views} if note else {}
    symbols = {symbol for report in reports.values() for symbol in report.stances} | set(views)
    return tuple(
        StanceLine(
            text.line(symbol),
            tuple(stance(reports[role].stances.get(symbol) if role in reports else None) for role in ANALYSTS),
            stance(views.get(symbol)),
            symbol in minutes.dissent,
        )
        for symbol in sorted(symbols)
    )


def weight_lines(minutes: Minutes, brief: Mapping[str, Any], quote: str) -> tuple[WeightLine, ...]:
    """The trader's weights before and after the ruling, the heaviest first; nothing without a proposal."""
    proposal = minutes.proposal
    if proposal is None:
        return ()
    holdings = brief["portfolio"]["holdings"]
    held = {name: Decimal(holding["weight"]) for name, holding in holdings.items()}
    wanted = {name: share for name, share in (proposal.allocations or {}).items() if name != quote}
    before = held if proposal.action == "hold" else wanted
    after = {name: minutes.diff[name][1] if name in minutes.diff else share for name, share in before.items()}
    after |= {name: new for name, (_, new) in minutes.diff.items()}
    names = sorted(held | before | after, key=lambda name: (-before.get(name, Decimal(0)), name))
    is_ruled = minutes.ruling is not None
    lines = [_weight(name, held, before, after if is_ruled else None) for name in names]
    rest = [_rest(weights) for weights in (held, before, after)]
    return (*lines, WeightLine(f"{quote}, the rest", rest[0], rest[1], rest[2] if is_ruled else NOTHING, ""))


def _weight(
    name: str, held: Mapping[str, Decimal], before: Mapping[str, Decimal], after: Mapping[str, Decimal] | None
) -> WeightLine:
    zero = Decimal(0)
    change = after.get(name, zero) - before.get(name, zero) if after is not None else zero
    return WeightLine(
        text.line(name),
        percent(held.get(name, zero)),
        percent(before.get(name, zero)),
        NOTHING if after is None else percent(after.get(name, zero)),
        _points(change),
    )


def _points(change: Decimal) -> str:
    """A change of weight in percentage points; a small one is not rounded to none."""
    if not change:
        return ""
    text = f"{change * 100:+.1f}".replace("-", "−")
    return f"{text} points" if text[1:] != "0.0" else f"{text[0]}under 0.1 points"


def _rest(weights: Mapping[str, Decimal]) -> str:
    return percent(1 - sum(weights.values(), Decimal(0)))
