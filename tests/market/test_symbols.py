"""Symbols, and the one place where a quantity is rounded: toward zero, to the exchange's step."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core.symbols import DEFAULT_SYMBOLS, UnknownSymbol, pick, round_down_to_step

quantities = st.decimals(0, 900_000, places=18)
steps = st.sampled_from([symbol.step for symbol in DEFAULT_SYMBOLS] + [Decimal(1), Decimal("0.00000001")])


@given(quantities, steps)
def test_a_rounded_quantity_is_the_largest_multiple_of_the_step_within_it(quantity: Decimal, step: Decimal) -> None:
    down = round_down_to_step(quantity, step)
    assert down % step == 0
    assert down <= quantity < down + step


@given(quantities, steps)
def test_rounding_twice_changes_nothing(quantity: Decimal, step: Decimal) -> None:
    down = round_down_to_step(quantity, step)
    assert round_down_to_step(down, step) == down


def test_a_negative_quantity_is_rounded_toward_zero_too() -> None:
    assert round_down_to_step(Decimal("-0.019"), Decimal("0.01")) == Decimal("-0.01")


def test_symbols_are_picked_in_the_order_asked_for() -> None:
    assert list(pick(["ETHUSDT", "BTCUSDT"], DEFAULT_SYMBOLS)) == ["ETHUSDT", "BTCUSDT"]
    assert pick([], DEFAULT_SYMBOLS) == {}


def test_an_unknown_symbol_is_refused_with_those_that_are_listed() -> None:
    with pytest.raises(UnknownSymbol) as refused:
        pick(["BTCUSDT", "btcusdt"], DEFAULT_SYMBOLS)
    assert str(refused.value) == "Unknown symbol 'btcusdt'. Listed: ADAUSDT, BNBUSDT, BTCUSDT, ETHUSDT, SOLUSDT."


def test_default_symbols_trade_in_steps_of_their_own_base_against_usdt() -> None:
    for symbol in DEFAULT_SYMBOLS:
        assert symbol.name == symbol.base + symbol.quote
        assert symbol.quote == "USDT"
        assert 0 < symbol.min_quantity < symbol.max_quantity
        assert round_down_to_step(symbol.max_quantity, symbol.step) == symbol.max_quantity
