"""The only addresses of the exchange that this program can speak to.

The spot hosts on which an order would cost real money are not here, so no setting can name one: there is nothing to
choose among. `MARKET_DATA` serves public data and has no account behind it; `TESTNET` has play money. The public data
of futures have no host of their own, so theirs is not given away: only whole addresses of four questions are. The one
address that can be given is that of an exchange double, and it must be a number of this machine: a name could be
resolved to anywhere.
"""

import re

MARKET_DATA = "https://data-api.binance.vision"
TESTNET = "https://testnet.binance.vision"

_FUTURES = "https://fapi.binance.com"
FUNDING, INTEREST = "/fapi/v1/premiumIndex", "/fapi/v1/openInterest"
RATIO, TAKER = "/futures/data/globalLongShortAccountRatio", "/futures/data/takerlongshortRatio"
FUTURES_QUESTIONS = frozenset({FUNDING, INTEREST, RATIO, TAKER})

_ON_THIS_MACHINE = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})", re.ASCII)
_LAST_PORT = 65_535


class ForbiddenHost(ValueError):
    """An address that is not this machine's."""


def market_data_url(double: str = "") -> str:
    """Where public market data is read: the exchange, or the double at this address if one is given."""
    return _double(double) if double else MARKET_DATA


def orders_url(double: str = "") -> str:
    """Where orders go: the testnet, or the double at this address if one is given. Never the live exchange."""
    return _double(double) if double else TESTNET


def futures_question(path: str, double: str = "") -> str:
    """The whole address of a question about futures, at the exchange or at the double; no other path has one."""
    if path not in FUTURES_QUESTIONS:
        raise ForbiddenHost(f"{path!r} is no question that is asked about futures")
    return (_double(double) if double else _FUTURES) + path


def _double(url: str) -> str:
    match = _ON_THIS_MACHINE.fullmatch(url)
    if match is None or int(match[1]) > _LAST_PORT:
        raise ForbiddenHost(
            f"EXCHANGE_DOUBLE={url!r} is refused: it can only be an exchange double on this machine, "
            "http://127.0.0.1:PORT or http://[::1]:PORT. Leave it unset to speak to the exchange."
        )
    return url
