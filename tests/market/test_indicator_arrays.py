"""Indicators against TA-Lib's figures: none before it may be trusted, none that knows a later candle."""

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core import indicator_arrays as indicators
from market.core.indicator_arrays import Floats
from tests.notation import some

ROOT = Path(__file__).resolve().parents[2]
N = 400
CLOSES = np.array(
    [round(100 + 20 * math.sin(i / 17) + 5 * math.sin(i / 3.1) + (i * 7919 % 101) / 25, 2) for i in range(N)]
)
HIGHS = np.array([round(close + 0.2 + (i * 31 % 17) / 10, 2) for i, close in enumerate(CLOSES)])
LOWS = np.array([round(close - 0.1 - (i * 53 % 13) / 10, 2) for i, close in enumerate(CLOSES)])
VOLUMES = np.array([float(1000 + i * 7907 % 613) for i in range(N)])
LOOKED_AT = (120, 250, 399)
# What TA-Lib 0.8.2 says of these series at these candles; the z-score from its SMA and STDDEV.
TA_LIB = {
    "sma 20": (106.01999999999994, 120.69449999999999, 87.05849999999994),
    "ema 12": (110.72672004369741, 117.89534008610197, 86.93570931674255),
    "rsi 14": (79.43749565564637, 45.792507431664454, 34.94710436979672),
    "atr 14": (3.2824871618904705, 2.996598703756661, 2.809189458537264),
    "macd line": (6.518992999158712, 1.0688443085198287, -4.332474672975977),
    "macd signal": (5.130447615567753, 3.0295734182843916, -4.973834719651551),
    "macd histogram": (1.3885453835909587, -1.960729109764563, 0.6413600466755742),
    "bollinger upper": (118.85568619124034, 129.72667022647374, 92.52196510925039),
    "bollinger middle": (106.01999999999994, 120.69449999999999, 87.05849999999994),
    "bollinger lower": (93.18431380875954, 111.66232977352624, 81.59503489074949),
    "volume z-score 30": (1.1598088313228638, 0.8147987752682379, 0.4667369668881983),
}
# TA-Lib begins the fast average of a MACD later than an EMA by itself; what that weighs is gone by the second candle.
AGREES_TO = {"macd line": 1e-7, "macd signal": 1e-5, "macd histogram": 1e-4}
FIRST = {
    "sma 20": 19,
    "ema 12": 11 + 28,  # (11/13)^28 < 1/100
    "rsi 14": 14 + 63,  # (13/14)^63 < 1/100
    "atr 14": 14 + 63,
    "macd line": 25 + 60,  # (25/27)^60 < 1/100
    "macd signal": 85 + 8 + 21,  # (8/10)^21 < 1/100
    "bollinger upper": 19,
    "volume z-score 30": 29,
}


def everything(closes: Floats, highs: Floats, lows: Floats, volumes: Floats) -> dict[str, Floats]:
    macd = indicators.macd(closes, 12, 26, 9)
    bands = indicators.bollinger(closes, 20, 2)
    return {
        "sma 20": indicators.sma(closes, 20),
        "ema 12": indicators.ema(closes, 12),
        "rsi 14": indicators.rsi(closes, 14),
        "atr 14": indicators.atr(highs, lows, closes, 14),
        "macd line": macd.line,
        "macd signal": macd.signal,
        "macd histogram": macd.histogram,
        "bollinger upper": bands.upper,
        "bollinger middle": bands.middle,
        "bollinger lower": bands.lower,
        "volume z-score 30": indicators.volume_zscore(volumes, 30),
    }


def digest(figures: dict[str, Floats]) -> str:
    return hashlib.sha256(b"".join(figure.tobytes() for figure in figures.values())).hexdigest()


ALL = (CLOSES, HIGHS, LOWS, VOLUMES)
OURS = everything(*ALL)


@pytest.mark.parametrize("name", TA_LIB)
def test_every_indicator_says_what_ta_lib_says(name: str) -> None:
    ours = [float(OURS[name][at]) for at in LOOKED_AT]
    assert ours[1:] == pytest.approx(TA_LIB[name][1:], rel=1e-9)
    assert ours[0] == pytest.approx(TA_LIB[name][0], rel=AGREES_TO.get(name, 1e-9))


