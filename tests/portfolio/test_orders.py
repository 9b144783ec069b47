"""Orders: every leg of every cycle has one id for ever, in the form the exchange takes."""

import re

from hypothesis import given
from hypothesis import strategies as st

from portfolio.core.orders import FINAL_ORDER_STATES, OrderState, client_order_id
from tests.notation import some

keys = st.text(min_size=1, max_size=40)
cycles, leg_numbers = st.integers(1, 10_000), st.integers(1, 100)


@some
@given(keys, cycles, leg_numbers)
def test_an_order_id_has_the_form_the_exchange_takes(key: str, cycle: int, leg: int) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,36}", client_order_id(key, cycle, leg))


@some
@given(st.sets(st.tuples(keys, cycles, leg_numbers), min_size=2, max_size=20))
def test_no_two_legs_share_an_id(places: set[tuple[str, int, int]]) -> None:
    assert len({client_order_id(*place) for place in places}) == len(places)


def test_the_same_leg_has_the_same_id_in_every_process() -> None:
    # the first 12 hex digits of the SHA-256 of "season/entry"
    assert client_order_id("season/entry", 3, 1) == "oo-022900089e78-00003-01"


def test_every_state_but_new_is_final() -> None:
    assert frozenset(OrderState) - {OrderState.NEW} == FINAL_ORDER_STATES
    assert OrderState.NEW not in FINAL_ORDER_STATES
