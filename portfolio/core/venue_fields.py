"""Fields of the exchange's answers, each read as exactly what it must be. Amounts are text, and never floats."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,18})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


class Nonsense(ValueError):
    """An answer that came whole and cannot be about this order, or about any; the message says why."""


def mapping_of(content: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise Nonsense(f"{what} that is no object")
    return content


def number_of(row: Mapping[str, Any], name: str) -> Decimal:
    value = row.get(name)
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
        raise Nonsense(f"{name} is no decimal number as text: {str(value)[:40]!r}")
    return Decimal(value)


def amount_of(row: Mapping[str, Any], name: str) -> Decimal:
    number = number_of(row, name)
    if number < 0:
        raise Nonsense(f"{name} is below zero: {number}")
    return number


def whole_of(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    text = str(value) if type(value) in (int, str) else ""
    if _WHOLE.fullmatch(text) is None:
        raise Nonsense(f"{name} is no whole number: {str(value)[:40]!r}")
    return int(text)


def word_of(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or _WORD.fullmatch(value) is None:
        raise Nonsense(f"{name} is no word: {str(value)[:40]!r}")
    return value


def name_of(row: Mapping[str, Any], name: str) -> str:
    """A name in any script: there are assets with Chinese ones."""
    value = row.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 40 or not value.isprintable():
        raise Nonsense(f"{name} is no name: {str(value)[:40]!r}")
    return value
