"""What a row of a kline file must satisfy. Each check is one function that says what is wrong, or nothing."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.core.candles import from_ms

COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "close_time")
SHOWN = 10
_EARLIEST_US = 1_262_304_000_000_000  # 2010-01-01
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01


class Row(NamedTuple):
    """One line of a file; both times in microseconds since 1970, prices in quote per base, volume in base."""

    line: int
    open_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_us: int


class Findings:
    """Violations as they are found: the first ten are kept, all are counted, however broken the file."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.count = 0

    def add(self, line: int, text: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"line {line}: {text}")


def check_rows(rows: Sequence[Row], step_us: int, findings: Findings) -> None:
    """Run every check on every row, in file order; `step_us` is the timeframe in microseconds."""
    before: Row | None = None
    for row in rows:
        for check in ROW_CHECKS:
            if problem := check(row, step_us):
                findings.add(row.line, problem)
        if before and (problem := _out_of_order(before, row)):
            findings.add(row.line, problem)
        before = row


def _open_time(row: Row, step_us: int) -> str:
    if not _EARLIEST_US <= row.open_us < _LATEST_US:
        return "open_time is neither milliseconds nor microseconds of a day between 2010 and 2100"
    if row.open_us % step_us:
        return f"open_time {_moment(row)} is not at the start of a candle of {step_us // 1_000_000} s"
    return ""


def _close_time(row: Row, step_us: int) -> str:
    """In outages the exchange really closed candles early; none closes later than its timeframe."""
    if row.close_us < row.open_us:
        return "close_time is before open_time"
    if row.close_us >= row.open_us + step_us:
        return f"close_time is {step_us // 1_000_000} s or more after open_time; is the timeframe right?"
    return ""


def _prices(row: Row, step_us: int) -> str:
    if row.open > 0 and row.high > 0 and row.low > 0 and row.close > 0:
        return ""
    return f"open {row.open}, high {row.high}, low {row.low}, close {row.close}: not all are above zero"


def _extremes(row: Row, step_us: int) -> str:
    if row.high < row.low:
        return f"high {row.high} is below low {row.low}"
    if row.high < row.open or row.high < row.close:
        return f"high {row.high} is below open {row.open} or close {row.close}"
    if row.low > row.open or row.low > row.close:
        return f"low {row.low} is above open {row.open} or close {row.close}"
    return ""


def _volume(row: Row, step_us: int) -> str:
    return f"volume {row.volume} is negative" if row.volume < 0 else ""


ROW_CHECKS: tuple[Callable[[Row, int], str], ...] = (_open_time, _close_time, _prices, _extremes, _volume)


def _out_of_order(before: Row, row: Row) -> str:
    if row.open_us > before.open_us:
        return ""
    if row.open_us == before.open_us:
        return f"open_time {_moment(row)} is there twice"
    return f"open_time {_moment(row)} comes after {_moment(before)}; candles must be oldest first"


def _moment(row: Row) -> str:
    if not _EARLIEST_US <= row.open_us < _LATEST_US:
        return str(row.open_us)
    return f"{from_ms(row.open_us // 1000):%Y-%m-%d %H:%M:%S}"
