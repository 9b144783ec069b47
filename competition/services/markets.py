"""Which market a season reads. The source is a rule of the season; nothing falls back to another by itself."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from competition.core.rules import Rules
from market.core.candles import Candles
from market.core.readings import Readings, why_not_tradable
from market.queries import stored_candles, stored_readings
from market.synthetic import synthetic_candles

BINANCE = "binance"
NOT_FETCHED = (
    "Its market is read from the exchange, and MARKET_DATA={} here fetches nothing. "
    "Set MARKET_DATA=binance, or choose another market_source."
)


def candles_of(rules: Rules) -> Candles:
    """The candles that the season's rules name as its market."""
    if rules.market_source == "synthetic":
        return synthetic_candles(rules.market_seed)
    return stored_candles(rules.timeframe)


def readings_of(rules: Rules) -> Readings | None:
    """What the exchange's other data said, for a season that reads it; None for one that reads candles alone."""
    return stored_readings(rules.timeframe) if rules.market_source == BINANCE else None


def why_not_opened(rules: Rules, now: datetime) -> Iterator[str]:
    """What keeps a season that reads the exchange from being opened now: no feed, or a symbol that cannot be traded."""
    if rules.market_source != BINANCE:
        return
    if settings.MARKET_DATA != BINANCE:
        yield NOT_FETCHED.format(settings.MARKET_DATA)
        return
    for name, known in stored_readings(rules.timeframe)(rules.universe, now).items():
        if reason := why_not_tradable(known, now):
            yield f"{name}: {reason}. The feed reads it anew every quarter of an hour; `manage.py fetch_market` now."
