"""The one way a value becomes text that is hashed: same value, same bytes, on every machine."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def plain(number: Decimal) -> str:
    """`Decimal` as text without exponent or trailing zeros: `1E+3` is `1000`, `0.500` is `0.5`, `-0` is `0`.

    NaN and infinity raise `ValueError`.
    """
    if not number.is_finite():
        raise ValueError(f"{number} has no canonical text")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def utc_text(at: datetime) -> str:
    """An aware instant as ISO 8601 in UTC with `Z`; a naive one raises `ValueError`."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; every instant here is UTC-aware")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _encode(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc_text(value)
    raise TypeError(f"{type(value).__name__} has no canonical text")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; `Decimal` and `datetime` become their canonical text; NaN is refused."""
    return json.dumps(
        value, default=_encode, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_of(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
