"""A page of candles as the exchange's API sends it, held against the same checks as its files.

The rows are written out as the lines of a kline file and read by `market.core.klines`, so that there is one set of
checks and no second reading of a price.
"""

from datetime import datetime
from typing import Any

from market.core.answers import Unusable
from market.core.candles import TIMEFRAME_S, Series, empty_series, from_ms, to_ms
from market.core.klines import KlineFileError, parse_klines

PAGE_ROWS = 1000  # the most that the exchange sends at once
_WIDTH = 12
_WHOLE = (0, 6, 8)  # open time, close time, number of trades; all else is text


def page_of(rows: Any, symbol: str, timeframe: str, first_open_ms: int, last_open_ms: int, as_of: datetime) -> Series:
    """The candles of one answer that closed at or before `as_of`, oldest first; perhaps none.

    They were asked for from `first_open_ms` to `last_open_ms`, both included: any other is refused. `Unusable` says
    all that is wrong, by the number of the row.
    """
    name = f"the answer for {symbol} {timeframe} from {from_ms(first_open_ms):%Y-%m-%d %H:%M} UTC on"
    if not isinstance(rows, list) or len(rows) > PAGE_ROWS:
        raise Unusable(f"In {name}: it is not a list of at most {PAGE_ROWS} candles.")
    lines = [_line(name, number, row) for number, row in enumerate(rows, start=1)]
    last_closed_ms = to_ms(as_of) - TIMEFRAME_S[timeframe] * 1000
    if not rows or (len(rows) == 1 and rows[0][0] > last_closed_ms):
        return empty_series(symbol, timeframe)
    try:
        series = parse_klines(name, "\n".join(lines).encode(), as_of, symbol=symbol, timeframe=timeframe)
    except KlineFileError as error:
        raise Unusable(str(error)) from error
    if series.open_ms[0] < first_open_ms or series.open_ms[-1] > last_open_ms:
        raise Unusable(f"In {name}: it has candles that were not asked for.")
    return series


def _line(name: str, number: int, row: Any) -> str:
    if not isinstance(row, list) or len(row) != _WIDTH:
        raise Unusable(f"In {name}: row {number} is not a list of {_WIDTH} values.")
    for index, value in enumerate(row):
        if type(value) is not (int if index in _WHOLE else str):  # a price as a JSON number has been a float somewhere
            kind = "a whole number" if index in _WHOLE else "text"
            raise Unusable(f"In {name}: value {index + 1} of row {number} is not {kind}.")
        if isinstance(value, str) and set(value) & set(',"\r\n'):
            raise Unusable(f"In {name}: value {index + 1} of row {number} is not a number.")
    return ",".join(map(str, row))
