"""What the exchange knows and a record that was put back does not, taken over for all seasons at once."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from competition.services.venue_account import open_account
from competition.services.venue_turns import TurnsAtVenue
from market.core.answers import ExchangeError
from portfolio.found_models import FoundOrder
from portfolio.restoring import book_what_waits, recover
from portfolio.testnet_desk import Connection
from portfolio.venue_session import NoSession, open_session

logger = logging.getLogger(__name__)
Account = Callable[[], AbstractContextManager[Connection]]


def recover_account(clock: Callable[[], datetime], account: Account | None = None) -> list[FoundOrder]:
    """Keep every order of ours that the record lacks; those found now.

    Raises `NoAccount` without keys, `NoSession` while the exchange cannot be asked, or an order is not over yet.
    """
    turns = TurnsAtVenue()
    symbols = {name: symbol for season in turns.seasons() for name, symbol in season.symbol_book.items()}
    with (account or open_account)() as connection:
        session = open_session(connection, sorted(symbols), clock())
        return recover(session, symbols, turns, clock())


def recover_by_night(clock: Callable[[], datetime], account: Account | None = None) -> None:
    """The same where nobody may trade for weeks; what cannot be taken over yet waits for the next night."""
    try:
        recover_account(clock, account)
    except (NoSession, ExchangeError) as why:
        logger.warning("whether the record lacks orders of ours could not be found out: %s", why)


def book_found(now: datetime) -> None:
    """Book what was found and could not be booked yet, because its turn could still take it up, or another traded."""
    book_what_waits(TurnsAtVenue(), now)
