"""How long to wait before asking again, and when to stop."""

from collections.abc import Mapping
from dataclasses import dataclass

RETRY_AFTER_HEADER = "retry-after"
RETRY_AFTER_MAX_S = 300.0  # who is told to stay away longer is told so, rather than sleep for days


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `first_s` to `most_s`, for as many `tries` as are made in all."""

    first_s: float = 1.0
    most_s: float = 60.0
    tries: int = 7

    def pause_s(self, tried: int, jitter: float) -> float:
        """Seconds to wait after `tried` tries (1 or more); `jitter` in [0, 1) takes up to half of them away.

        Without it, all who were refused at once would come back at once.
        """
        doubled = self.first_s * 2.0 ** min(tried - 1, 60)  # enough to reach any most_s, and no overflow
        whole = min(doubled, self.most_s)
        return whole * (1 - jitter / 2)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What the header Retry-After says in seconds, or None when it is absent or no number of seconds."""
    told = headers.get(RETRY_AFTER_HEADER, "").strip()
    return float(told) if told.isascii() and told.isdigit() and len(told) <= 9 else None
