"""The market of a backtest: arrays for signals and curves, exact prices for trades, snapshots for briefs."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from competition.core.backtest_parameters import BacktestParameters, rules_of
from competition.core.backtest_past import WARM_UP, Past, holes_in, moments_of, past_of
from competition.core.backtest_stage import Stage
from competition.services.backtest_prices import StoredPrices
from competition.services.backtest_requests import BacktestRefused
from market.columns import candle_columns
from market.core.candles import Candles, Series, from_ms, to_ms
from market.core.canonical import utc_text
from market.core.columns import Columns
from market.core.snapshot import HISTORY, Snapshot, build_snapshot
from market.core.symbols import Symbol
from market.queries import listed_symbols, loaded, stored_candles
from market.synthetic import synthetic_candles

HOLE_MAX = timedelta(days=2)  # a longer one is no outage: somebody forgot to load a part
HOLES_TOLD = 50
AT_ONCE = 100_000  # candles that are read for briefs at a time, if a brief needs no more
SNAPSHOTS_KEPT = 2_048


@dataclass(frozen=True, slots=True)
class Setting:
    """A stage, what is to be said of its market, and the readers of exact prices to be told what comes next.

    `candles` are those that snapshots are made of.
    """

    stage: Stage
    notes: Mapping[str, Any]
    candles: Candles
    readers: tuple[StoredPrices, ...] = ()

    def expect(self, rows: Any) -> None:
        """The rows at which the next agent decides; it trades one later."""
        for reader, later in zip(self.readers, (0, 1), strict=False):
            reader.expect(rows + later)


def setting_for(parameters: BacktestParameters, on_loaded: Callable[[], None] = lambda: None) -> Setting:
    """Everything to play these parameters with. Raises `BacktestRefused` when the candles do not allow it.

    `on_loaded` is called after each symbol's candles: years of minutes take longer than a lease may be quiet.
    """
    symbols = listed_symbols(parameters.symbols)
    if parameters.source == "synthetic":
        return _synthetic(parameters, symbols)
    return _stored(parameters, symbols, on_loaded)


def _stored(parameters: BacktestParameters, symbols: Mapping[str, Symbol], on_loaded: Callable[[], None]) -> Setting:
    series = {}
    for name in symbols:
        series[name] = candle_columns(name, parameters.timeframe)
        on_loaded()
    past = _past(parameters, series)
    fills_at_open = parameters.fill == "next_open"
    close_at = StoredPrices(past, parameters.timeframe, "close")
    fill_at = StoredPrices(past, parameters.timeframe, "open" if fills_at_open else "close")
    candles = _rolling(stored_candles(parameters.timeframe), parameters)
    stage = _stage(parameters, symbols, past, close_at, fill_at, candles)
    return Setting(stage, _notes(parameters, past, stage), candles, (close_at, fill_at))


def _synthetic(parameters: BacktestParameters, symbols: Mapping[str, Symbol]) -> Setting:
    begins = parameters.first - max(HISTORY, WARM_UP * timedelta(milliseconds=parameters.timeframe_ms))
    series = synthetic_candles(parameters.seed)(tuple(symbols), begins, parameters.last)
    past = _past(parameters, {name: columns_from(one) for name, one in series.items()})
    stage = stage_in_memory(parameters, symbols, past, series)
    return Setting(stage, _notes(parameters, past, stage), loaded(series))


def stage_in_memory(
    parameters: BacktestParameters, symbols: Mapping[str, Symbol], past: Past, series: Mapping[str, Series]
) -> Stage:
    """A stage whose exact candles are all in memory. `series` may reach further back than `past`."""
    first_ms = int(past.open_ms[0])
    begins = {name: bisect_left(one.open_ms, first_ms) for name, one in series.items()}
    if any(len(one) - begins[name] != len(past) for name, one in series.items()):
        raise ValueError("these series have not the rows of this past")
    fills_at_open = parameters.fill == "next_open"

    def close_at(row: int) -> dict[str, Decimal]:
        return {name: one.closes[begins[name] + row] for name, one in series.items()}

    def open_at(row: int) -> dict[str, Decimal]:
        return {name: one.opens[begins[name] + row] for name, one in series.items()}

    fill_at = open_at if fills_at_open else close_at
    return _stage(parameters, symbols, past, close_at, fill_at, loaded(series))


def _past(parameters: BacktestParameters, series: Mapping[str, Columns]) -> Past:
    """The rows of the window; one with a hole too long to be an outage is refused."""
    past = past_of(series, parameters.timeframe_ms, to_ms(parameters.first), to_ms(parameters.last))
    if len(past) - past.start < 2:
        raise BacktestRefused({"first": "There are fewer than two candles that all symbols have in this window."})
    longest = max(holes_in(past), key=lambda hole: hole.candles, default=None)
    if longest and longest.to_ms - longest.from_ms > max(HOLE_MAX / timedelta(milliseconds=1), past.step_ms * 2):
        told = f"{from_ms(longest.from_ms):%Y-%m-%d %H:%M} to {from_ms(longest.to_ms):%Y-%m-%d %H:%M}"
        raise BacktestRefused(
            {
                "first": f"Candles are missing from {told}, {longest.candles:,} in a row: that is no outage. Load them "
                "with manage.py fetch_candles or import_candles, or choose other dates or symbols."
            }
        )
    return past


def _stage(
    parameters: BacktestParameters,
    symbols: Mapping[str, Symbol],
    past: Past,
    close_at: Callable[[int], Mapping[str, Decimal]],
    fill_at: Callable[[int], Mapping[str, Decimal]],
    candles: Candles,
) -> Stage:
    rules = rules_of(parameters)
    moments = moments_of(past, to_ms(parameters.first), to_ms(parameters.last), parameters.every_ms)
    if not len(moments.rows):
        raise BacktestRefused({"last": "Nothing can be decided and traded within this window; choose a longer one."})

    @lru_cache(maxsize=SNAPSHOTS_KEPT if len(parameters.agents) > 1 else 1)
    def snapshot_at(as_of: datetime) -> Snapshot:
        series = candles(tuple(symbols), as_of - HISTORY, as_of)
        return build_snapshot(as_of, series, symbols, parameters.source, rules.price_max_age)

    fills_at_open = parameters.fill == "next_open"
    cycles = len(moments.rows)
    return Stage(rules, symbols, past, moments, close_at, fill_at, fills_at_open, snapshot_at, cycles)


def _rolling(candles: Candles, parameters: BacktestParameters) -> Candles:
    """The same candles, read for several briefs at once: a few months, not a query each and not all years."""
    per_day = len(parameters.symbols) * timedelta(days=1) // timedelta(milliseconds=parameters.timeframe_ms)
    ahead = timedelta(days=max(1, AT_ONCE // per_day))
    kept: dict[str, Series] = {}
    begins = until = parameters.last

    def rolling(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
        nonlocal kept, begins, until
        if not (begins <= first_close and last_close <= until):
            begins, until = first_close, max(last_close, min(last_close + ahead, parameters.last))
            kept = candles(symbols, begins, until)
        return kept

    return rolling


def columns_from(series: Series) -> Columns:
    open_ms = np.array(series.open_ms, dtype=np.int64)
    numbers = (series.opens, series.highs, series.lows, series.closes, series.volumes)
    return Columns(open_ms, *(np.array(column, dtype=np.float64) for column in numbers))


def _notes(parameters: BacktestParameters, past: Past, stage: Stage) -> dict[str, Any]:
    """What is to be said of the market, as plain JSON values."""
    holes = holes_in(past)
    return {
        "candles": (len(past) - past.start) * len(past.market),
        "rows": len(past) - past.start,
        "warm_up_rows": past.start,
        "candles_alone": past.alone,
        "moments": len(stage.moments.rows),
        "moments_missed": stage.moments.missed,
        "first_decision": utc_text(from_ms(int(stage.moments.at_ms[0]))),
        "last_decision": utc_text(from_ms(int(stage.moments.at_ms[-1]))),
        "fills": f"{'open' if stage.fills_at_open else 'close'} of the next candle, plus slippage",
        "filters": "as listed now, at all times",
        "holes_count": len(holes),
        "holes": [
            {"from": utc_text(from_ms(hole.from_ms)), "to": utc_text(from_ms(hole.to_ms)), "candles": hole.candles}
            for hole in holes[:HOLES_TOLD]
        ],
    }
