"""Binance's bulk kline files, read strictly: all that is wrong with a file is found before any of it is used.

Accepted are `.csv`, `.csv.gz` and `.zip` with one CSV inside; rows of 12 columns with or without a header
line, or of 7 columns with one; times in milliseconds or, as the exchange writes since 2025, microseconds.
"""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, pairwise

from market.core.candles import TIMEFRAME_S, Series, from_ms, to_ms
from market.core.kline_checks import COLUMNS, Findings, Row, check_rows

MAX_TEXT_BYTES = 512 * 1024 * 1024  # eight years of 1m candles are about 400 MB
MAX_DECIMALS = 18  # what the database keeps; more would be rounded without a word

_FULL_WIDTH = 12
_FILE_NAME = re.compile(r"([A-Z0-9]{2,20})-([0-9]{1,2}[A-Za-z]{1,2})(?:-\d{4}-\d{2}(?:-\d{2})?)?\.(?:csv|csv\.gz|zip)")
_NUMBER = re.compile(rf"-?[0-9]{{1,20}}(?:\.[0-9]{{1,{MAX_DECIMALS}}})?")
_TIME = re.compile(r"[0-9]{1,16}")
_EXPONENT = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
_MANY_DECIMALS = re.compile(r"-?[0-9]{1,20}\.[0-9]+")
_FIRST_MICROSECONDS = 10**14  # as milliseconds that is the year 5138, as microseconds 1973


class KlineFileError(ValueError):
    """A file that is refused. `violations` are the first ten of the `count` there are, with line numbers."""

    def __init__(self, name: str, violations: Sequence[str], count: int | None = None) -> None:
        self.name = name
        self.violations = tuple(violations)
        self.count = len(violations) if count is None else count
        lines = [f"{name} is refused:", *(f"  {violation}" for violation in self.violations)]
        if self.count > len(self.violations):
            lines.append(f"  and {self.count - len(self.violations)} more like these")
        super().__init__("\n".join(lines))


def parse_klines(
    name: str, data: bytes, as_of: datetime, *, symbol: str | None = None, timeframe: str | None = None
) -> Series:
    """The closed candles of one file, oldest first; `KlineFileError` carries all that is wrong with it.

    Symbol and timeframe come from the file name, or are given. A last candle not closed at `as_of` is dropped.
    Holes are allowed here: `market.core.outages` judges them once all files of a symbol are joined.
    """
    symbol, timeframe = market_of(name, symbol, timeframe)
    step_us = TIMEFRAME_S[timeframe] * 1_000_000
    findings = Findings()
    rows = list(_rows(name, unpacked(name, data), findings))
    check_rows(rows, step_us, findings)
    _drop_unfinished(rows, to_ms(as_of) * 1000 - step_us, findings)
    if findings.count:
        raise KlineFileError(name, findings.shown, findings.count)
    if not rows:
        raise KlineFileError(name, ["it holds no closed candle"])
    return _series(symbol, timeframe, rows)


def market_of(name: str, symbol: str | None, timeframe: str | None) -> tuple[str, str]:
    """Symbol and timeframe of a file, from its name (`BTCUSDT-1h-2021-01.zip`) or as given; both must agree."""
    match = _FILE_NAME.fullmatch(name)
    named_symbol, named_timeframe = match.groups() if match else (None, None)
    for option, given, named in (("--symbol", symbol, named_symbol), ("--timeframe", timeframe, named_timeframe)):
        if given and named and given != named:
            advice = f"leave {option} away, or rename the file if the name is wrong"
            raise KlineFileError(name, [f"its name says {named}, {option} says {given}; {advice}"])
    symbol, timeframe = symbol or named_symbol, timeframe or named_timeframe
    if symbol is None or timeframe is None:
        raise KlineFileError(name, [_what_is_missing(symbol, timeframe)])
    if timeframe not in TIMEFRAME_S:
        known = ", ".join(TIMEFRAME_S)
        raise KlineFileError(name, [f"timeframe {timeframe!r} is not known; known are {known}"])
    return symbol, timeframe


def _what_is_missing(symbol: str | None, timeframe: str | None) -> str:
    missing = {"symbol": ("--symbol BTCUSDT", symbol), "timeframe": ("--timeframe 1h", timeframe)}
    names = [name for name, (_, given) in missing.items() if given is None]
    flags = [flag for flag, given in missing.values() if given is None]
    return (
        f"its name does not tell its {' and '.join(names)}: add {' '.join(flags)}, "
        "or rename it like BTCUSDT-1h-2021-01.zip"
    )


