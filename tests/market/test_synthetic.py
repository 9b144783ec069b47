"""The made-up market: the same seed gives the same candles, whichever window is asked for and in whatever order."""

import math
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import synthetic
from market.core.candles import Series, from_ms, to_ms
from market.core.symbols import DEFAULT_SYMBOLS
from market.synthetic import synthetic_candles

SYMBOLS = [symbol.name for symbol in DEFAULT_SYMBOLS]
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)

instants = st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
lengths = st.timedeltas(timedelta(0), timedelta(days=20))
symbols = st.sampled_from([*SYMBOLS, "DOGEUSDT", "X"])


@pytest.fixture(autouse=True)
def _nothing_made_before() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    for cached in (synthetic._week, synthetic._path, synthetic._level, synthetic._regime):
        cached.cache_clear()


def rows(series: Series) -> dict[int, tuple[Decimal, ...]]:
    columns = (series.opens, series.highs, series.lows, series.closes, series.volumes)
    return dict(zip(series.open_ms, zip(*columns, strict=True), strict=True))


def test_a_window_holds_exactly_the_candles_closed_within_it() -> None:
    series = synthetic_candles(1)(["BTCUSDT"], MONDAY, MONDAY + 2 * HOUR)["BTCUSDT"]
    assert [from_ms(at) for at in series.open_ms] == [MONDAY - HOUR, MONDAY, MONDAY + HOUR]
    assert series.timeframe == "1h"


def test_a_window_between_two_closes_is_empty() -> None:
    minute = timedelta(minutes=1)
    series = synthetic_candles(1)(["BTCUSDT"], MONDAY + minute, MONDAY + HOUR - minute)["BTCUSDT"]
    assert len(series) == 0


@given(start=instants, length=lengths, symbol=symbols)
def test_every_candle_of_any_window_is_whole_and_begins_where_the_one_before_ended(
    start: datetime, length: timedelta, symbol: str
) -> None:
    series = synthetic_candles(3)([symbol], start, start + length)[symbol]
    assert all(to_ms(start) <= series.close_ms(n) <= to_ms(start + length) for n in range(len(series)))
    assert all(after - before == 3_600_000 for before, after in pairwise(series.open_ms))
    assert series.opens[1:] == series.closes[:-1]
    for opened, high, low, close, volume in rows(series).values():
        assert 0 < low <= min(opened, close) <= max(opened, close) <= high
        assert volume > 0


@given(seed=st.integers(0, 2), asked=st.lists(st.tuples(instants, symbols), min_size=1, max_size=3), length=lengths)
def test_candles_do_not_depend_on_what_was_asked_before(
    seed: int, asked: list[tuple[datetime, str]], length: timedelta
) -> None:
    *before, (start, symbol) = asked
    forget()
    for other_start, other_symbol in before:
        synthetic_candles(seed)([other_symbol], other_start, other_start + length)
    warm = synthetic_candles(seed)([symbol], start, start + length)[symbol]
    forget()
    assert synthetic_candles(seed)([symbol], start, start + length)[symbol] == warm


@given(start=instants, length=lengths, cut=st.floats(0, 1), symbol=symbols)
def test_a_part_of_a_window_asked_alone_is_that_part_of_the_whole(
    start: datetime, length: timedelta, cut: float, symbol: str
) -> None:
    candles = synthetic_candles("seed")
    whole = rows(candles([symbol], start, start + length)[symbol])
    part = rows(candles([symbol], start + length * cut, start + length)[symbol])
    assert part.items() <= whole.items()


def test_another_seed_is_another_market() -> None:
    one, two = (synthetic_candles(seed)(["BTCUSDT"], MONDAY, MONDAY + 9 * HOUR)["BTCUSDT"] for seed in (1, 2))
    assert not set(one.closes) & set(two.closes)


def test_the_first_candles_of_seed_1_stay_what_they_are() -> None:
    """Seasons on synthetic data are compared by hash: a change of the recipe must be noticed."""
    series = synthetic_candles(1)(["BTCUSDT", "DOGEUSDT"], MONDAY + HOUR, MONDAY + HOUR)
    assert [str(number) for number in rows(series["BTCUSDT"])[to_ms(MONDAY)]] == [
        "30270.17",
        "30403.03",
        "30085.78",
        "30371.34",
        "3144.60131",
    ]
    assert [str(number) for number in rows(series["DOGEUSDT"])[to_ms(MONDAY)]] == [
        "68.4299",
        "68.6620",
        "68.2902",
        "68.3173",
        "59210.42",
    ]


def test_prices_begin_the_week_of_the_epoch_at_their_start_level() -> None:
    candles = synthetic_candles(5, epoch=MONDAY + timedelta(days=3))
    series = candles(SYMBOLS, MONDAY + HOUR, MONDAY + HOUR)
    assert {name: series[name].opens[0] for name in SYMBOLS} == {
        "BTCUSDT": 30_000,
        "ETHUSDT": 2_000,
        "SOLUSDT": 50,
        "BNBUSDT": 300,
        "ADAUSDT": Decimal("0.5"),
    }


def test_after_thirty_years_no_price_is_a_thousand_times_its_start_or_a_thousandth() -> None:
    candles = synthetic_candles(7, epoch=MONDAY)
    starts = candles(SYMBOLS, MONDAY + HOUR, MONDAY + HOUR)
    for year in range(31):
        for name, series in candles(SYMBOLS, MONDAY + year * YEAR, MONDAY + year * YEAR + 24 * HOUR).items():
            start = starts[name].opens[0]
            assert start / 1000 < min(series.lows)
            assert max(series.highs) < start * 1000


def test_even_an_endless_rise_or_fall_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for drift in (-50.0, 50.0):
        monkeypatch.setattr(synthetic, "_REGIMES", ((1.0, drift),))
        forget()
        series = synthetic_candles(1)(SYMBOLS, MONDAY, MONDAY + 24 * HOUR)
        for name in SYMBOLS:
            start = synthetic._character(name).start
            assert start / 1000 < min(series[name].lows)
            assert max(series[name].highs) < start * 1000


def test_symbols_move_together_but_not_alike() -> None:
    series = synthetic_candles(1)(["BTCUSDT", "ETHUSDT"], MONDAY, MONDAY + 4 * YEAR)
    bitcoin, ether = (
        [math.log(after / before) for before, after in pairwise(series[name].closes)] for name in ("BTCUSDT", "ETHUSDT")
    )
    assert 0.6 < statistics.correlation(bitcoin, ether) < 0.8


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(TypeError):
        synthetic_candles(1)(["BTCUSDT"], datetime(2024, 1, 1), MONDAY)  # noqa: DTZ001
