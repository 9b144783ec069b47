"""Exact prices of single candles out of the database, for the few at which something is traded.

Arrays hold the nearest floats of a million candles; money is never made of those. What is traded at is asked for in
stretches, each longer than the last while the stretches follow upon each other.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import numpy as np
from django.db import connection

from competition.core.backtest_past import Past, Rows

SHORTEST, LONGEST, KEPT_MAX = 16, 4_096, 20_000

_SELECT = """
SELECT (extract(epoch FROM open_at) * 1000)::bigint, symbol, trim_scale({column})
FROM market_candle
WHERE timeframe = %(timeframe)s AND symbol = ANY(%(symbols)s)
    AND open_at = ANY(SELECT to_timestamp(ms / 1000.0) FROM unnest(%(instants)s::bigint[]) AS ms)
"""


class StoredPrices:
    """`prices(row)` are the prices of all symbols at one row of a past. `expect` says which rows will be asked for."""

    def __init__(self, past: Past, timeframe: str, column: Literal["open", "close"]) -> None:
        self._past, self._timeframe = past, timeframe
        self._select = _SELECT.format(column=column)
        self._kept: dict[int, dict[str, Decimal]] = {}
        self._expected: Rows = np.empty(0, dtype=np.int64)
        self._length, self._next = SHORTEST, 0

    def expect(self, rows: Rows) -> None:
        """The rows that are asked for next, rising, perhaps not all of them."""
        self._expected, self._length, self._next = rows, SHORTEST, 0

    def __call__(self, row: int) -> Mapping[str, Decimal]:
        found = self._kept.get(row)
        if found is None:
            self._load(self._stretch(row))
            found = self._kept[row]
        return found

    def _stretch(self, row: int) -> Sequence[int]:
        at = int(np.searchsorted(self._expected, row))
        if at == len(self._expected) or self._expected[at] != row:
            return [row]
        self._length = min(self._length * 4, LONGEST) if at == self._next else SHORTEST
        self._next = at + self._length
        stretch: list[int] = self._expected[at : self._next].tolist()
        return stretch

    def _load(self, rows: Sequence[int]) -> None:
        if len(self._kept) > KEPT_MAX:
            self._kept.clear()
        instants = self._past.open_ms[list(rows)].tolist()
        row_at = dict(zip(instants, rows, strict=True))
        names = list(self._past.market)
        with connection.cursor() as cursor:
            cursor.execute(self._select, {"timeframe": self._timeframe, "symbols": names, "instants": instants})
            for open_ms, symbol, price in cursor.fetchall():
                self._kept.setdefault(row_at[open_ms], {})[symbol] = price
