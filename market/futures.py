"""Binance's public data of perpetual futures: how the crowd is placed. No account, no key, four questions.

Apart from spot: another host, and a weight of its own. Making one touches no network.
"""

from types import TracebackType
from typing import Any, Self

from market.asking import Around, Asking
from market.core import positioning
from market.core.backoff import Backoff
from market.core.hosts import FUNDING, INTEREST, RATIO, TAKER, futures_question
from market.core.readings import Kind
from market.core.weights import FUTURES_LIMIT, FUTURES_WEIGHT

_NEWEST = {"period": positioning.PERIOD, "limit": "1"}
_QUESTIONS = {
    Kind.FUNDING: (FUNDING, {}, positioning.funding),
    Kind.INTEREST: (INTEREST, {}, positioning.open_interest),
    Kind.RATIO: (RATIO, _NEWEST, positioning.long_short),
    Kind.TAKER: (TAKER, _NEWEST, positioning.taker),
}


class Futures:
    """Public data of Binance's USDT perpetuals, or of the exchange double at the address `double`.

    May raise `ExchangeError`, whose message is for an operator. Close it, or use it in a `with`.
    """

    def __init__(
        self, double: str = "", *, around: Around | None = None, backoff: Backoff | None = None, timeout_s: float = 15.0
    ) -> None:
        self._urls = {kind: futures_question(path, double) for kind, (path, _, _) in _QUESTIONS.items()}
        self.asking = Asking(around, backoff, timeout_s, FUTURES_LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.asking.close()

    def positioning(self, kind: Kind, symbol: str) -> dict[str, str]:
        """The newest figures of this kind, with the instant `at` that the exchange gives them."""
        _, params, read = _QUESTIONS[kind]
        content: Any = self.asking.get(self._urls[kind], {"symbol": symbol, **params}, FUTURES_WEIGHT)
        return read(content, symbol)
