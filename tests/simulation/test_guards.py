"""Each guard of the board is still where its removal looks for it, and taking it away is undone afterwards."""

import pytest
from django.db.transaction import TransactionManagementError

from competition.core.states import CycleState
from competition.services import cycles, ticking
from tests.simulation.guards import GUARDS
from tests.simulation.removals import Guard, without

IN_CODE = [Guard(guard.name, guard.changes) for guard in GUARDS]


def test_the_board_has_at_least_twenty_five_guards() -> None:
    assert len({guard.name for guard in GUARDS}) >= 25


@pytest.mark.parametrize("guard", IN_CODE, ids=lambda guard: guard.name)
def test_a_guard_is_where_its_removal_looks_for_it(guard: Guard) -> None:
    with without(guard):
        pass


def test_a_guard_is_back_afterwards() -> None:
    before = ticking.open_due
    (guard,) = [guard for guard in IN_CODE if guard.name.startswith("late window")]
    due = cycles._due_cycle
    with without(guard):
        assert cycles._due_cycle is not due
    assert (cycles._due_cycle, ticking.open_due) == (due, before)


def test_a_query_is_put_together_anew_without_its_guard(own_database: str) -> None:
    (guard,) = [guard for guard in IN_CODE if guard.name == "row lock on the cycle"]
    with without(guard):
        assert cycles.locked(0, CycleState.ASKING) is None
    with pytest.raises(TransactionManagementError):  # in no transaction, which a lock needs
        cycles.locked(0, CycleState.ASKING)
