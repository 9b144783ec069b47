"""Binance's public spot market data. The one place that knows how to ask for it.

Our own thin client, for the reasons in docs/decisions/0014; market/asking.py holds the line. Making one touches no
network.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from market.asking import Around, Asking
from market.core.answers import Unavailable, Unusable
from market.core.backoff import Backoff
from market.core.candles import Series, from_ms, to_ms
from market.core.depth import DayStatistics, OrderBook, day_statistics, order_book
from market.core.exchange_info import NotTradable, listings, tradable, weight_limit
from market.core.hosts import market_data_url
from market.core.kline_json import PAGE_ROWS, page_of
from market.core.symbols import Symbol
from market.core.weights import EXCHANGE_INFO_WEIGHT, KLINES_WEIGHT, STATISTICS_WEIGHT, TIME_WEIGHT, depth_weight

OFFSET_WITHIN_MS = 500
# The newest candle can change for a moment after its close, while the exchange's database catches up. What is stored is
# never asked for again, so the moment is waited for.
SETTLED_AFTER = timedelta(seconds=10)


class Binance:
    """Public market data of Binance spot, or of the exchange double at the address `double`.

    Every method may raise `ExchangeError`, whose message is for an operator. Not for use by two threads at once, nor
    inside a running event loop. Close it, or use it in a `with`.
    """

    def __init__(
        self, double: str = "", *, around: Around | None = None, backoff: Backoff | None = None, timeout_s: float = 15.0
    ) -> None:
        self._base = market_data_url(double)
        self.asking = Asking(around, backoff, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.asking.close()

    def server_time(self) -> datetime:
        """The exchange's clock, in UTC, as it was when it answered."""
        content = self._get("/api/v3/time", {}, TIME_WEIGHT)
        told = content.get("serverTime") if isinstance(content, dict) else None
        if type(told) is not int or not 0 < told < 10**13:
            raise Unusable("The exchange's answer about its time has no serverTime in milliseconds.")
        return from_ms(told)

    def closed_until(self) -> datetime:
        """Candles that closed at or before this instant will not change any more, by the exchange's own clock."""
        return self.server_time() - SETTLED_AFTER

    def symbols(self, names: Sequence[str]) -> Mapping[str, Symbol]:
        """These symbols with the filters they have now. `Refused` with code -1121 when any is unknown.

        `NotTradable` when one is halted or not for a season.
        """
        return {name: tradable(found) for name, found in self.exchange_information(names).items()}

    def exchange_information(self, names: Sequence[str]) -> Mapping[str, Symbol | NotTradable]:
        """Each of these symbols with its filters, or why it cannot be traded now. `Refused` when any is unknown."""
        wanted = {"symbols": json.dumps(list(names), separators=(",", ":"))}
        content = self._get("/api/v3/exchangeInfo", wanted, EXCHANGE_INFO_WEIGHT)
        self.asking.weight_limit = weight_limit(content) or self.asking.weight_limit
        found = listings(content)
        if set(found) != set(names):
            raise Unusable("The exchange information is not about the symbols that were asked for.")
        return {name: found[name] for name in names}

    def klines(self, symbol: str, timeframe: str, first_open_ms: int, last_open_ms: int, as_of: datetime) -> Series:
        """Up to 1000 candles that open from `first_open_ms` to `last_open_ms` and closed by `as_of`, oldest first.

        Fewer, or none, when the exchange has no more in that span.
        """
        params = {
            "symbol": symbol,
            "interval": timeframe,
            "startTime": str(first_open_ms),
            "endTime": str(last_open_ms),
            "limit": str(PAGE_ROWS),
        }
        rows = self._get("/api/v3/klines", params, KLINES_WEIGHT)
        return page_of(rows, symbol, timeframe, first_open_ms, last_open_ms, as_of)

    def day_statistics(self, symbol: str) -> DayStatistics:
        """The last 24 hours of a symbol, as the exchange sums them up."""
        return day_statistics(self._get("/api/v3/ticker/24hr", {"symbol": symbol}, STATISTICS_WEIGHT), symbol)

    def order_book(self, symbol: str, levels: int = 100) -> OrderBook:
        """The order book of a symbol now, at most `levels` (1 to 5000) of each side."""
        params = {"symbol": symbol, "limit": str(levels)}
        return order_book(self._get("/api/v3/depth", params, depth_weight(levels)), symbol)

    def clock_offset_ms(self) -> int:
        """What to add to this machine's clock to get the exchange's, as if it had answered half-way.

        Wrong by half of `OFFSET_WITHIN_MS` at most: an answer that took longer, or came after a pause, is not used.
        """
        for _ in range(self.asking.tries):
            asked_ms = self.asking.now_ms()
            told_ms = to_ms(self.server_time())
            answered_ms = self.asking.now_ms()
            if 0 <= answered_ms - asked_ms <= OFFSET_WITHIN_MS:
                return told_ms - (asked_ms + answered_ms) // 2
        raise Unavailable(
            f"The exchange did not tell its time within {OFFSET_WITHIN_MS} ms; how far the clocks are apart is unknown."
        )

    def _get(self, path: str, params: Mapping[str, str], weight: int) -> Any:
        return self.asking.get(self._base + path, params, weight)
