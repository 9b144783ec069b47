"""An attempt goes one way, ends, and is followed by another only when it is provably dead."""

from importlib import import_module
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.core.order_attempts import (
    ATTEMPT_TRANSITIONS,
    BEGINNINGS,
    LIVE,
    PASSING_REFUSALS,
    QUIET_S,
    TERMINAL,
    AttemptState,
    Refusal,
    UndeclaredChange,
    attempt_id,
    attempt_name,
    check_change,
    deviation_bps,
    may_be_followed,
)
from portfolio.core.orders import Side, client_order_id, owner_of
from portfolio.core.venue_orders import RECV_WINDOW_MS
from tests.notation import D, some


def test_every_state_is_in_the_table_and_nothing_follows_an_end() -> None:
    assert set(ATTEMPT_TRANSITIONS) == set(AttemptState)
    assert {state for state, after in ATTEMPT_TRANSITIONS.items() if not after} == TERMINAL
    assert all(state in ATTEMPT_TRANSITIONS for state in BEGINNINGS)


def test_no_attempt_goes_round() -> None:
    paths = [[state] for state in BEGINNINGS]
    while paths:
        path = paths.pop()
        assert not set(path) & ATTEMPT_TRANSITIONS[path[-1]]
        paths += [[*path, state] for state in ATTEMPT_TRANSITIONS[path[-1]]]


@pytest.mark.parametrize(("old", "new"), list(product(AttemptState, AttemptState)))
def test_a_change_is_allowed_when_the_table_lists_it(old: AttemptState, new: AttemptState) -> None:
    if new in ATTEMPT_TRANSITIONS[old]:
        check_change(old, new)
    else:
        with pytest.raises(UndeclaredChange, match=f"{old} may not become {new}"):
            check_change(old, new)


def test_what_the_exchange_has_acknowledged_is_never_taken_for_not_placed() -> None:
    for state in (AttemptState.ACKNOWLEDGED, AttemptState.ENDED):
        assert not ATTEMPT_TRANSITIONS[state] & {AttemptState.NOT_PLACED, AttemptState.ABANDONED, AttemptState.UNKNOWN}


def test_only_the_dead_are_followed() -> None:
    followed = {
        (state, refusal) for state in AttemptState for refusal in ("", *Refusal) if may_be_followed(state, refusal)
    }
    assert followed == {
        *((AttemptState.NOT_PLACED, refusal) for refusal in ("", *Refusal)),
        *((AttemptState.REFUSED, refusal) for refusal in PASSING_REFUSALS),
    }
    assert not {state for state, _ in followed} & LIVE


def test_the_database_lists_the_same_changes_and_the_same_refusals() -> None:
    kept = import_module("portfolio.migrations.0004_order_attempts_are_kept")
    listed = {old: set(states.split()) for old, states in kept.CHANGES.items()}
    assert listed == {old.value: {new.value for new in after} for old, after in ATTEMPT_TRANSITIONS.items() if after}
    quoted = ", ".join(f"'{refusal}'" for refusal in ("late", "wait", "keys"))
    assert f"before.refusal IN ({quoted})" in kept.BEGINS
    assert {"late", "wait", "keys"} == PASSING_REFUSALS


def test_nothing_is_concluded_from_silence_while_a_request_could_still_be_executed() -> None:
    window_s, ahead_s, engine_s, lag_s = RECV_WINDOW_MS / 1000, 1, 10, 60
    assert 7 * (window_s + ahead_s + engine_s + lag_s) < QUIET_S


@some
@given(st.integers(1, 99_999), st.integers(1, 99), st.integers(1, 999), st.integers(1, 99))
def test_ids_of_attempts_fit_and_tell_all_their_parts_apart(cycle: int, leg: int, epoch: int, number: int) -> None:
    made = attempt_id(client_order_id("season/entry", cycle, leg), epoch, number)
    assert len(made) <= 36
    assert made.split("-")[2:] == [f"{cycle:05d}", f"{leg:02d}", f"{epoch:03d}", f"{number:02d}"]


@pytest.mark.parametrize(("epoch", "number"), [(0, 1), (1_000, 1), (1, 0), (1, 100)])
def test_an_attempt_that_could_share_its_id_has_none(epoch: int, number: int) -> None:
    with pytest.raises(ValueError, match="an id of its own"):
        attempt_id("oo-x", epoch, number)


@pytest.mark.parametrize(
    ("side", "quote_amount", "expected"),
    [(Side.BUY, "202", "100"), (Side.BUY, "198", "-100"), (Side.SELL, "198", "100"), (Side.SELL, "200", "0")],
)
def test_a_deviation_is_how_much_worse_than_the_reference_price(side: Side, quote_amount: str, expected: str) -> None:
    assert deviation_bps(side, D(100), D(2), D(quote_amount)) == D(expected)


@given(st.text(min_size=1), st.integers(1, 99_999), st.integers(1, 99), st.integers(1, 999), st.integers(1, 99))
def test_the_id_of_an_attempt_says_whose_it_is(key: str, cycle: int, leg: int, epoch: int, number: int) -> None:
    order_id = client_order_id(key, cycle, leg)
    name = attempt_name(attempt_id(order_id, epoch, number))
    assert name is not None
    assert (name.owner, name.cycle_number, name.order_id) == (owner_of(key), cycle, order_id)
    assert (name.epoch, name.number) == (epoch, number)


@pytest.mark.parametrize(
    "other", ["", "oo-", "web_1234", "oo-0123456789ab-00001-01", "oo-0123456789ab-00001-01-001-01x"]
)
def test_any_other_id_says_nothing(other: str) -> None:
    assert attempt_name(other) is None
