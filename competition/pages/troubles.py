"""What is wrong with the weeks of a season, in sentences: one that does not move on, those without a decision."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from competition.core.rules import Rules
from competition.core.schedule import trading_ends
from competition.core.states import TERMINAL_CYCLES, CycleState
from competition.models import Cycle
from competition.pages.figures import duration, listed
from competition.pages.text import line

_ENDS = {CycleState.HELD: "was held for everybody", CycleState.MISSED: "was missed"}


def stuck(cycle: Cycle, rules: Rules, now: datetime, patience: timedelta) -> str:
    """Why a cycle under way should be further by now; empty while it is in time. Led by a verb: `is still asking`."""
    window_ends = trading_ends(rules, cycle.deadline_at)
    due, what, since = {
        CycleState.BRIEFING: (
            cycle.opened_at + timedelta(seconds=rules.on_time_s),
            "still waits for its market snapshot",
            "it should have been briefed",
        ),
        CycleState.ASKING: (cycle.deadline_at, "is still asking", "its deadline"),
        CycleState.TRADING: (window_ends, "is still trading", "the end of its trading window"),
        CycleState.CLOSING: (window_ends, "still has no board", "the end of its trading window"),
    }[CycleState(cycle.state)]
    if now - due <= patience:
        return ""
    return f"{what}, {duration(now - due)} after {since}{_because(cycle)}"


def lost_lately(cycles: Sequence[Cycle]) -> str:
    """That the newest finished weeks passed without a decision; empty when the newest did not. Oldest first in."""
    lost: list[Cycle] = []
    for cycle in reversed([cycle for cycle in cycles if cycle.state in TERMINAL_CYCLES]):
        if cycle.state not in _ENDS:
            break
        lost.append(cycle)
    if not lost:
        return ""
    ending = f"week {lost[0].number} {_ENDS[CycleState(lost[0].state)]}{_because(lost[0])}"
    return ending if len(lost) == 1 else f"the last {len(lost)} weeks passed without a decision; {ending}"


def lost_before(cycles: Sequence[Cycle]) -> str:
    """Which of these weeks passed without a decision: `week 4` or `weeks 4 and 7`; empty when none did."""
    numbers = [str(cycle.number) for cycle in cycles if cycle.state in _ENDS]
    return f"week{'s' if len(numbers) > 1 else ''} {listed(numbers)}" if numbers else ""


def _because(cycle: Cycle) -> str:
    return f": {line(cycle.reason)}" if cycle.reason else ""
