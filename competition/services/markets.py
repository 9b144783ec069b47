"""Which market a season reads. The source is a rule of the season; nothing falls back to another by itself."""

from competition.core.rules import Rules
from market.core.candles import Candles
from market.queries import stored_candles
from market.synthetic import synthetic_candles


def candles_of(rules: Rules) -> Candles:
    """The candles that the season's rules name as its market."""
    if rules.market_source == "synthetic":
        return synthetic_candles(rules.market_seed)
    return stored_candles(rules.timeframe)
