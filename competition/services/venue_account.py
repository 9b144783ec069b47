"""The one account on the testnet at which the seasons of this installation trade."""

from django.conf import settings

from competition.core.rules import Rules
from market.core.hosts import TESTNET
from portfolio.testnet import Keys, Testnet


class NoAccount(Exception):
    """There are no keys of an account; the message says what to set."""


def open_account() -> Testnet:
    """A client of the account, at the testnet or at the exchange double. Touches no network; the caller closes it.

    Raises `NoAccount` without keys, `ForbiddenHost` for a double that is elsewhere.
    """
    if not (settings.BINANCE_API_KEY and settings.BINANCE_API_SECRET):
        raise NoAccount(
            f"Set BINANCE_API_KEY and BINANCE_API_SECRET to those of an account at {TESTNET}; "
            "keys of the live exchange do not work there."
        )
    return Testnet(Keys(settings.BINANCE_API_KEY, settings.BINANCE_API_SECRET), settings.EXCHANGE_DOUBLE)


def account_if_any() -> Testnet | None:
    """The account; None in a process that has no keys of it, and so sends no order."""
    return open_account() if settings.BINANCE_API_KEY and settings.BINANCE_API_SECRET else None


def is_here(rules: Rules) -> bool:
    """Whether this process speaks to the exchange of these rules: one played at a double has no other."""
    return rules.exchange != "double" or bool(settings.EXCHANGE_DOUBLE)
