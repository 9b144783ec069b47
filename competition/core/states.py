"""The states of seasons, cycles, turns and backtests, and every transition allowed. An undeclared one raises."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


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
    """`ASKING` until a verdict stands, `DECIDED` until it is carried out; then settled, or quarantined on a mismatch.

    `PROVISIONAL` is over for its cycle, and settled as soon as the outcome of its last order is known.
    """

    ASKING = "asking"
    DECIDED = "decided"
    PROVISIONAL = "provisional"
    SETTLED = "settled"
    QUARANTINED = "quarantined"


class BacktestState(StrEnum):
    """`QUEUED` waits for a worker, `RUNNING` is under a lease. What failed or was cancelled may be asked for again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AnalysisState(StrEnum):
    """`QUEUED` waits for whoever ticks next, `ASKING` for the reply; ended with a verdict that moves nothing."""

    QUEUED = "queued"
    ASKING = "asking"
    ENDED = "ended"


class ErrandState(StrEnum):
    """`QUEUED` waits for a worker, `RUNNING` is under a lease; what breaks off, or whose worker is gone, has failed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


TERMINAL_CYCLES = frozenset({CycleState.CLOSED, CycleState.HELD, CycleState.MISSED})
TERMINAL_TURNS = frozenset({TurnState.SETTLED, TurnState.QUARANTINED})
POSTED = frozenset({TurnState.SETTLED, TurnState.PROVISIONAL})  # what these executed is in the ledger
TURNS_OVER = TERMINAL_TURNS | {TurnState.PROVISIONAL}  # nothing more happens to these while their cycle runs

SEASON_TRANSITIONS: Mapping[SeasonState, frozenset[SeasonState]] = {
    SeasonState.DRAFT: frozenset({SeasonState.OPEN}),
    SeasonState.OPEN: frozenset({SeasonState.CLOSED}),
    SeasonState.CLOSED: frozenset(),
}
CYCLE_TRANSITIONS: Mapping[CycleState, frozenset[CycleState]] = {
    CycleState.BRIEFING: frozenset({CycleState.ASKING, CycleState.HELD}),
    CycleState.ASKING: frozenset({CycleState.TRADING}),
    CycleState.TRADING: frozenset({CycleState.CLOSING}),
    CycleState.CLOSING: frozenset({CycleState.CLOSED}),
    CycleState.CLOSED: frozenset(),
    CycleState.HELD: frozenset(),
    CycleState.MISSED: frozenset(),
}
TURN_TRANSITIONS: Mapping[TurnState, frozenset[TurnState]] = {
    TurnState.ASKING: frozenset({TurnState.DECIDED}),
    TurnState.DECIDED: frozenset({TurnState.PROVISIONAL, TurnState.SETTLED, TurnState.QUARANTINED}),
    TurnState.PROVISIONAL: frozenset({TurnState.SETTLED}),
    TurnState.SETTLED: frozenset(),
    TurnState.QUARANTINED: frozenset(),
}
BACKTEST_TRANSITIONS: Mapping[BacktestState, frozenset[BacktestState]] = {
    BacktestState.QUEUED: frozenset({BacktestState.RUNNING, BacktestState.CANCELLED}),
    BacktestState.RUNNING: frozenset({BacktestState.DONE, BacktestState.FAILED, BacktestState.CANCELLED}),
    BacktestState.DONE: frozenset(),
    BacktestState.FAILED: frozenset({BacktestState.QUEUED}),
    BacktestState.CANCELLED: frozenset({BacktestState.QUEUED}),
}
ANALYSIS_TRANSITIONS: Mapping[AnalysisState, frozenset[AnalysisState]] = {
    AnalysisState.QUEUED: frozenset({AnalysisState.ASKING, AnalysisState.ENDED}),
    AnalysisState.ASKING: frozenset({AnalysisState.ENDED}),
    AnalysisState.ENDED: frozenset(),
}
ERRAND_TRANSITIONS: Mapping[ErrandState, frozenset[ErrandState]] = {
    ErrandState.QUEUED: frozenset({ErrandState.RUNNING}),
    ErrandState.RUNNING: frozenset({ErrandState.DONE, ErrandState.FAILED}),
    ErrandState.DONE: frozenset(),
    ErrandState.FAILED: frozenset(),
}
# By type, because members of different enumerations with the same text are equal to Python.
TRANSITIONS: Mapping[type[StrEnum], Mapping[Any, frozenset[Any]]] = {
    SeasonState: SEASON_TRANSITIONS,
    CycleState: CYCLE_TRANSITIONS,
    TurnState: TURN_TRANSITIONS,
    BacktestState: BACKTEST_TRANSITIONS,
    AnalysisState: ANALYSIS_TRANSITIONS,
    ErrandState: ERRAND_TRANSITIONS,
}


class UndeclaredTransition(ValueError):
    """A change of state that the tables above do not list."""


def check_transition(old: StrEnum, new: StrEnum) -> None:
    """Raise `UndeclaredTransition` unless `old` may become `new`."""
    if type(old) is not type(new) or new not in TRANSITIONS[type(old)][old]:
        raise UndeclaredTransition(f"{type(old).__name__}: {old} may not become {new}")
