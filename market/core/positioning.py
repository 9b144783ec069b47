"""How the crowd is placed, from the public data of perpetual futures; refused when it makes no sense.

Field names and units are in the content each function gives: ratios and rates are fractions, amounts in base.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.core.answers import Unusable
from market.core.candles import from_ms
from market.core.canonical import plain, utc_text

PERIOD = "5m"  # over which ratio and volume are summed up
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,18})?", re.ASCII)
_ONE = Decimal(1)


def funding(content: Any, symbol: str) -> dict[str, str]:
    """Funding in an answer of /fapi/v1/premiumIndex: a positive `rate` is paid by longs to shorts at `next_at`."""
    row = _row(content, symbol)
    rate, mark = _number(symbol, row, "lastFundingRate"), _number(symbol, row, "markPrice")
    if abs(rate) >= _ONE or mark <= 0:
        raise Unusable(f"{symbol} has a funding rate of {rate} at a mark price of {mark}.")
    return {
        "rate": plain(rate),
        "mark_price": plain(mark),
        "next_at": _instant(symbol, row, "nextFundingTime"),
        "at": _instant(symbol, row, "time"),
    }


def open_interest(content: Any, symbol: str) -> dict[str, str]:
    """Contracts that are open, in base, from an answer of /fapi/v1/openInterest."""
    row = _row(content, symbol)
    amount = _number(symbol, row, "openInterest")
    if amount < 0:
        raise Unusable(f"{symbol} has an open interest of {amount}.")
    return {"amount": plain(amount), "at": _instant(symbol, row, "time")}


def long_short(content: Any, symbol: str) -> dict[str, str]:
    """Accounts that are long and short, as fractions, from an answer of /futures/data/globalLongShortAccountRatio."""
    row = _row(_newest(content, symbol), symbol)
    long, short = _number(symbol, row, "longAccount"), _number(symbol, row, "shortAccount")
    if min(long, short) < 0 or abs(long + short - _ONE) > Decimal("0.01"):
        raise Unusable(f"{symbol} has {long} of accounts long and {short} short, which is not the whole.")
    return {"long_accounts": plain(long), "short_accounts": plain(short), "at": _instant(symbol, row, "timestamp")}


def taker(content: Any, symbol: str) -> dict[str, str]:
    """What takers bought and sold in five minutes, in base, from an answer of /futures/data/takerlongshortRatio.

    Its rows name no symbol, so that of the question counts.
    """
    row = _newest(content, symbol)
    bought, sold = _number(symbol, row, "buyVol"), _number(symbol, row, "sellVol")
    if min(bought, sold) < 0:
        raise Unusable(f"{symbol} has a taker volume below zero: {bought} bought, {sold} sold.")
    return {"bought": plain(bought), "sold": plain(sold), "at": _instant(symbol, row, "timestamp")}


def _newest(content: Any, symbol: str) -> Mapping[str, Any]:
    if not isinstance(content, list) or not content or not isinstance(content[-1], dict):
        raise Unusable(f"The futures data of {symbol} are empty.")
    row: Mapping[str, Any] = content[-1]
    return row


def _row(content: Any, symbol: str) -> Mapping[str, Any]:
    if not isinstance(content, dict) or content.get("symbol") != symbol:
        raise Unusable(f"The futures data are not those of {symbol}.")
    return content


def _number(symbol: str, row: Mapping[str, Any], name: str) -> Decimal:
    value = row.get(name)
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
        raise Unusable(f"{symbol} has a {name} that is no decimal number as text: {str(value)[:40]!r}.")
    return Decimal(value)


def _instant(symbol: str, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if type(value) is not int or not 0 < value < 10**13:
        raise Unusable(f"{symbol} has no {name} in milliseconds.")
    return utc_text(from_ms(value))
