"""The keys of the account at the testnet. They are in the environment of the one process that sends orders."""

from django.conf import settings

from portfolio.testnet import Keys, Testnet


def connect_by_settings() -> Testnet | None:
    """The account whose keys the settings hold, or the double's; None without keys. Touches no network."""
    key, secret = settings.TESTNET_API_KEY, settings.TESTNET_API_SECRET
    return Testnet(Keys(key, secret), settings.EXCHANGE_DOUBLE) if key and secret else None
