"""Readings as long as real ones, with nobody's figures: to tell how long a brief will be before there is a market."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from market.core.canonical import utc_text
from market.core.readings import Kind, Known, Reading

_FIGURE = "12345.67891234"


def specimen_readings(symbols: Sequence[str], as_of: datetime) -> dict[str, Known]:
    """Everything known of each symbol at `as_of`."""
    at = utc_text(as_of)
    figures = dict.fromkeys(("change_pct", "last", "high", "low", "volume", "quote_volume"), _FIGURE)
    contents: dict[Kind, dict[str, Any]] = {
        Kind.FILTERS: {"step": "1"},
        Kind.BOOK: {"bids": [["12345.67", _FIGURE]], "asks": [["12345.68", _FIGURE]]},
        Kind.DAY: {"until": at, **figures},
        Kind.FUNDING: {"rate": "0.00012345", "mark_price": _FIGURE, "next_at": at, "at": at},
        Kind.INTEREST: {"amount": _FIGURE, "at": at},
        Kind.RATIO: {"long_accounts": "0.6123", "short_accounts": "0.3877", "at": at},
        Kind.TAKER: {"bought": _FIGURE, "sold": _FIGURE, "at": at},
    }
    readings = {kind: Reading(kind, as_of, content) for kind, content in contents.items()}
    return {symbol: Known(as_of, "", readings) for symbol in symbols}
