"""`manage.py import_candles`: all files are stored, or none, and the message says what to do."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from market.core.candles import to_ms
from market.models import Candle
from market.queries import Coverage, coverage

pytestmark = pytest.mark.django_db

JUNE = datetime(2022, 6, 1, tzinfo=UTC)
OUTAGE = datetime(2021, 4, 25, 5, tzinfo=UTC)  # three hours without trade
HOUR = timedelta(hours=1)
REAL_FILES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "klines"


def write(path: Path, first_open: datetime, hours: int, *, without: tuple[int, ...] = (), close: str = "11") -> Path:
    """A file of hourly candles 10, 12, 9, `close` with volume 5, some hours left out."""
    opens = [to_ms(first_open + n * HOUR) for n in range(hours) if n not in without]
    lines = ["open_time,open,high,low,close,volume,close_time"]
    lines += [f"{at},10,12,9,{close},5,{at + 3_599_999}" for at in opens]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*arguments: object) -> list[str]:
    out = StringIO()
    call_command("import_candles", *map(str, arguments), stdout=out)
    return out.getvalue().splitlines()


def why_refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert refused.value.returncode == 1
    assert not Candle.objects.exists()
    message = str(refused.value)
    assert message.endswith("\nNothing was stored.")
    return message


def test_a_file_is_stored_and_told_by_symbol_count_and_period(tmp_path: Path) -> None:
    told = run(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 24))
    assert told == [
        "BTCUSDT 1h: 24 new, 0 changed, 0 unchanged, from 2022-06-01 00:00 to 2022-06-02 00:00 UTC",
    ]
    candle = Candle.objects.get(symbol="BTCUSDT", timeframe="1h", open_at=JUNE)
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (10, 12, 9, 11, 5)


def test_importing_again_tells_what_was_new_and_unchanged(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT-1h.csv", JUNE, 24)
    run(path)
    write(path, JUNE, 26)
    assert run(path)[0].startswith("BTCUSDT 1h: 2 new, 0 changed, 24 unchanged, ")


def test_candles_stored_with_other_numbers_are_refused_and_named(tmp_path: Path) -> None:
    run(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 7))
    with pytest.raises(CommandError) as refused:
        run(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 8, close="11.5"))
    lines = str(refused.value).splitlines()
    assert lines[0] == "7 candles are stored already, with other numbers:"
    assert lines[1] == "  BTCUSDT 1h 2022-06-01 00:00 UTC: close 11 → 11.5"
    assert lines[6:] == ["  and 2 more", "If the new numbers are the right ones, add --replace.", "Nothing was stored."]
    assert (Candle.objects.count(), Candle.objects.get(open_at=JUNE).close) == (7, 11)


def test_candles_to_be_replaced_are_rewritten_and_told(tmp_path: Path) -> None:
    run(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 7))
    told = run(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 8, close="11.5"), "--replace")
    assert told[0].startswith("BTCUSDT 1h: 1 new, 7 changed, 0 unchanged, ")
    assert told[1] == "  replaced: BTCUSDT 1h 2022-06-01 00:00 UTC: close 11 → 11.5"
    assert told[6:] == ["  and 2 more"]
    assert Candle.objects.get(open_at=JUNE).close == Decimal("11.5")


def test_a_symbol_may_be_typed_in_small_letters(tmp_path: Path) -> None:
    run(write(tmp_path / "candles.csv", JUNE, 3), "--symbol", "solusdt", "--timeframe", "1h")
    assert coverage("SOLUSDT", "1h") == Coverage(JUNE, JUNE + 2 * HOUR, 3)


def test_months_of_one_symbol_are_joined_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    later = write(tmp_path / "BTCUSDT-1h-2022-07.csv", JUNE + 24 * HOUR, 24)
    earlier = write(tmp_path / "BTCUSDT-1h-2022-06.csv", JUNE, 24)
    other = write(tmp_path / "ETHUSDT-1h-2022-06.csv", JUNE, 5)
    assert [line.split(",")[0] for line in run(later, other, earlier)] == ["BTCUSDT 1h: 48 new", "ETHUSDT 1h: 5 new"]
    assert coverage("BTCUSDT", "1h") == Coverage(JUNE, JUNE + 47 * HOUR, 48)


def test_a_compressed_file_under_any_name_is_stored_as_the_market_that_is_stated(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", JUNE, 3)
    packed = tmp_path / "download.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    run(packed, "--symbol", "SOLUSDT", "--timeframe", "1h")
    assert coverage("SOLUSDT", "1h") == Coverage(JUNE, JUNE + 2 * HOUR, 3)


def test_a_candle_that_is_not_closed_yet_is_left_out(tmp_path: Path) -> None:
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    told = run(write(tmp_path / "BTCUSDT-1h.csv", this_hour - 3 * HOUR, 4))
    assert told[0].startswith(("BTCUSDT 1h: 3 new, ", "BTCUSDT 1h: 4 new, "))


# -- Gaps -----------------------------------------------------------------------------------------


def test_a_known_outage_is_accepted_and_told(tmp_path: Path) -> None:
    told = run(write(tmp_path / "BTCUSDT-1h.csv", OUTAGE - 2 * HOUR, 8, without=(2, 3, 4)))
    assert told[0].startswith("BTCUSDT 1h: 5 new, ")
    assert told[1:] == ["  known outage: 2021-04-25 05:00 to 2021-04-25 08:00 UTC, 3 candles"]


def test_any_other_gap_is_refused_with_its_dates_and_the_way_out(tmp_path: Path) -> None:
    message = why_refused(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 10, without=(3, 4, 7)))
    assert "BTCUSDT 1h has gaps that no known outage explains:" in message
    assert "  2022-06-01 03:00 to 2022-06-01 05:00 UTC, 2 candles missing" in message
    assert "  2022-06-01 07:00 to 2022-06-01 08:00 UTC, 1 candle missing" in message
    assert "--accept-gaps if the exchange was really down" in message


def test_a_missing_month_between_two_files_is_a_gap(tmp_path: Path) -> None:
    june = write(tmp_path / "BTCUSDT-1h-2022-06.csv", JUNE, 24)
    august = write(tmp_path / "BTCUSDT-1h-2022-08.csv", JUNE + 48 * HOUR, 24)
    assert "2022-06-02 00:00 to 2022-06-03 00:00 UTC, 24 candles missing" in why_refused(june, august)


def test_an_accepted_gap_is_stored_and_told(tmp_path: Path) -> None:
    told = run(write(tmp_path / "BTCUSDT-1h.csv", JUNE, 10, without=(3,)), "--accept-gaps")
    assert told[0].startswith("BTCUSDT 1h: 9 new, ")
    assert told[1:] == ["  gap accepted: 2022-06-01 03:00 to 2022-06-01 04:00 UTC, 1 candle"]


def test_many_gaps_are_told_by_the_first_and_a_count(tmp_path: Path) -> None:
    holes = tuple(range(1, 60, 2))
    path = write(tmp_path / "BTCUSDT-1h.csv", JUNE, 61, without=holes)
    assert "\n  and 20 more\n" in why_refused(path)
    assert run(path, "--accept-gaps")[-1] == "  and 10 more"


# -- Refusals -------------------------------------------------------------------------------------


def test_one_bad_file_keeps_all_good_ones_out_and_every_fault_is_told(tmp_path: Path) -> None:
    good = write(tmp_path / "BTCUSDT-1h.csv", JUNE, 24)
    negative = write(tmp_path / "ETHUSDT-1h.csv", JUNE, 2, close="-1")
    torn = write(tmp_path / "SOLUSDT-1h.csv", JUNE, 5, without=(1,))
    absent = tmp_path / "ADAUSDT-1h.csv"
    message = why_refused(good, negative, torn, absent)
    assert "ETHUSDT-1h.csv is refused:\n  line 2: open 10, high 12, low 9, close -1: not all are above" in message
    assert "SOLUSDT 1h has gaps" in message
    assert f"{absent} cannot be read: No such file or directory." in message
    assert "BTCUSDT" not in message


def test_an_unknown_symbol_is_refused_with_the_listed_ones_and_where_to_add_it(tmp_path: Path) -> None:
    message = why_refused(write(tmp_path / "DOGEUSDT-1h.csv", JUNE, 2))
    assert "Unknown symbol 'DOGEUSDT'. Listed: ADAUSDT, BNBUSDT, BTCUSDT, ETHUSDT, SOLUSDT." in message
    assert "A symbol can be added in the admin" in message


def test_a_symbol_that_contradicts_the_name_of_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "ETHUSDT-1h.csv", JUNE, 2)
    says = "its name says ETHUSDT, --symbol says BTCUSDT; leave --symbol away, or rename the file if the name is wrong"
    assert says in why_refused(path, "--symbol", "BTCUSDT")


def test_a_timeframe_that_contradicts_the_name_of_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "ETHUSDT-1h.csv", JUNE, 2)
    assert "its name says 1h, --timeframe says 1d;" in why_refused(path, "--timeframe", "1d")


def test_what_neither_name_nor_option_tells_is_named_with_its_flag(tmp_path: Path) -> None:
    path = write(tmp_path / "candles.csv", JUNE, 2)
    assert "its name does not tell its symbol and timeframe: add --symbol BTCUSDT --timeframe 1h, or" in why_refused(
        path
    )
    assert "its name does not tell its timeframe: add --timeframe 1h, or" in why_refused(path, "--symbol", "BTCUSDT")
    assert "its name does not tell its symbol: add --symbol BTCUSDT, or" in why_refused(path, "--timeframe", "1h")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path} cannot be read: it is a folder; give the files in it." in why_refused(tmp_path)


def test_what_is_no_regular_file_is_refused() -> None:
    assert "/dev/null cannot be read: it is not a regular file." in why_refused("/dev/null")


def test_a_file_that_is_no_kline_file_is_refused(tmp_path: Path) -> None:
    picture = tmp_path / "BTCUSDT-1h.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    assert "BTCUSDT-1h.csv is refused:\n  it is not CSV: byte 0 is not UTF-8 text" in why_refused(picture)


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT-1h.csv", JUNE, 2)
    assert "it overlaps BTCUSDT-1h.csv from 2022-06-01 00:00 UTC on; give each period once" in why_refused(path, path)


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(CommandError, match="the following arguments are required: FILE"):
        run()


@pytest.mark.skipif(not REAL_FILES.is_dir(), reason="the folder of real files is not beside this repository")
def test_a_real_file_is_stored_whole() -> None:
    told = run(REAL_FILES / "BTCUSDT-1h.csv.gz")
    assert told[0] == "BTCUSDT 1h: 27706 new, 0 changed, 0 unchanged, from 2021-01-01 00:00 to 2024-03-01 00:00 UTC"
    assert [line.split(":")[0] for line in told[1:]] == ["  known outage"] * 7
