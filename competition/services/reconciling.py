"""The account on the exchange beside the seasons that trade there. One account carries them all."""

import logging
from collections.abc import Callable
from datetime import datetime

from competition.core.states import SeasonState
from competition.models import Season
from competition.services.venue_account import is_here, open_account
from portfolio.exchange_models import OrderAttempt, Reconciliation
from portfolio.reconciling import reconcile

logger = logging.getLogger(__name__)


def reconcile_account(clock: Callable[[], datetime]) -> Reconciliation:
    """Look at the account now, with the portfolios of every open season that executes there.

    Raises `NoAccount` without keys. What it finds is in the row, and in the log if it needs somebody.
    """
    seasons = [season for season in Season.objects.filter(state=SeasonState.OPEN.value) if _trades_there(season)]
    portfolio_ids = [entry.portfolio_id for season in seasons for entry in season.entries.order_by("number")]
    with open_account() as account:
        row = reconcile(account, portfolio_ids, clock)
    if row.is_wipe:
        logger.warning("the exchange was wiped: epoch %d begins, and the seasons go on from their ledgers", row.epoch)
    elif row.trouble or row.findings_count:
        logger.error("%s", row)
    return row


def is_needed() -> bool:
    """Whether anything of ours is, or ever was, at the exchange."""
    public = Season.objects.filter(state=SeasonState.OPEN.value)
    return OrderAttempt.objects.exists() or any(_trades_there(season) for season in public)


def _trades_there(season: Season) -> bool:
    rules = season.rule_book
    return rules.execution == "testnet" and is_here(rules)
