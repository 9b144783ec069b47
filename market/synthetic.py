"""A made-up market: hourly candles out of a seed, any window of any week without those before it.

A symbol's logarithmic price is a mix of two paths, one shared by all symbols (the market) and one of its own.
A path has a level at each week's start: the sum of the weekly moves of the five years before, which fade with
age, so that it wanders but comes back. Within a week it is a Brownian bridge from level to level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from random import Random

from market.core.candles import Candles, Series, empty_series

TIMEFRAME = "1h"
_HOUR = timedelta(hours=1)
_HOUR_MS = 3_600_000
_START = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONDAY_HOUR = 4 * 24  # 1970-01-05 00:00, from which weeks are counted
_WEEK_HOURS = 168

_MARKET = "the market"
_SHARED = math.sqrt(0.7)  # weight of the market's path: any two symbols' moves correlate by 0.7
_OWN = math.sqrt(0.3)
_FADE = 0.98  # of a week's move after each further week
_FADING = tuple(_FADE**age for age in range(256))
_FURTHEST = 6.0  # logarithm of the most a price can leave its start by: about 400 times
_LONGEST_WICK = 0.1  # logarithm; keeps a low above zero and a high in reach

_REGIME_WEEKS = 8
# (volatility, drift per week), both in units of a symbol's own weekly deviation: calm, rise, fall, turmoil
_REGIMES = ((0.6, 0.05), (1.0, 0.3), (1.2, -0.35), (1.8, 0.0))
_JUMP_CHANCE = 0.01
_JUMP = 4.0


@dataclass(frozen=True, slots=True)
class _Character:
    """Start price (quote per base), weekly deviation of the log price, base volume per hour, decimals."""

    start: float
    weekly: float
    volume: float
    price_decimals: int
    volume_decimals: int


_CHARACTERS = {
    "BTCUSDT": _Character(30_000.0, 0.07, 2_000.0, 2, 5),
    "ETHUSDT": _Character(2_000.0, 0.085, 20_000.0, 2, 4),
    "SOLUSDT": _Character(50.0, 0.12, 200_000.0, 4, 3),
    "BNBUSDT": _Character(300.0, 0.08, 15_000.0, 3, 3),
    "ADAUSDT": _Character(0.5, 0.10, 8_000_000.0, 6, 1),
}


@dataclass(frozen=True, slots=True)
class _Week:
    """The 168 candles of one symbol that open in one week."""

    opens: tuple[Decimal, ...]
    highs: tuple[Decimal, ...]
    lows: tuple[Decimal, ...]
    closes: tuple[Decimal, ...]
    volumes: tuple[Decimal, ...]


def synthetic_candles(seed: int | str, epoch: datetime | None = None) -> Candles:
    """Hourly candles of any symbols in any window, the same for the same seed whatever was asked before.

    With `epoch`, every price begins the week of that instant (Monday 00:00 UTC) at its start level; without,
    prices wander around that level at all times.
    """
    origin = None if epoch is None else _week_of((epoch - _START) // _HOUR)

    def candles(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
        first_hour = -((_START - first_close) // _HOUR) - 1
        end_hour = (last_close - _START) // _HOUR
        return {symbol: _series(str(seed), symbol, origin, first_hour, end_hour) for symbol in symbols}

    return candles


def _week_of(hour: int) -> int:
    return (hour - _FIRST_MONDAY_HOUR) // _WEEK_HOURS


def _series(seed: str, symbol: str, origin: int | None, first_hour: int, end_hour: int) -> Series:
    """Candles opening from `first_hour` to before `end_hour`, both in hours since 1970."""
    if end_hour <= first_hour:
        return empty_series(symbol, TIMEFRAME)
    columns: tuple[list[Decimal], ...] = ([], [], [], [], [])
    for week in range(_week_of(first_hour), _week_of(end_hour - 1) + 1):
        monday = week * _WEEK_HOURS + _FIRST_MONDAY_HOUR
        within = slice(max(first_hour - monday, 0), end_hour - monday)
        made = _week(seed, symbol, origin, week)
        for column, part in zip(columns, (made.opens, made.highs, made.lows, made.closes, made.volumes), strict=True):
            column.extend(part[within])
    open_ms = range(first_hour * _HOUR_MS, end_hour * _HOUR_MS, _HOUR_MS)
    return Series(symbol, TIMEFRAME, tuple(open_ms), *map(tuple, columns))


@lru_cache(maxsize=128)
def _week(seed: str, symbol: str, origin: int | None, week: int) -> _Week:
    character = _character(symbol)
    logs = _log_prices(seed, symbol, origin, week, character.weekly)
    edges = [character.start * math.exp(_FURTHEST * math.tanh(log / _FURTHEST)) for log in logs]
    dice = Random(f"{seed}|{symbol}|{week}|candles")  # noqa: S311 - a market, not a secret
    hourly = character.weekly / math.sqrt(_WEEK_HOURS)
    highs, lows, volumes = [], [], []
    for before, after in pairwise(edges):
        highs.append(max(before, after) * math.exp(min(abs(dice.gauss(0.0, hourly / 2)), _LONGEST_WICK)))
        lows.append(min(before, after) * math.exp(-min(abs(dice.gauss(0.0, hourly / 2)), _LONGEST_WICK)))
        haste = 0.5 + abs(after / before - 1) / hourly
        volumes.append(character.volume * haste * math.exp(dice.gauss(0.0, 0.4)))
    prices = _decimals(edges, character.price_decimals)
    return _Week(
        prices[:-1],
        _decimals(highs, character.price_decimals),
        _decimals(lows, character.price_decimals),
        prices[1:],
        _decimals(volumes, character.volume_decimals),
    )


def _character(symbol: str) -> _Character:
    """That of a default symbol, or one made up from the name."""
    if symbol in _CHARACTERS:
        return _CHARACTERS[symbol]
    dice = Random(f"character of {symbol}")  # noqa: S311 - a market, not a secret
    start = 10 ** dice.uniform(-1.0, 2.5)
    price_decimals = 5 - math.floor(math.log10(start))
    return _Character(start, dice.uniform(0.08, 0.14), 3_000_000 / start, price_decimals, 2)


def _log_prices(seed: str, symbol: str, origin: int | None, week: int, weekly: float) -> list[float]:
    """Logarithms of price / start price at the 169 hourly edges of a week, not yet kept within bounds."""
    base = 0.0 if origin is None else _mixed(_level(seed, _MARKET, origin), _level(seed, symbol, origin))
    shared, own = _path(seed, _MARKET, week), _path(seed, symbol, week)
    return [weekly * (_mixed(market, alone) - base) for market, alone in zip(shared, own, strict=True)]


def _mixed(market: float, alone: float) -> float:
    return _SHARED * market + _OWN * alone


@lru_cache(maxsize=256)
def _path(seed: str, name: str, week: int) -> tuple[float, ...]:
    """A Brownian bridge over the hours of a week, 169 points in units of one weekly deviation."""
    start, end = _level(seed, name, week), _level(seed, name, week + 1)
    _, volatility = _weekly_move(seed, name, week)
    dice = Random(f"{seed}|{name}|{week}|hours")  # noqa: S311 - a market, not a secret
    hourly = volatility / math.sqrt(_WEEK_HOURS)
    walk = [0.0]
    for _ in range(_WEEK_HOURS):
        jump = _JUMP if dice.random() < _JUMP_CHANCE else 1.0
        walk.append(walk[-1] + jump * dice.gauss(0.0, hourly))
    slope = (end - start - walk[-1]) / _WEEK_HOURS
    return (*(start + at + slope * hour for hour, at in enumerate(walk[:-1])), end)


@lru_cache(maxsize=4096)
def _level(seed: str, name: str, week: int) -> float:
    """Where a path stands when `week` begins, in units of one weekly deviation."""
    return math.fsum(weight * _weekly_move(seed, name, week - 1 - age)[0] for age, weight in enumerate(_FADING))


def _weekly_move(seed: str, name: str, week: int) -> tuple[float, float]:
    """(move, volatility) of a path in one week, in units of one weekly deviation."""
    block, index = divmod(week, _REGIME_WEEKS)
    return _regime(seed, name, block)[index]


@lru_cache(maxsize=4096)
def _regime(seed: str, name: str, block: int) -> tuple[tuple[float, float], ...]:
    """The weekly moves of eight weeks under one regime."""
    dice = Random(f"{seed}|{name}|{block}|regime")  # noqa: S311 - a market, not a secret
    volatility, drift = _REGIMES[int(dice.random() * len(_REGIMES))]
    moves = []
    for _ in range(_REGIME_WEEKS):
        weekly = volatility * math.exp(dice.gauss(0.0, 0.25))
        moves.append((drift + weekly * dice.gauss(0.0, 1.0), weekly))
    return tuple(moves)


def _decimals(numbers: Sequence[float], places: int) -> tuple[Decimal, ...]:
    form = f"%.{places}f"
    return tuple(Decimal(form % number) for number in numbers)
