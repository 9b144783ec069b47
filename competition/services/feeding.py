"""What the feed has to keep current: the series that seasons read from the exchange, and those a new one would."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from pydantic import ValidationError

from competition.core.rules import FROZEN, Rules
from competition.core.states import SeasonState
from competition.models import Season
from competition.services.markets import BINANCE
from market.core.candles import TIMEFRAME_S
from market.core.snapshot import HISTORY
from market.core.symbols import DEFAULT_SYMBOLS
from market.feed import Run, refresh
from market.following import Follow

logger = logging.getLogger(__name__)

DEFAULT_TIMEFRAME = "1h"


def fetch_market(now: datetime) -> Run | None:
    """One run of the feed, if this installation reads the exchange; None when it does not or another is at it."""
    if settings.MARKET_DATA != BINANCE:
        logger.warning("nothing is fetched: MARKET_DATA is %s", settings.MARKET_DATA)
        return None
    run = refresh(followed_series(now), settings.EXCHANGE_DOUBLE)
    if run:
        told = ", ".join(f"{name} {run.requests[name]} requests of weight {run.weight[name]}" for name in run.requests)
        logger.info("market: %d candles, %d readings; %s", run.candles, run.readings, told or "nothing asked")
    return run


def followed_series(now: datetime) -> list[Follow]:
    """Every series that an open or drafted season reads from the exchange, and the default symbols by the hour.

    As far back as a snapshot looks; what a backtest needs beyond it is fetched by `manage.py fetch_candles`.
    """
    wanted = dict.fromkeys((symbol.name, DEFAULT_TIMEFRAME) for symbol in DEFAULT_SYMBOLS)
    for season in Season.objects.exclude(state=SeasonState.CLOSED.value).order_by("id"):
        if season.rules.get("market_source") == BINANCE:
            try:
                rules = Rules.model_validate(season.rules, context=FROZEN)
            except ValidationError:
                logger.warning("the rules of %s cannot be read, so nothing is fetched for it", season.slug)
                continue
            wanted |= dict.fromkeys((name, rules.timeframe) for name in rules.universe)
    since = now - HISTORY
    return [Follow(symbol, timeframe, _floor(since, timeframe)) for symbol, timeframe in wanted]


def _floor(at: datetime, timeframe: str) -> datetime:
    return at - timedelta(seconds=at.timestamp() % TIMEFRAME_S[timeframe])
