"""What the exchange knows and a record that was put back does not, taken over for all seasons at once."""

from collections.abc import Callable
from datetime import datetime

from competition.services.venue_account import open_account
from competition.services.venue_turns import TurnsAtVenue
from portfolio.found_models import FoundOrder
from portfolio.restoring import book_what_waits, recover
from portfolio.venue_session import open_session


def recover_account(clock: Callable[[], datetime]) -> list[FoundOrder]:
    """Keep every order of ours that the record lacks; those found now.

    Raises `NoAccount` without keys, `NoSession` while the exchange cannot be asked, or an order is not over yet.
    """
    turns = TurnsAtVenue()
    symbols = {name: symbol for season in turns.seasons() for name, symbol in season.symbol_book.items()}
    with open_account() as account:
        session = open_session(account, sorted(symbols), clock())
        return recover(session, symbols, turns, clock())


def book_found(now: datetime) -> None:
    """Book what was found and could not be booked yet, because its turn could still take it up, or another traded."""
    book_what_waits(TurnsAtVenue(), now)
