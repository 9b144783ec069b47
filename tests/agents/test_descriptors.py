"""What fits into the descriptors a runner may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.descriptors import QUESTIONS_MAX, Room, room_in
from tests.notation import many


@pytest.mark.parametrize(
    ("free", "children_max", "room"),
    [
        (1_000_000, 32, Room(questions=QUESTIONS_MAX, children=32)),
        (1_000, 32, Room(questions=718, children=32)),  # 750 usable, 32 of them for who is worked on
        (40, 32, Room(questions=20, children=10)),  # 30 usable
        (40, 4, Room(questions=26, children=4)),
        (0, 32, Room(questions=1, children=1)),
    ],
)
def test_few_descriptors_mean_few_questions(free: int, children_max: int, room: Room) -> None:
    assert room_in(free, children_max) == room


@many
@given(st.integers(-100, 10**6), st.integers(1, 10_000))
def test_questions_and_their_processes_fit_and_there_is_always_room_for_one(free: int, children_max: int) -> None:
    room = room_in(free, children_max)
    assert 1 <= room.children <= children_max
    assert 1 <= room.questions <= QUESTIONS_MAX
    assert room.questions + room.children <= max(free, 2)
