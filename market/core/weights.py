"""How much the exchange lets one address ask in a minute, and how much of that is used.

Every request has a weight, and the exchange counts them per IP address and calendar minute: over the limit it answers
429, then bans the address. Its own count comes with every answer and is believed over ours, since other processes
behind the same address are in it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MINUTE_MS = 60_000
USED_HEADER = "x-mbx-used-weight-1m"
ASSUMED_LIMIT = 6000  # what exchangeInfo.rateLimits said in 2024 and 2025, on the testnet and off it
SHARE = 0.5  # of the limit: the rest is for whoever else asks from this address

TIME_WEIGHT = 1
KLINES_WEIGHT = 2
STATISTICS_WEIGHT = 2  # of one symbol
EXCHANGE_INFO_WEIGHT = 20
FUTURES_WEIGHT = 1  # each of the four questions; two of them are counted by number only, and so are cheaper than this
FUTURES_LIMIT = 2400  # a minute, counted apart from spot
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))  # (levels up to, weight)


def depth_weight(levels: int) -> int:
    """The weight of an order book of this many levels, 1 to 5000; `ValueError` for another number."""
    for most, weight in _DEPTH_WEIGHTS:
        if 0 < levels <= most:
            return weight
    raise ValueError(f"an order book has 1 to 5000 levels, not {levels}")


@dataclass(frozen=True, slots=True)
class WeightUse:
    """Weight used in one minute, which is counted from 1970."""

    minute: int = 0
    used: int = 0


def after_answer(use: WeightUse, at_ms: int, weight: int, headers: Mapping[str, str]) -> WeightUse:
    """The use after a request of `weight` was answered at `at_ms`; names in `headers` are in small letters."""
    minute = at_ms // MINUTE_MS
    before = use.used if use.minute == minute else 0
    told = headers.get(USED_HEADER, "")
    # Told less than before, the exchange's minute is a new one though ours is not: its count is still the true one.
    used = int(told) if told.isascii() and told.isdigit() and len(told) <= 9 else before + weight
    return WeightUse(minute, used)


def wait_s(use: WeightUse, at_ms: int, weight: int, limit: int = ASSUMED_LIMIT) -> float:
    """Seconds until a request of `weight` fits into our share of `limit`: 0, or the rest of this minute."""
    if use.minute != at_ms // MINUTE_MS or use.used + weight <= limit * SHARE:
        return 0.0
    return (MINUTE_MS - at_ms % MINUTE_MS) / 1000
