"""What an agent that is called candle by candle gets to see: everything so far, and nothing after it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from agents.core.signals import NEVER, LookedAhead, View, showing
from market.core.columns import Columns
from tests.notation import HOUR_MS, some

N = 8


def columns(first: float, count: int = N) -> Columns:
    return Columns(np.arange(count) * HOUR_MS, *(first + n * 100 + np.arange(float(count)) for n in range(5)))


MARKET = {"BTCUSDT": columns(1), "ETHUSDT": columns(5)}


def test_a_view_shows_each_candle_from_its_turn_on() -> None:
    view, move_to = showing(MARKET, {"closes": MARKET["BTCUSDT"].closes})
    assert view.symbols == ("BTCUSDT", "ETHUSDT")
    move_to(2)
    assert view.columns("ETHUSDT").opens.tolist() == [5, 6, 7]
    assert view.columns("ETHUSDT").volumes.tolist() == [405, 406, 407]
    assert view.figure("closes", 2) == 303
    move_to(5)
    assert view.columns("ETHUSDT").open_ms.tolist() == [n * HOUR_MS for n in range(6)]
    assert view.figure("closes", 0) == 301


def test_what_an_agent_kept_from_an_earlier_candle_does_not_grow_or_change() -> None:
    view, move_to = showing(MARKET, {})
    move_to(1)
    kept = view.columns("BTCUSDT").closes
    move_to(7)
    view.columns("BTCUSDT")
    assert kept.tolist() == [301, 302]


@pytest.mark.parametrize("index", [4, 99, -1, -4])
def test_a_figure_behind_the_newest_candle_is_refused(index: int) -> None:
    view, move_to = showing(MARKET, {"closes": MARKET["BTCUSDT"].closes})
    move_to(3)
    with pytest.raises(LookedAhead, match=f"closes at candle {index}: the newest closed is 3"):
        view.figure("closes", index)


def test_a_view_tells_when_it_was_asked_before_and_never_goes_back() -> None:
    view, move_to = showing(MARKET, {})
    move_to(2)
    assert view.asked_before() == NEVER
    move_to(6)
    assert view.asked_before() == 2
    for back in (6, 1):
        with pytest.raises(ValueError, match="does not come after 6"):
            move_to(back)


@some
@given(st.integers(0, N - 1), st.sampled_from(sorted(MARKET)))
def test_nothing_that_hangs_on_a_shown_array_leads_to_the_future(index: int, symbol: str) -> None:
    view, move_to = showing(MARKET, {})
    move_to(index)
    for array, whole in zip(view.columns(symbol).all(), MARKET[symbol].all(), strict=True):
        under_it = array.base
        stretched = as_strided(array, shape=(N,))  # reads on in memory, as far as the market is long
        for found in (under_it, stretched):
            assert found[: index + 1].tolist() == whole[: index + 1].tolist()
            assert not found[index + 1 :].any()


def test_a_view_cannot_be_moved_by_the_agent_and_its_arrays_cannot_be_written_to() -> None:
    view, move_to = showing(MARKET, {})
    move_to(0)
    with pytest.raises(AttributeError):
        view.symbols = ("SOLUSDT",)  # type: ignore[misc]
    assert {name for name in dir(view) if not name.startswith("_")} == set(View.__slots__)
    with pytest.raises(ValueError, match="read-only"):
        view.columns("BTCUSDT").closes[0] = 1.0
