"""Prices of the exchange for a season on the made-up market: those of its own market, at its own pace."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from competition.core.rules import FROZEN, Rules
from competition.core.schedule import market_time
from market.core.candles import TIMEFRAME_S, from_ms
from market.synthetic import TIMEFRAME, synthetic_candles

CANDLE = timedelta(seconds=TIMEFRAME_S[TIMEFRAME])


def prices_of(document: Mapping[str, Any]) -> Callable[[str, int], Decimal]:
    """(symbol, wall clock in ms) -> the close of the last candle closed by then in the market of these rules."""
    rules = Rules.model_validate(document, context=FROZEN)
    if rules.market_source != "synthetic":
        raise ValueError("Only the made-up market can be had at any instant; this season has another.")
    candles = synthetic_candles(rules.market_seed)

    def price_at(symbol: str, at_ms: int) -> Decimal:
        at = market_time(rules, from_ms(at_ms))
        return candles((symbol,), at - CANDLE, at)[symbol].closes[-1]

    return price_at
