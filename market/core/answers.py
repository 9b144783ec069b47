"""What an answer of the exchange to a question about the market means: a value, try again, or stop with a reason.

Only for questions. An order whose answer is lost may have been executed, so none of this holds for orders.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from market.core.backoff import RETRY_AFTER_MAX_S, retry_after_s

_RATE_LIMITED, _BANNED, _WAF, _REGION = 429, 418, 403, 451
# Without a Retry-After: the count starts anew every minute, and a ban lasts two minutes at least.
_USUAL_WAIT_S = {_RATE_LIMITED: 60.0, _BANNED: 120.0}
_SHOWN = 200
INVALID_SYMBOL = -1121


class ExchangeError(Exception):
    """The exchange gave no answer that can be used; the message is for an operator."""


class RegionBlocked(ExchangeError):
    """HTTP 451."""


class StayAway(ExchangeError):
    """The exchange wants to be left alone for longer than anybody should sleep; `seconds` of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"The exchange tells this address to stay away for {seconds:.0f} seconds, because it asked too much. "
            "Asking earlier makes it longer."
        )


class Refused(ExchangeError):
    """The exchange understood and said no; `code` is its own, 0 when it gave none."""

    def __init__(self, status: int, code: int, text: str) -> None:
        self.status, self.code = status, code
        said = f"{text} (code {code})" if code else text or "it gave no reason"
        super().__init__(f"The exchange refuses the request with HTTP {status}: {said}")


class Unavailable(ExchangeError):
    """Asked as often as is reasonable."""


class Unusable(ExchangeError):
    """An answer that came whole and makes no sense."""


@dataclass(frozen=True, slots=True)
class Json:
    """The parsed body of a good answer; numbers with a point are `Decimal`."""

    value: Any


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Nothing usable yet, and why; after `after_s` seconds if the exchange named them."""

    why: str
    after_s: float | None = None


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Json | TryAgain:
    """The meaning of one answer; `ExchangeError` when asking again would not help. Header names in small letters."""
    if status in _USUAL_WAIT_S:
        return _told_to_wait(status, headers)
    if status >= 500:
        return TryAgain(f"HTTP {status}")
    content = parsed_json(body)
    if status == 200:
        return content or TryAgain("an answer that is not JSON, or cut off")
    return _refused(status, content)


def _told_to_wait(status: int, headers: Mapping[str, str]) -> TryAgain:
    told = retry_after_s(headers)
    seconds = _USUAL_WAIT_S[status] if told is None else told
    if seconds > RETRY_AFTER_MAX_S:
        raise StayAway(seconds)
    return TryAgain(f"HTTP {status}, too many requests", seconds)


def parsed_json(body: bytes) -> Json | None:
    """The value of a whole JSON text, or None for anything else. NaN and infinity are no JSON."""
    try:
        return Json(json.loads(body, parse_float=Decimal, parse_constant=_no_number))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, cut off, or nested without end
        return None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _refused(status: int, content: Json | None) -> NoReturn:
    if status == _REGION:
        raise RegionBlocked(
            "The exchange does not serve this region (HTTP 451). Run this where it may be used, or read its bulk "
            "files with `manage.py import_candles`."
        )
    if status == _WAF:
        raise Refused(status, 0, "its firewall turned the request away, which waiting does not change")
    if 300 <= status < 400:
        raise Refused(status, 0, "it wants to send us to another address, which is never followed")
    said = content.value if content and isinstance(content.value, dict) else {}
    code = said.get("code")
    text = "".join(c if c.isprintable() else " " for c in str(said.get("msg", "")))[:_SHOWN]
    raise Refused(status, code if isinstance(code, int) else 0, text)
