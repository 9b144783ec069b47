"""The states of seasons, cycles and turns, and every transition that is allowed. An undeclared one raises."""

from collections.abc import Mapping
from enum import StrEnum


class SeasonState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class CycleState(StrEnum):
    """`BRIEFING` waits for the snapshot, `ASKING` for replies, `TRADING` for fills, `CLOSING` for the board."""

    BRIEFING = "briefing"
    ASKING = "asking"
    TRADING = "trading"
    CLOSING = "closing"
    CLOSED = "closed"
    HELD = "held"
    MISSED = "missed"


class TurnState(StrEnum):
    """`ASKING` until a verdict stands, `DECIDED` until it is carried out; then settled, or quarantined on a mismatch"""

    ASKING = "asking"
    DECIDED = "decided"
    SETTLED = "settled"
    QUARANTINED = "quarantined"


TERMINAL_CYCLES = frozenset({CycleState.CLOSED, CycleState.HELD, CycleState.MISSED})
TERMINAL_TURNS = frozenset({TurnState.SETTLED, TurnState.QUARANTINED})

TRANSITIONS: Mapping[StrEnum, frozenset[StrEnum]] = {
    SeasonState.DRAFT: frozenset({SeasonState.OPEN}),
    SeasonState.OPEN: frozenset({SeasonState.CLOSED}),
    SeasonState.CLOSED: frozenset(),
    CycleState.BRIEFING: frozenset({CycleState.ASKING, CycleState.HELD}),
    CycleState.ASKING: frozenset({CycleState.TRADING}),
    CycleState.TRADING: frozenset({CycleState.CLOSING}),
    CycleState.CLOSING: frozenset({CycleState.CLOSED}),
    CycleState.CLOSED: frozenset(),
    CycleState.HELD: frozenset(),
    CycleState.MISSED: frozenset(),
    TurnState.ASKING: frozenset({TurnState.DECIDED}),
    TurnState.DECIDED: frozenset({TurnState.SETTLED, TurnState.QUARANTINED}),
    TurnState.SETTLED: frozenset(),
    TurnState.QUARANTINED: frozenset(),
}


class UndeclaredTransition(ValueError):
    """A change of state that `TRANSITIONS` does not list."""


def check_transition(old: StrEnum, new: StrEnum) -> None:
    """Raise `UndeclaredTransition` unless `old` may become `new`."""
    if new not in TRANSITIONS[old]:
        raise UndeclaredTransition(f"{type(old).__name__}: {old} may not become {new}")