def unpacked(name: str, data: bytes) -> str:
    """The text of a file; `KlineFileError` when it is empty, damaged, above `MAX_TEXT_BYTES` or not UTF-8."""
    if not data:
        raise KlineFileError(name, ["it is empty"])
    try:
        raw = _decompressed(name, data)
    except KlineFileError:
        raise
    except Exception as error:  # damaged archives raise a dozen different types; every one means the same
        raise KlineFileError(name, [f"it cannot be unpacked ({error}); download it again"]) from error
    if len(raw) > MAX_TEXT_BYTES:
        raise KlineFileError(name, [f"it holds more than {MAX_TEXT_BYTES // 1024**2} MB of text; split it"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KlineFileError(name, [f"it is not CSV: byte {error.start} is not UTF-8 text"]) from error


def _decompressed(name: str, data: bytes) -> bytes:
    """At most one byte more than the limit, so that a bomb is noticed without being unpacked."""
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            return packed.read(MAX_TEXT_BYTES + 1)
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.namelist() if member.endswith(".csv")]
            if len(members) != 1:
                raise KlineFileError(name, [f"it holds {len(members)} .csv files; it must hold exactly one"])
            with archive.open(members[0]) as packed:
                return packed.read(MAX_TEXT_BYTES + 1)
    return data


def _rows(name: str, text: str, findings: Findings) -> Iterator[Row]:
    """The lines that can be read at all; what is wrong with the others goes to `findings`."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    width = 0
    try:
        for cells in lines:
            if not cells:
                continue
            if width == 0:
                width = _width(name, cells)
                if _is_header(cells):
                    continue
            if row := _row(lines.line_num, cells, width, findings):
                yield row
    except csv.Error as error:
        findings.add(lines.line_num, f"not CSV ({error})")


def _is_header(cells: Sequence[str]) -> bool:
    return not cells[0].lstrip("-")[:1].isdigit()


def _width(name: str, cells: Sequence[str]) -> int:
    """Number of columns, by the first line. In another order they would be read as wrong prices."""
    width, expected = len(cells), ",".join(COLUMNS)
    if width not in (len(COLUMNS), _FULL_WIDTH):
        raise KlineFileError(name, [f"line 1: {width} columns; a kline file has 12, or 7 with a header line"])
    if _is_header(cells):
        names = (cell.strip().lower().replace(" ", "_") for cell in cells[: len(COLUMNS)])
        if tuple(names) != COLUMNS:
            raise KlineFileError(name, [f"line 1: a header line must begin with {expected}"])
    elif width != _FULL_WIDTH:
        raise KlineFileError(name, [f"line 1: a file of 7 columns needs the header line {expected}"])
    return width


def _row(line: int, cells: Sequence[str], width: int, findings: Findings) -> Row | None:
    if len(cells) != width:
        findings.add(line, f"{len(cells)} columns, not {width}")
        return None
    numbers = chain(cells[1:6], cells[7:])
    if not (_TIME.fullmatch(cells[0]) and _TIME.fullmatch(cells[6]) and all(map(_NUMBER.fullmatch, numbers))):
        _explain(line, cells, findings)
        return None
    opens, closes = int(cells[0]), int(cells[6])
    if (opens < _FIRST_MICROSECONDS) != (closes < _FIRST_MICROSECONDS):
        findings.add(line, "one of open_time and close_time is in milliseconds, the other in microseconds")
        return None
    to_us = 1000 if opens < _FIRST_MICROSECONDS else 1
    opened, high, low, close, volume = map(Decimal, cells[1:6])
    return Row(line, opens * to_us, opened, high, low, close, volume, closes * to_us)


def _explain(line: int, cells: Sequence[str], findings: Findings) -> None:
    for index, cell in enumerate(cells):
        column = COLUMNS[index] if index < len(COLUMNS) else f"column {index + 1}"
        form = _TIME if column in ("open_time", "close_time") else _NUMBER
        if form.fullmatch(cell) is None:
            findings.add(line, f"{column} {_why_no_number(cell, form)}")


def _why_no_number(cell: str, form: re.Pattern[str]) -> str:
    shown = repr(cell if len(cell) <= 40 else cell[:40] + "…")
    if not cell.strip():
        return "is empty"
    if cell.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return f"{shown} is not a finite number"
    if _EXPONENT.fullmatch(cell):
        return f"{shown} is written with an exponent; write the number out"
    if form is _TIME:
        return f"{shown} is not a whole number of milliseconds or microseconds since 1970"
    if _MANY_DECIMALS.fullmatch(cell):
        return f"{shown} has more than {MAX_DECIMALS} decimals"
    return f"{shown} is not a number"


def _drop_unfinished(rows: list[Row], last_open_us: int, findings: Findings) -> None:
    """Drop the last row when it opens after `last_open_us`; a second such row means a wrong clock or file."""
    if rows and rows[-1].open_us > last_open_us:
        rows.pop()
    if rows and rows[-1].open_us > last_open_us:
        findings.add(rows[-1].line, "not closed yet, and only the last candle of a file may be unfinished")


def _series(symbol: str, timeframe: str, rows: Sequence[Row]) -> Series:
    _, opens_us, opens, highs, lows, closes, volumes, _ = zip(*rows, strict=True)
    open_ms = tuple(open_us // 1000 for open_us in opens_us)
    return Series(symbol, timeframe, open_ms, opens, highs, lows, closes, volumes)


def joined(parts: Sequence[tuple[str, Series]]) -> Series:
    """Files (name, series) of one symbol and timeframe as one series; `KlineFileError` when two overlap."""
    ordered = sorted(parts, key=lambda part: part[1].open_ms[0])
    for (earlier_name, earlier), (name, later) in pairwise(ordered):
        if later.open_ms[0] <= earlier.open_ms[-1]:
            start = f"{from_ms(later.open_ms[0]):%Y-%m-%d %H:%M} UTC"
            raise KlineFileError(name, [f"it overlaps {earlier_name} from {start} on; give each period once"])
    series = [part for _, part in ordered]
    return Series(
        series[0].symbol,
        series[0].timeframe,
        tuple(chain.from_iterable(part.open_ms for part in series)),
        tuple(chain.from_iterable(part.opens for part in series)),
        tuple(chain.from_iterable(part.highs for part in series)),
        tuple(chain.from_iterable(part.lows for part in series)),
        tuple(chain.from_iterable(part.closes for part in series)),
        tuple(chain.from_iterable(part.volumes for part in series)),
    )
