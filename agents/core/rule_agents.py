"""Agents that follow a rule on indicators, each written once and asked in three ways.

A rule is one function from a market and its parameters to signals: an array of shape (n, k), where 1 wants a symbol, 0
does not, and NaN says nothing new. What it last said of a symbol holds until it says something else. So written it
serves as an `ArrayAgent`, as a `CalledAgent` candle by candle, and in a season, where the candles are the daily closes
of the brief. docs/writing-an-agent.md tells how to write one.

Indicators come from the market's core, computed once over all candles; at candle i they know candles 0..i alone.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from agents.core.baselines import hold_text, rebalance_text, within_limits
from agents.core.rule_parameters import (
    BollingerBreakout,
    EmaCross,
    MomentumRule,
    RsiReversion,
    RuleParameters,
    rule_parameters,
)
from agents.core.signals import NEVER, Asked, Floats, Market, View
from market.core.columns import Columns
from market.core.indicator_arrays import bollinger, change, ema, rsi

_PLACES = 10_000  # weights are cut to four places, so that they never add up to more than one


def ema_cross(market: Market, parameters: EmaCross) -> Floats:
    return _each(market, lambda c: _ahead(ema(c.closes, parameters.fast), ema(c.closes, parameters.slow)))


def rsi_reversion(market: Market, parameters: RsiReversion) -> Floats:
    def signal(columns: Columns) -> Floats:
        strength = rsi(columns.closes, parameters.period)
        return _when(strength < parameters.buy_below, strength > parameters.sell_above)

    return _each(market, signal)


def momentum(market: Market, parameters: MomentumRule) -> Floats:
    rose = _each(market, lambda columns: change(columns.closes, parameters.lookback))
    order = np.argsort(-np.where(np.isnan(rose), -np.inf, rose), axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")  # 0 for the one that rose most; of equals, the first named
    return np.where(np.isnan(rose), np.nan, (rose > 0) & (place < parameters.top))


def bollinger_breakout(market: Market, parameters: BollingerBreakout) -> Floats:
    def signal(columns: Columns) -> Floats:
        bands = bollinger(columns.closes, parameters.period, parameters.width)
        return _when(columns.closes > bands.upper, columns.closes < bands.middle)

    return _each(market, signal)


RULES: Mapping[type[RuleParameters], Callable[[Market, Any], Floats]] = {
    EmaCross: ema_cross,
    RsiReversion: rsi_reversion,
    MomentumRule: momentum,
    BollingerBreakout: bollinger_breakout,
}


@dataclass(frozen=True, slots=True)
class RuleAgent:
    """A rule with its parameters; satisfies `ArrayAgent` and `CalledAgent`, and answers briefs."""

    parameters: RuleParameters

    def weights(self, market: Market, asked: Asked) -> Floats:
        """A decision where what is wanted is not what was wanted when it was asked before; else it holds."""
        wanted = self.wanted(market)
        decided = wanted if asked.all() else wanted[asked]
        is_same = np.ones(max(len(decided) - 1, 0), dtype=bool)
        for column in decided.T:
            is_same &= column[1:] == column[:-1]
        decided[1:][is_same] = np.nan
        if decided is wanted:
            return wanted
        found = np.full_like(wanted, np.nan)
        found[asked] = decided
        return found

    def figures(self, market: Market) -> Mapping[str, Floats]:
        return dict(zip(market, self.wanted(market).T, strict=True))

    def decide(self, index: int, view: View) -> Mapping[str, float] | None:
        wanted = {symbol: view.figure(symbol, index) for symbol in view.symbols}
        if any(math.isnan(weight) for weight in wanted.values()):
            return None
        before = view.asked_before()
        if before != NEVER and all(view.figure(symbol, before) == weight for symbol, weight in wanted.items()):
            return None
        return wanted

    def reply(self, brief: Mapping[str, Any]) -> str:
        """The answer to a brief. What the days shown say nothing of stays as it is; it holds when all is so already."""
        rows, holdings = brief["market"]["symbols"], brief["portfolio"]["holdings"]
        why = (type(self.parameters).__doc__ or "").strip().splitlines()[0]
        signals = self._signals(_shown(rows)) if rows else np.empty((0, 0))
        if not len(signals) or np.isnan(signals[-1]).all():
            return hold_text(f"{why} The days shown say nothing yet.")
        said = dict(zip(rows, signals[-1], strict=True))
        inside = {name for name, signal in said.items() if (name in holdings if np.isnan(signal) else signal)}
        if inside == set(holdings) & set(rows):
            return hold_text(f"{why} What is wanted is held.")
        share = Decimal(self._share(len(rows))) / _PLACES
        quote = brief["rules"]["quote"]
        weights = within_limits(dict.fromkeys(sorted(inside), share) or {quote: Decimal(1)}, brief)
        return hold_text(f"{why} The limits leave no way.") if weights is None else rebalance_text(weights, why)

    def wanted(self, market: Market) -> Floats:
        """Target weights at every candle, of shape (n, k); a row of NaN before anything is known."""
        signals = self._signals(market)
        weights = np.where(signals == 1, self._share(len(market)) / _PLACES, 0.0)
        weights[np.isnan(signals).all(axis=1)] = np.nan
        return weights

    def _signals(self, market: Market) -> Floats:
        return _kept_up(RULES[type(self.parameters)](market, self.parameters))

    def _share(self, symbols: int) -> int:
        """What each symbol that is wanted gets, in ten-thousandths, whatever the others do; the rest is cash."""
        places = min(self.parameters.top, symbols) if isinstance(self.parameters, MomentumRule) else symbols
        return _PLACES // places


def rule_agent(model: str, parameters: Mapping[str, Any]) -> RuleAgent:
    """The agent of a model string `rule/…`. Raises `UnknownRule`, or pydantic's `ValidationError`."""
    return RuleAgent(rule_parameters(model, parameters))


def _each(market: Market, signal: Callable[[Columns], Floats]) -> Floats:
    """The signal of each symbol by itself, side by side."""
    return np.column_stack([signal(columns) for columns in market.values()])


def _ahead(one: Floats, other: Floats) -> Floats:
    return np.where(np.isnan(one) | np.isnan(other), np.nan, one > other)


def _when(comes_in: Asked, goes_out: Asked) -> Floats:
    """1 where it comes in, 0 where it goes out, and nothing new in between. A comparison with NaN is neither."""
    return np.where(comes_in, 1.0, np.where(goes_out, 0.0, np.nan))


def _kept_up(signals: Floats) -> Floats:
    """What was last said of each symbol, at every candle."""
    is_silent = np.isnan(signals)
    if not (is_silent[1:] & ~is_silent[:-1]).any():  # nobody falls silent who has spoken
        return signals
    said = np.where(is_silent, -1, np.arange(len(signals))[:, None])
    last = np.maximum.accumulate(said, axis=0)
    return np.where(last < 0, np.nan, np.take_along_axis(signals, np.maximum(last, 0), axis=0))


def _shown(rows: Mapping[str, Any]) -> Market:
    """The daily closes of a brief as candles on one axis; what a brief does not show of a day is NaN."""
    count = max((len(row["closes_1d"]) for row in rows.values()), default=0)
    nothing = np.full(count, np.nan)
    market = {}
    for name, row in rows.items():
        closes = [float(close) for close in row["closes_1d"]]
        padded = np.array([np.nan] * (count - len(closes)) + closes)
        market[name] = Columns(np.arange(count), nothing, nothing, nothing, padded, nothing)
    return market
