"""Mangled replies by the thousand: none breaks the reader, and none becomes a decision that is not in the text."""

import random

from hypothesis import given
from hypothesis import strategies as st

from agents.core.reply import parse_reply
from bench._mangled import confirmed, fuzz, mangled, never, valid
from portfolio.core.decisions import Action, Decision
from tests.notation import HOLD, R, W, many

dice = st.integers(0, 2**32).map(random.Random)


@many
@given(dice)
def test_a_mangled_reply_is_refused_or_is_a_decision_that_stands_in_it(dice: random.Random) -> None:
    text = mangled(dice)
    parsed = parse_reply(text)
    assert (parsed.decision is None) == bool(parsed.violations)
    assert parsed.decision is None or confirmed(text, parsed.decision)


@many
@given(dice)
def test_a_reply_that_is_broken_for_certain_is_never_a_decision(dice: random.Random) -> None:
    assert parse_reply(never(dice)).decision is None


@many
@given(dice)
def test_a_reply_in_the_format_is_read(dice: random.Random) -> None:
    text = valid(dice)
    assert confirmed(text, parse_reply(text).decision)


def test_two_thousand_mangled_replies_break_nothing() -> None:
    found = fuzz(2000, seed=7)
    assert (found["crashes"], found["invalid_accepted"]) == (0, 0)
    assert found["accepted"] > 200


def test_the_second_reading_notices_a_decision_that_is_not_in_the_text() -> None:
    assert confirmed(f"So: {R('BTC 40%')}", Decision(Action.REBALANCE, W("BTC 40%")))
    assert not confirmed(f"So: {R('BTC 40%')}", Decision(Action.REBALANCE, W("BTC 41%")))
    assert not confirmed(R("BTC 40%")[:-1], Decision(Action.REBALANCE, W("BTC 40%")))
    assert not confirmed('{"action": "hold", "mood": 1}', Decision(Action.HOLD))
    assert not confirmed("HOLD", Decision(Action.HOLD))
    assert confirmed(HOLD, Decision(Action.HOLD))
