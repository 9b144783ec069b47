"""The states: what is declared may happen, and nothing else."""

from enum import StrEnum
from itertools import product

import pytest

from competition.core.states import (
    TERMINAL_CYCLES,
    TERMINAL_TURNS,
    TRANSITIONS,
    BacktestState,
    CycleState,
    SeasonState,
    TurnState,
    UndeclaredTransition,
    check_transition,
)

STATES = [state for kind in (SeasonState, CycleState, TurnState, BacktestState) for state in kind]
DECLARED = """
    season: draft -> open, open -> closed
    cycle: briefing -> asking, briefing -> held, asking -> trading, trading -> closing, closing -> closed
    turn: asking -> decided, decided -> settled, decided -> quarantined, decided -> provisional, provisional -> settled
    backtest: queued -> running, queued -> cancelled, running -> done, running -> failed, running -> cancelled
    backtest: failed -> queued, cancelled -> queued
"""


def declared() -> set[tuple[StrEnum, StrEnum]]:
    kinds = {"season": SeasonState, "cycle": CycleState, "turn": TurnState, "backtest": BacktestState}
    pairs = set()
    for line in DECLARED.strip().splitlines():
        name, steps = line.strip().split(": ")
        for step in steps.split(", "):
            old, new = step.split(" -> ")
            pairs.add((kinds[name](old), kinds[name](new)))
    return pairs


def allowed(old: StrEnum, new: StrEnum) -> bool:
    try:
        check_transition(old, new)
    except UndeclaredTransition:
        return False
    return True


def same(one: StrEnum, other: StrEnum) -> bool:
    """Equal and of one kind: to Python, the "closed" of a season equals the "closed" of a cycle."""
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    ("old", "new"), list(product(STATES, STATES)), ids=lambda state: f"{type(state).__name__}.{state}"
)
def test_a_state_may_become_what_is_declared_and_nothing_else(old: StrEnum, new: StrEnum) -> None:
    expected = any(same(old, before) and same(new, after) for before, after in declared())
    assert allowed(old, new) is expected


def test_an_undeclared_change_says_what_it_was() -> None:
    with pytest.raises(UndeclaredTransition, match="CycleState: closed may not become briefing"):
        check_transition(CycleState.CLOSED, CycleState.BRIEFING)


def test_equal_texts_of_different_kinds_are_kept_apart() -> None:
    assert SeasonState.CLOSED == CycleState.CLOSED  # which is why the tables are by type
    assert not allowed(SeasonState.OPEN, CycleState.CLOSED)
    assert not allowed(CycleState.CLOSING, SeasonState.CLOSED)
    assert not allowed(CycleState.ASKING, TurnState.DECIDED)


def test_every_state_is_in_its_table() -> None:
    assert all(set(TRANSITIONS[kind]) == set(kind) for kind in TRANSITIONS)


def test_terminal_states_are_those_that_nothing_follows() -> None:
    assert {state for state in CycleState if not TRANSITIONS[CycleState][state]} == TERMINAL_CYCLES
    assert {state for state in TurnState if not TRANSITIONS[TurnState][state]} == TERMINAL_TURNS


@pytest.mark.parametrize(("kind", "start"), [(CycleState, CycleState.BRIEFING), (TurnState, TurnState.ASKING)])
def test_from_the_start_a_terminal_state_is_always_in_reach_and_nothing_goes_round(
    kind: type[StrEnum], start: StrEnum
) -> None:
    paths, ends = [[start]], set()
    while paths:
        path = paths.pop()
        following = TRANSITIONS[kind][path[-1]]
        assert not set(path) & following
        ends |= set() if following else {path[-1]}
        paths += [[*path, state] for state in following]
    assert ends == {state for state in kind if not TRANSITIONS[kind][state]} - {CycleState.MISSED}
