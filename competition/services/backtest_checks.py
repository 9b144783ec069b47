"""Whether what was asked for can be played at all: with this money, with so many candles, and with those stored.

Each check gives its complaints by the field of the wish that they are about. They are run one after the other: what
one complains of would confuse the next.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from competition.core.backtest_parameters import BacktestParameters
from competition.core.rules import SYNTHETIC_TIMEFRAME
from market.core.candles import TIMEFRAME_S
from market.core.canonical import plain
from market.models import Candle
from market.queries import listed_symbols

type Check = Callable[[BacktestParameters, int], Iterator[tuple[str, str]]]


def capital_buys_something(parameters: BacktestParameters, candles_max: int) -> Iterator[tuple[str, str]]:
    """Below the smallest order that any of the symbols allows, no agent could ever trade."""
    symbols = listed_symbols(parameters.symbols).values()
    easiest = min(symbols, key=lambda symbol: (symbol.min_notional, symbol.name != parameters.symbols[0]))
    if parameters.capital < easiest.min_notional:
        yield (
            "capital",
            f"{plain(parameters.capital)} buys nothing: the smallest order of {easiest.name} is "
            f"{plain(easiest.min_notional)} {parameters.quote}, and no other symbol here takes a smaller one.",
        )


def candles_are_not_too_many(parameters: BacktestParameters, candles_max: int) -> Iterator[tuple[str, str]]:
    if parameters.candles > candles_max:
        yield (
            "last",
            f"These are {parameters.candles:,} candles, more than the {candles_max:,} that are allowed; choose "
            "fewer symbols, a shorter window or longer candles.",
        )
    if parameters.last - parameters.first < timedelta(milliseconds=2 * parameters.timeframe_ms):
        yield (
            "last",
            f"Between the two instants lie fewer than two candles of {parameters.timeframe}; choose a longer one.",
        )


def candles_are_there(parameters: BacktestParameters, candles_max: int) -> Iterator[tuple[str, str]]:
    if parameters.source == "synthetic":
        if parameters.timeframe != SYNTHETIC_TIMEFRAME:
            yield "timeframe", f"The synthetic market has candles of {SYNTHETIC_TIMEFRAME} only."
        return
    step = timedelta(seconds=TIMEFRAME_S[parameters.timeframe])
    missing: dict[str, list[str]] = {}
    for name in parameters.symbols:
        if told := _what_is_missing(name, parameters, step):
            missing.setdefault(told, []).append(name)
    if missing:
        sentences = [
            f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} {told}" for told, names in missing.items()
        ]
        yield (
            "first",
            f"Candles are missing: {'; '.join(sentences)}. Choose other dates, or load them: "
            "manage.py fetch_candles or import_candles.",
        )


def _what_is_missing(name: str, parameters: BacktestParameters, step: timedelta) -> str:
    """What a symbol lacks in the window, before its first candle there and after its last one; empty if nothing."""
    stored = Candle.objects.filter(symbol=name, timeframe=parameters.timeframe).order_by("open_at")
    within = stored.filter(open_at__gte=parameters.first, open_at__lte=parameters.last - step)
    first = within.values_list("open_at", flat=True).first()
    last = within.values_list("open_at", flat=True).last()
    if first is None or last is None:
        others = Candle.objects.filter(symbol=name).values_list("timeframe", flat=True).distinct()
        there = f" (only {', '.join(sorted(others))})" if not stored.exists() and others else ""
        return f"no {parameters.timeframe} candle from {parameters.first:%Y-%m-%d} to {parameters.last:%Y-%m-%d}{there}"
    gaps = []
    if first >= parameters.first + step:
        gaps.append(f"from {parameters.first:%Y-%m-%d %H:%M} to {first:%Y-%m-%d %H:%M}")
    if last + 2 * step <= parameters.last:
        gaps.append(f"from {last + step:%Y-%m-%d %H:%M} to {parameters.last:%Y-%m-%d %H:%M}")
    return f"no {parameters.timeframe} candles {' and '.join(gaps)}" if gaps else ""


CHECKS: tuple[Check, ...] = (capital_buys_something, candles_are_not_too_many, candles_are_there)
