"""The exchange's own description of a symbol: what may be traded there, and in which steps."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.core.answers import ExchangeError, Unusable
from market.core.canonical import plain
from market.core.symbols import QUOTE_ASSET, Symbol

_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)  # more would not fit the database
_NAME = re.compile(r"[A-Z0-9]{2,20}", re.ASCII)
_ASSET = re.compile(r"[A-Z0-9]{1,10}", re.ASCII)


class NotTradable(ExchangeError):
    """A symbol that exists and that a season cannot use; the message says why."""


def listings(content: Any) -> Mapping[str, Symbol | NotTradable]:
    """Every symbol of an exchangeInfo answer by name: with its filters, or why a season cannot use it now.

    Not tradable is one that is halted, is not for spot, or is not quoted in USDT. `Unusable` when a filter is missing
    or is no number. The greatest quantity is that of LOT_SIZE: the one of MARKET_LOT_SIZE changes by the hour.
    """
    rows = content.get("symbols") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unusable("The exchange information has no list of symbols.")
    found: dict[str, Symbol | NotTradable] = {}
    for row in rows:
        name = _name(row)
        try:
            found[name] = _symbol(name, row)
        except NotTradable as why:
            found[name] = why
    return found


def tradable(found: Symbol | NotTradable) -> Symbol:
    """The symbol, or the reason raised."""
    if isinstance(found, NotTradable):
        raise found
    return found


def _name(row: Mapping[str, Any]) -> str:
    name, base, quote = (row.get(key) for key in ("symbol", "baseAsset", "quoteAsset"))
    if not (_is(_NAME, name) and _is(_ASSET, base) and _is(_ASSET, quote)) or name != f"{base}{quote}":
        raise Unusable(f"The exchange information names a symbol that is not its pair: {str(name)[:40]!r}.")
    return str(name)


def _symbol(name: str, row: Mapping[str, Any]) -> Symbol:
    base, quote = str(row["baseAsset"]), str(row["quoteAsset"])
    _check_tradable(name, quote, row)
    filters = _filters(name, row.get("filters"))
    notionals = [filters[kind] for kind in ("NOTIONAL", "MIN_NOTIONAL") if kind in filters]
    if not notionals:
        raise Unusable(f"{name} has no filter NOTIONAL.")
    step, tick = _number(name, filters, "LOT_SIZE", "stepSize"), _number(name, filters, "PRICE_FILTER", "tickSize")
    if step == 0 or tick == 0:
        raise NotTradable(f"{name} has no step of quantity or no tick of price; a season needs both.")
    symbol = Symbol(
        name=name,
        base=base,
        quote=quote,
        step=step,
        min_quantity=_number(name, filters, "LOT_SIZE", "minQty"),
        max_quantity=_number(name, filters, "LOT_SIZE", "maxQty"),
        tick=tick,
        min_notional=max(_decimal(name, "minNotional", found.get("minNotional")) for found in notionals),
    )
    if symbol.max_quantity < symbol.min_quantity:
        raise Unusable(f"{name} has a maxQty below its minQty.")
    return symbol


def _is(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _check_tradable(name: str, quote: str, row: Mapping[str, Any]) -> None:
    status = row.get("status")
    if status != "TRADING":
        raise NotTradable(f"{name} is not traded now: the exchange says {str(status)[:30]}.")
    if row.get("isSpotTradingAllowed") is not True:
        raise NotTradable(f"{name} is not for spot trading.")
    if quote != QUOTE_ASSET:
        raise NotTradable(f"{name} is quoted in {quote}; seasons are played in {QUOTE_ASSET}.")


def _filters(name: str, rows: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unusable(f"{name} has no list of filters.")
    return {str(row.get("filterType")): row for row in rows}


def _number(name: str, filters: Mapping[str, Mapping[str, Any]], kind: str, field: str) -> Decimal:
    if kind not in filters:
        raise Unusable(f"{name} has no filter {kind}.")
    return _decimal(name, field, filters[kind].get(field))


def _decimal(name: str, field: str, value: Any) -> Decimal:
    if not _is(_NUMBER, value):
        raise Unusable(f"{name} has a {field} that is no decimal number as text: {str(value)[:40]!r}.")
    return Decimal(plain(Decimal(value)))


def weight_limit(content: Any) -> int | None:
    """The weight that one address may use in a minute, or None when the answer does not tell."""
    limits = content.get("rateLimits") if isinstance(content, dict) else None
    for row in limits if isinstance(limits, list) else ():
        if isinstance(row, dict) and row.get("rateLimitType") == "REQUEST_WEIGHT":
            every, limit = (row.get("interval"), row.get("intervalNum")), row.get("limit")
            if every == ("MINUTE", 1) and type(limit) is int and limit > 0:
                return limit
    return None


def market_maxima(content: Any) -> Mapping[str, Decimal]:
    """The greatest quantity of one MARKET order now, by symbol; for a symbol without such a filter it is left out.

    It changes by the hour, so it holds for this answer only. Raises as `listings` does.
    """
    rows = content.get("symbols") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unusable("The exchange information has no list of symbols.")
    named = {str(row.get("symbol")): _filters(str(row.get("symbol")), row.get("filters")) for row in rows}
    found = {
        name: _number(name, filters, "MARKET_LOT_SIZE", "maxQty")
        for name, filters in named.items()
        if "MARKET_LOT_SIZE" in filters
    }
    return {name: most for name, most in found.items() if most}  # 0 switches it off
