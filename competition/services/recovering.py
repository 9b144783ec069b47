"""What the exchange knows and a record that was put back does not, taken over for all seasons at once."""

from collections.abc import Callable
from datetime import datetime

from competition.core.states import SeasonState
from competition.models import Season
from competition.services.venue_account import is_here, open_account
from competition.services.venue_turns import TurnsAtVenue
from market.core.symbols import Symbol
from portfolio.found_models import FoundOrder
from portfolio.restoring import book_what_waits, recover
from portfolio.venue_session import open_session


def recover_account(clock: Callable[[], datetime]) -> list[FoundOrder]:
    """Keep every order of ours that the record lacks; those found now.

    Raises `NoAccount` without keys, `NoSession` while the exchange cannot be asked, or an order is not over yet.
    """
    seasons = Season.objects.exclude(state=SeasonState.DRAFT.value).filter(rules__execution="testnet").order_by("id")
    symbols: dict[str, Symbol] = {}
    for season in seasons:
        if is_here(season.rule_book):
            symbols.update(season.symbol_book)
    with open_account() as account:
        session = open_session(account, sorted(symbols), clock())
        return recover(session, symbols, TurnsAtVenue(), clock())


def book_found(now: datetime) -> None:
    """Book what was found and could not be booked yet, because its turn could still take it up, or another traded."""
    book_what_waits(TurnsAtVenue(), now)
