"""Bulk kline files: every layout reads the same, and one wrong cell is enough to refuse a file."""

import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.core import klines
from market.core.candles import TIMEFRAME_S, Series, from_ms, to_ms
from market.core.klines import KlineFileError, joined, parse_klines
from market.core.outages import gaps_in, is_known_outage

HOUR_MS = 3_600_000
START = datetime(2022, 6, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 1, tzinfo=UTC)
HEADER_7 = "open_time,open,high,low,close,volume,close_time"
HEADER_12 = HEADER_7 + ",quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
REAL_FILES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "klines"

Cells = list[list[str]]


def seven(hours: int, timeframe: str = "1h", start: datetime = START) -> Cells:
    """Rows of seven cells: candle n opens at `start` + n, each 10, 12, 9, 11 with a volume of 5."""
    step = TIMEFRAME_S[timeframe] * 1000
    opens = (to_ms(start) + n * step for n in range(hours))
    return [[str(at), "10", "12", "9", "11", "5", str(at + step - 1)] for at in opens]


def text_of(rows: Cells, header: str = HEADER_7) -> bytes:
    return "".join(line + "\n" for line in [header, *map(",".join, rows)] if line).encode()


def read(rows: Cells, name: str = "BTCUSDT-1h.csv", as_of: datetime = LATER) -> Series:
    return parse_klines(name, text_of(rows), as_of)


def why_refused(data: bytes, name: str = "BTCUSDT-1h.csv") -> str:
    with pytest.raises(KlineFileError) as refused:
        parse_klines(name, data, LATER)
    return str(refused.value)


# -- Layouts --------------------------------------------------------------------------------------


def as_twelve(rows: Cells) -> Cells:
    return [[*row, "60.5", "17", "2.5", "30.25", "0"] for row in rows]


def in_microseconds(rows: Cells) -> Cells:
    return [[row[0] + "000", *row[1:6], row[6] + "999", *row[7:]] for row in rows]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=1)