@pytest.mark.parametrize("name", FIRST)
def test_nothing_is_said_before_it_has_warmed_up(name: str) -> None:
    (said,) = np.nonzero(~np.isnan(OURS[name]))
    assert said.tolist() == list(range(FIRST[name], N))


@pytest.mark.parametrize("name", OURS)
def test_where_a_series_begins_weighs_little_once_it_has_warmed_up(name: str) -> None:
    late = everything(*(column[200:] for column in ALL))[name]
    first = int(np.nonzero(~np.isnan(late))[0][0])
    spread = np.nanmax(OURS[name]) - np.nanmin(OURS[name])
    assert abs(late[first] - OURS[name][200 + first]) < 0.02 * spread


@some
@given(st.integers(1, N - 1), st.sampled_from([1e9, 1e-9, np.nan]))
def test_what_comes_later_changes_nothing(at: int, absurd: float) -> None:
    changed = [np.where(np.arange(N) < at, column, absurd) for column in ALL]
    for name, figure in everything(*changed).items():
        assert figure[:at].tobytes() == OURS[name][:at].tobytes(), name


def test_rows_without_a_candle_are_passed_over_and_say_nothing() -> None:
    holes = np.zeros(2 * N, dtype=bool)
    holes[1::2] = True
    wide = [np.full(2 * N, np.nan) for _ in ALL]
    for column, whole in zip(wide, ALL, strict=True):
        column[~holes] = whole
    for name, figure in everything(*wide).items():
        assert figure[~holes].tobytes() == OURS[name].tobytes(), name
        assert np.isnan(figure[holes]).all(), name


def test_a_series_too_short_says_nothing_and_an_empty_one_neither() -> None:
    for count in (0, 1, 19):
        short = everything(*(column[:count] for column in ALL))
        assert all(len(figure) == count and np.isnan(figure).all() for figure in short.values())


def test_what_never_moved_has_bands_without_width_and_neither_strength_nor_score() -> None:
    flat = np.full(100, 7.0)
    still = everything(flat, flat, flat, flat)
    assert (still["bollinger lower"][-1], still["bollinger upper"][-1]) == (7, 7)
    assert still["macd line"][-1] == 0
    assert still["atr 14"][-1] == pytest.approx(0, abs=1e-12)
    assert np.isnan(still["rsi 14"]).all()
    assert np.isnan(still["volume z-score 30"]).all()


def test_a_change_is_over_so_many_candles() -> None:
    assert str(
        indicators.change(np.array([100.0, np.nan, 110.0, 55.0]), 1).tolist()
    ) == "[nan, nan, 0.1, -0.5]".replace("0.1", str(110 / 100 - 1))


def test_periods_that_make_no_sense_are_refused() -> None:
    for wrong in (
        lambda: indicators.sma(CLOSES, 1),
        lambda: indicators.rsi(CLOSES, 0),
        lambda: indicators.change(CLOSES, 0),
        lambda: indicators.macd(CLOSES, 12, 26, 1),
        lambda: indicators.macd(CLOSES, 26, 26, 9),
    ):
        with pytest.raises(ValueError, match="period"):
            wrong()


# A TA-Lib that cannot be used, on a disk that cannot be written to.
ELSEWHERE = """
import importlib.machinery, sys, types
talib = types.ModuleType("talib")
talib.__version__ = "0.8.2"
talib.__spec__ = importlib.machinery.ModuleSpec("talib", None)
def refuse(name):
    raise AssertionError(f"TA-Lib was asked for {name}")
talib.__getattr__ = refuse
sys.modules["talib"] = talib
def watch(event, arguments):
    writes = event == "open" and set(str(arguments[1] or "")) & set("wax+")
    if writes or event in ("os.mkdir", "os.rename", "os.remove"):
        raise OSError(f"a disk that cannot be written to: {event} {arguments}")
sys.addaudithook(watch)
from tests.market.test_indicator_arrays import OURS, digest
import pandas_ta_classic
print(pandas_ta_classic.Imports["talib"], digest(OURS))
"""


def test_the_figures_are_the_same_where_ta_lib_is_installed_and_nothing_is_written() -> None:
    command = [sys.executable, "-B", "-W", "ignore", "-c", ELSEWHERE]
    there = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120).stdout.split()
    assert there == ["True", digest(OURS)]