def zipped(data: bytes, *members: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in members or ("BTCUSDT-1h.csv",):
            packed.writestr(member, data)
    return archive.getvalue()


LAYOUTS: dict[str, tuple[Callable[[Cells], Cells], str]] = {
    "7 columns, header, ms": (lambda rows: rows, HEADER_7),
    "7 columns, header, us": (in_microseconds, HEADER_7),
    "12 columns, no header, ms": (as_twelve, ""),
    "12 columns, no header, us": (lambda rows: in_microseconds(as_twelve(rows)), ""),
    "12 columns, header, ms": (as_twelve, HEADER_12),
    "12 columns, header, us": (lambda rows: in_microseconds(as_twelve(rows)), HEADER_12),
    "12 columns, spaced header": (as_twelve, HEADER_12.title().replace("_", " ")),
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {"csv": bytes, "csv.gz": gzipped, "zip": zipped}

amounts = st.decimals(Decimal("0.00000001"), Decimal("1000000"), places=8, allow_nan=False)


@st.composite
def series_of_candles(draw: st.DrawFn, most: int = 12) -> Series:
    timeframe = draw(st.sampled_from(sorted(TIMEFRAME_S)))
    step = TIMEFRAME_S[timeframe] * 1000
    first = draw(st.integers(to_ms(START) // step, to_ms(START) // step + 300)) * step
    prices = [sorted(draw(st.tuples(*[amounts] * 4))) for _ in range(draw(st.integers(1, most)))]
    return Series(
        "BTCUSDT",
        timeframe,
        tuple(first + n * step for n in range(len(prices))),
        tuple(price[1] for price in prices),
        tuple(price[3] for price in prices),
        tuple(price[0] for price in prices),
        tuple(price[2] for price in prices),
        tuple(draw(amounts) for _ in prices),
    )


def cells_of(series: Series) -> Cells:
    columns = (series.open_ms, series.opens, series.highs, series.lows, series.closes, series.volumes)
    return [
        [format(cell, "f") if isinstance(cell, Decimal) else str(cell) for cell in row]
        + [str(row[0] + series.step_ms - 1)]
        for row in zip(*columns, strict=True)
    ]


@given(
    series=series_of_candles(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    packing=st.sampled_from(sorted(PACKINGS)),
)
def test_a_series_written_in_any_layout_and_packing_reads_back_as_it_was(
    series: Series, layout: str, packing: str
) -> None:
    arrange, header = LAYOUTS[layout]
    data = PACKINGS[packing](text_of(arrange(cells_of(series)), header))
    name = f"BTCUSDT-{series.timeframe}-2022-06.{packing}"
    assert parse_klines(name, data, LATER) == series


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_lose_nothing() -> None:
    plain = text_of(seven(3))
    dressed = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n") + b"\r\n"
    assert parse_klines("BTCUSDT-1h.csv", dressed, LATER) == read(seven(3))


@pytest.mark.skipif(not REAL_FILES.is_dir(), reason="the folder of real files is not beside this repository")
def test_the_real_files_of_2021_to_2024_hold_every_hour_that_was_traded() -> None:
    for path in sorted(REAL_FILES.glob("*.csv.gz")):
        series = parse_klines(path.name, path.read_bytes(), LATER)
        gaps = gaps_in(series)
        assert all(map(is_known_outage, gaps)), path.name
        # 1,155 days of 24 hours less the 14 of seven outages
        assert (len(series), len(gaps), sum(gap.candles for gap in gaps)) == (1155 * 24 - 14, 7, 14)


# -- Name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "timeframe"),
    [
        ("BTCUSDT-1h-2021-01.csv", "1h"),
        ("BTCUSDT-1h.csv", "1h"),
        ("BTCUSDT-1m-2024-03-01.csv", "1m"),
        ("BTCUSDT-15m.csv", "15m"),
    ],
)
def test_symbol_and_timeframe_come_from_the_file_name(name: str, timeframe: str) -> None:
    series = read(seven(2, timeframe), name)
    assert (series.symbol, series.timeframe, len(series)) == ("BTCUSDT", timeframe, 2)


def test_symbol_and_timeframe_can_be_given_when_the_name_tells_neither() -> None:
    series = parse_klines("candles.csv", text_of(seven(2)), LATER, symbol="ETHUSDT", timeframe="1h")
    assert (series.symbol, series.timeframe) == ("ETHUSDT", "1h")


def test_a_name_that_does_not_tell_the_market_is_refused_with_an_example() -> None:
    assert "rename it like BTCUSDT-1h-2021-01.zip" in why_refused(text_of(seven(2)), "candles.csv")


def test_a_timeframe_that_is_not_kept_is_refused_with_those_that_are() -> None:
    assert "timeframe '3d' is not known; known are 1m, 5m" in why_refused(text_of(seven(2)), "BTCUSDT-3d.csv")


# -- The end of a file ----------------------------------------------------------------------------


def test_the_last_candle_is_dropped_while_it_is_not_closed() -> None:
    close = START + timedelta(hours=3)
    assert len(read(seven(3), as_of=close)) == 3
    assert len(read(seven(3), as_of=close - timedelta(milliseconds=1))) == 2


def test_two_unfinished_candles_are_refused() -> None:
    with pytest.raises(KlineFileError, match="line 3: not closed yet"):
        read(seven(3), as_of=START + timedelta(hours=1))


def test_a_file_with_nothing_but_an_unfinished_candle_is_refused() -> None:
    with pytest.raises(KlineFileError, match="it holds no closed candle"):
        read(seven(1), as_of=START)


def test_a_candle_that_the_exchange_closed_early_in_an_outage_is_kept() -> None:
    rows = seven(3)
    rows[1][6] = str(int(rows[1][0]) + 60_000)
    assert len(read(rows)) == 3


# -- Refusals -------------------------------------------------------------------------------------

CLOSE_7 = str(to_ms(START) + 2 * HOUR_MS)
WRONG_CELLS = {
    "open_time is empty": (0, " "),
    "open_time 'soon' is not a whole number": (0, "soon"),
    "open_time is neither milliseconds nor microseconds": (0, "1654041600"),
    "is not at the start of a candle": (0, str(to_ms(START) + HOUR_MS + 1)),
    "open is empty": (1, ""),
    "open 'NaN' is not a finite number": (1, "NaN"),
    "open '-Infinity' is not a finite number": (1, "-Infinity"),
    "open '1e1' is written with an exponent": (1, "1e1"),
    "open '10,5' is not a number": (1, '"10,5"'),
    "open '１０' is not a number": (1, "１０"),
    "open '10.1000000000000000000' has more than 18 decimals": (1, "10.1" + "0" * 18),
    "not all are above zero": (1, "0"),
    "high 10.5 is below open 10 or close 11": (2, "10.5"),
    "high 8 is below low 9": (2, "8"),
    "low 10.5 is above open 10 or close 11": (3, "10.5"),
    "low -9, close 11: not all are above zero": (3, "-9"),
    "close 'eleven' is not a number": (4, "eleven"),
    "volume -5 is negative": (5, "-5"),
    "close_time is 3600 s or more after open_time": (6, CLOSE_7),
    "close_time is before open_time": (6, str(to_ms(START))),
}


@pytest.mark.parametrize(("problem", "cell"), WRONG_CELLS.items(), ids=WRONG_CELLS.keys())
def test_a_wrong_cell_is_refused_with_its_line(problem: str, cell: tuple[int, str]) -> None:
    rows = seven(4)
    column, text = cell
    rows[1][column] = text
    reason = why_refused(text_of(rows))
    assert "line 3: " in reason
    assert problem in reason


WRONG_FILES = {
    "it is empty": b"",
    "it holds no closed candle": text_of([]),
    "line 1: 2 columns; a kline file has 12": b"a,b\n1,2\n",
    "line 1: a header line must begin with": text_of(seven(2), "open_time,open,low,high,close,volume,close_time"),
    "line 1: a file of 7 columns needs the header line": text_of(seven(2), ""),
    "line 3: 6 columns, not 7": text_of([seven(1)[0], seven(2)[1][:6]]),
    "line 2: 8 columns, not 7": text_of([[*seven(1)[0], "1"]]),
    "is there twice": text_of([seven(1)[0], *seven(2)]),
    "candles must be oldest first": text_of(seven(2)[::-1]),
    "it is not CSV: byte 0 is not UTF-8 text": gzipped(text_of(seven(2)))[1:],
    "not CSV (unexpected end of data)": text_of(seven(2)) + b'"',
    "line 1: 1 columns": b"<html><body>404 Not Found</body></html>",
}


@pytest.mark.parametrize(("problem", "data"), WRONG_FILES.items(), ids=WRONG_FILES.keys())
def test_a_wrong_file_is_refused_with_the_reason(problem: str, data: bytes) -> None:
    assert problem in why_refused(data)


def test_all_violations_are_counted_and_the_first_ten_shown_with_their_lines() -> None:
    rows = seven(15)
    for row in rows:
        row[5] = "-1"
    with pytest.raises(KlineFileError) as refused:
        read(rows)
    assert refused.value.count == 15
    assert refused.value.violations == tuple(f"line {line}: volume -1 is negative" for line in range(2, 12))
    assert str(refused.value).endswith("and 5 more like these")


def test_every_violation_of_a_row_is_told_not_only_the_first() -> None:
    rows = seven(1)
    rows[0][1], rows[0][5] = "-1", "-5"
    reason = why_refused(text_of(rows))
    assert "not all are above zero" in reason
    assert "low 9 is above open -1" in reason
    assert "volume -5 is negative" in reason


def test_an_archive_must_hold_exactly_one_csv_file() -> None:
    data = text_of(seven(2))
    assert "it holds 2 .csv files" in why_refused(zipped(data, "a.csv", "b.csv"), "BTCUSDT-1h.zip")
    assert "it holds 0 .csv files" in why_refused(zipped(data, "read.me"), "BTCUSDT-1h.zip")


@pytest.mark.parametrize("packing", ["csv", "csv.gz", "zip"])
def test_a_file_that_unpacks_beyond_the_limit_is_refused(packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(klines, "MAX_TEXT_BYTES", 1024 * 1024)
    bomb = PACKINGS[packing](b"0" * 1024 * 1024 + b"0")
    assert "it holds more than 1 MB of text" in why_refused(bomb, f"BTCUSDT-1h.{packing}")


Corruption = Callable[[Cells, int], None]


def set_cell(column: int, change: Callable[[str], str]) -> Corruption:
    def corrupt(rows: Cells, index: int) -> None:
        rows[index][column] = change(rows[index][column])

    return corrupt


def swap_with_next(rows: Cells, index: int) -> None:
    rows[index], rows[index + 1] = rows[index + 1], rows[index]


CORRUPTIONS: Sequence[Corruption] = (
    lambda rows, index: rows.insert(index, rows[index]),
    lambda rows, index: rows.__delitem__(index),
    lambda rows, index: rows[index].pop(),
    lambda rows, index: rows[index].append("0"),
    swap_with_next,
    *(
        set_cell(column, lambda cell, text=text: text)
        for column in range(7)
        for text in ("", "x", "NaN", "inf", "1e5", "-1", "0x10", "\x00", "1 0", "1_0")
    ),
    *(set_cell(column, lambda cell: "0") for column in range(5)),
    set_cell(0, lambda cell: str(int(cell) + 1)),
    set_cell(0, lambda cell: str(int(cell) + 10**11)),
    set_cell(0, lambda cell: cell[:-3]),
    set_cell(0, lambda cell: cell[:-1]),
    set_cell(6, lambda cell: str(int(cell) * 2)),
    set_cell(6, lambda cell: cell[:-1]),
    *(set_cell(column, lambda cell: cell + "." + "0" * 19) for column in range(1, 6)),
    set_cell(2, lambda cell: "0.000000001"),
    set_cell(3, lambda cell: "10000000"),
)


@given(
    series=series_of_candles(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    corrupt=st.sampled_from(CORRUPTIONS),
    data=st.data(),
)
def test_one_corruption_of_a_sound_file_is_enough_to_refuse_it(
    series: Series, layout: str, corrupt: Corruption, data: st.DataObject
) -> None:
    ends = [series.open_ms[0] - series.step_ms, *series.open_ms, series.close_ms(-1)]
    rows = [[str(at), "10", "12", "9", "11", "5", str(at + series.step_ms - 1)] for at in ends]
    arrange, header = LAYOUTS[layout]
    rows = arrange(rows)
    corrupt(rows, data.draw(st.integers(1, len(rows) - 2), label="row"))
    try:
        read_back = parse_klines(f"BTCUSDT-{series.timeframe}.csv", text_of(rows, header), LATER)
    except KlineFileError:
        return
    assert any(not is_known_outage(gap) for gap in gaps_in(read_back)), "a corrupt file was accepted"


@given(data=st.binary(max_size=300), packing=st.sampled_from(sorted(PACKINGS)))
def test_no_bytes_whatsoever_do_more_than_be_refused(data: bytes, packing: str) -> None:
    assert why_refused(data, f"BTCUSDT-1h.{packing}").startswith(f"BTCUSDT-1h.{packing} is refused:")


@given(position=st.integers(min_value=0), bit=st.integers(0, 7), packing=st.sampled_from(["csv.gz", "zip"]))
def test_an_archive_with_a_flipped_bit_is_refused_or_reads_as_before(position: int, bit: int, packing: str) -> None:
    damaged = bytearray(PACKINGS[packing](text_of(seven(6))))
    damaged[position % len(damaged)] ^= 1 << bit
    try:
        series = parse_klines(f"BTCUSDT-1h.{packing}", bytes(damaged), LATER)
    except KlineFileError:
        return
    assert series == read(seven(6))


@pytest.mark.parametrize("packing", ["csv.gz", "zip"])
def test_a_download_that_broke_off_is_refused(packing: str) -> None:
    whole = PACKINGS[packing](text_of(seven(50)))
    assert "it cannot be unpacked" in why_refused(whole[: len(whole) // 2], f"BTCUSDT-1h.{packing}")


# -- Joining --------------------------------------------------------------------------------------


def test_months_given_in_any_order_are_joined_by_time() -> None:
    months = [("b", read(seven(4)[2:])), ("a", read(seven(4)[:2]))]
    assert joined(months) == read(seven(4))


def test_files_that_overlap_are_refused_with_both_names() -> None:
    with pytest.raises(KlineFileError, match=r"(?s)b\.csv is refused.*overlaps a\.csv from 2022-06-01 01:00 UTC"):
        joined([("a.csv", read(seven(2))), ("b.csv", read(seven(4)[1:]))])


def test_the_times_of_a_series_are_milliseconds_in_every_layout() -> None:
    arrange, header = LAYOUTS["12 columns, no header, us"]
    series = parse_klines("BTCUSDT-1h.csv", text_of(arrange(seven(1)), header), LATER)
    assert from_ms(series.open_ms[0]) == START
