"""Candles as arrays: those of one version of the series, from the database or from the file kept of it."""

import logging
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from market.columns import Columns, candle_columns, columns_file, keep, kept
from market.core.candles import Series, from_ms, to_ms
from market.models import Candle, SeriesVersion
from market.services import store_candles
from tests.market.test_stored_candles import hourly

START_MS = to_ms(datetime(2024, 1, 1, tzinfo=UTC))
HOUR_MS = 3_600_000
VERSION = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings) -> Path:  # type: ignore[no-untyped-def]
    settings.DATA = tmp_path
    return tmp_path


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The SQL that goes to the database, in order."""
    seen: list[str] = []

    def note(execute, sql, *rest):  # type: ignore[no-untyped-def]
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield seen


def five(series: Series) -> list[tuple[Decimal, ...]]:
    return [tuple(column) for column in (series.opens, series.highs, series.lows, series.closes, series.volumes)]


def same(one: Columns, other: Columns) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.all(), other.all(), strict=True))


def numbered(count: int) -> Columns:
    return Columns(np.arange(count, dtype=np.int64) * HOUR_MS, *(np.arange(count) + 10.0**n for n in range(5)))


# -- What is read ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_each_number_is_the_float_nearest_to_what_is_stored_and_instants_are_exact() -> None:
    series = hourly("BTCUSDT", ["0.1", "28923.630000000000000001", "0.000000000000000001", "29999.999999999999999999"])
    store_candles([series])
    for source in ("database", "file"):
        columns = candle_columns("BTCUSDT", "1h")
        assert columns.open_ms.tolist() == list(series.open_ms), source
        assert [tuple(column) for column in columns.all()[1:]] == [tuple(map(float, c)) for c in five(series)], source
        assert [column.dtype for column in columns.all()] == [np.int64] + [np.float64] * 5, source


@pytest.mark.django_db
def test_candles_are_ordered_by_time_and_those_of_other_series_stay_out() -> None:
    store_candles([hourly("BTCUSDT", ["3"], from_ms(START_MS + 2 * HOUR_MS)), hourly("ETHUSDT", ["9"])])
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 2, 3]
    assert candle_columns("ETHUSDT", "1h").closes.tolist() == [9]


@pytest.mark.django_db
def test_a_series_without_candles_is_empty_and_no_file_is_kept_of_it(data_folder: Path) -> None:
    assert [len(column) for column in candle_columns("BTCUSDT", "1h").all()] == [0] * 6
    store_candles([hourly("BTCUSDT", ["1"])])
    Candle.objects.all().delete()
    assert len(candle_columns("BTCUSDT", "1h")) == 0
    assert list(data_folder.rglob("*-1h*")) == []


@pytest.mark.django_db
def test_what_was_read_cannot_be_written_to() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    for source in ("database", "file"):
        for column in candle_columns("BTCUSDT", "1h").all():
            with pytest.raises(ValueError, match="read-only"):
                column[0] = 5
            assert not column.flags.writeable, source


@pytest.mark.parametrize(
    ("symbol", "timeframe"), [("../BTCUSDT", "1h"), ("btcusdt", "1h"), ("", "1h"), ("BTCUSDT", "2h")]
)
def test_what_is_no_name_of_a_series_is_refused_before_any_file_is_looked_at(symbol: str, timeframe: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a series"):
        candle_columns(symbol, timeframe)


# -- When the file answers ------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_second_read_asks_the_database_for_the_version_only(statements: list[str]) -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    first = candle_columns("BTCUSDT", "1h")
    statements.clear()
    assert same(candle_columns("BTCUSDT", "1h"), first)
    assert len(statements) == 1
    assert "market_seriesversion" in statements[0]


@pytest.mark.django_db
def test_after_any_change_the_file_is_not_believed() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 2]
    store_candles([hourly("BTCUSDT", ["1", "5"])], replace=True)
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 5]
    Candle.objects.filter(close=5).update(close=6)
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 6]
    Candle.objects.filter(close=1).delete()
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [6]


@pytest.mark.django_db
def test_a_file_kept_of_candles_that_were_rolled_back_is_never_believed() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    with transaction.atomic():
        store_candles([hourly("BTCUSDT", ["1", "5"])], replace=True)
        assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 5]
        transaction.set_rollback(True)
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 2]


@pytest.mark.django_db
def test_the_file_of_another_series_put_in_its_place_is_not_believed() -> None:
    store_candles([hourly("BTCUSDT", ["1"]), hourly("ETHUSDT", ["2"])])
    candle_columns("BTCUSDT", "1h")
    candle_columns("ETHUSDT", "1h")
    os.replace(columns_file("ETHUSDT", "1h"), columns_file("BTCUSDT", "1h"))
    assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1]


@pytest.mark.django_db
def test_a_damaged_file_is_told_of_and_replaced(caplog: pytest.LogCaptureFixture, statements: list[str]) -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    whole = candle_columns("BTCUSDT", "1h")
    path = columns_file("BTCUSDT", "1h")
    path.write_bytes(path.read_bytes()[:-1] + b"\x99")
    with caplog.at_level(logging.WARNING):
        assert same(candle_columns("BTCUSDT", "1h"), whole)
    assert "are damaged; the database is read instead" in caplog.text
    statements.clear()
    assert same(candle_columns("BTCUSDT", "1h"), whole)
    assert len(statements) == 1


@pytest.mark.django_db
def test_where_no_file_can_be_kept_the_answer_comes_all_the_same(
    data_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    (data_folder / "columns").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert candle_columns("BTCUSDT", "1h").closes.tolist() == [1, 2]
    assert "The columns of BTCUSDT 1h are not kept in" in caplog.text


# -- The file itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_what_was_kept_comes_back_under_its_version_alone(tmp_path: Path, count: int) -> None:
    keep(tmp_path / "X-1h", VERSION, numbered(count))
    found = kept(tmp_path / "X-1h", VERSION)
    assert found is not None
    assert same(found, numbered(count))
    assert kept(tmp_path / "X-1h", uuid4()) is None
    assert kept(tmp_path / "Y-1h", VERSION) is None


@given(length=st.integers(0, 64 + 5 * 48 - 1))
def test_a_file_cut_off_anywhere_is_not_believed(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "X-1h"
    keep(path, VERSION, numbered(5))
    path.write_bytes(path.read_bytes()[:length])
    assert kept(path, VERSION) is None


@given(at=st.integers(0, 64 + 5 * 48 - 1), mask=st.integers(1, 255))
def test_a_file_with_any_byte_altered_is_not_believed(
    tmp_path_factory: pytest.TempPathFactory, at: int, mask: int
) -> None:
    path = tmp_path_factory.mktemp("altered") / "X-1h"
    keep(path, VERSION, numbered(5))
    content = bytearray(path.read_bytes())
    content[at] ^= mask
    path.write_bytes(content)
    assert kept(path, VERSION) is None


def test_a_file_that_could_not_be_written_to_its_end_leaves_the_one_before_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "X-1h"
    keep(path, VERSION, numbered(5))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            keep(path, uuid4(), numbered(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [found.name for found in tmp_path.iterdir()] == ["X-1h"]
    assert kept(path, VERSION)


def test_the_part_of_a_killed_process_is_removed_after_an_hour_and_that_of_a_busy_one_left(tmp_path: Path) -> None:
    left, busy = tmp_path / "X-1h.a.part", tmp_path / "X-1h.b.part"
    left.write_text("half")
    busy.write_text("half")
    os.utime(left, (0, 0))
    keep(tmp_path / "Y-1h", VERSION, numbered(1))
    assert sorted(found.name for found in tmp_path.iterdir()) == ["X-1h.b.part", "Y-1h"]


def test_arrays_outlive_the_file_they_were_mapped_from(tmp_path: Path) -> None:
    path = tmp_path / "X-1h"
    keep(path, VERSION, numbered(1000))
    found = kept(path, VERSION)
    assert found
    keep(path, uuid4(), numbered(3))
    path.unlink()
    assert same(found, numbered(1000))


# -- Beside others --------------------------------------------------------------------------------


@pytest.mark.usefixtures("own_database")
def test_who_reads_while_another_stores_gets_the_candles_of_one_instant() -> None:
    """Every version of the series has one price throughout, so a mixture would show."""
    store_candles([hourly("BTCUSDT", ["1"] * 200)])
    done = Event()

    def correct() -> None:
        try:
            for price in range(2, 40):
                store_candles([hourly("BTCUSDT", [str(price)] * 200)], replace=True)
        finally:
            done.set()
            connection.close()

    writer = Thread(target=correct)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(np.unique(candle_columns("BTCUSDT", "1h").closes).tolist())
    writer.join()
    seen.append(candle_columns("BTCUSDT", "1h").closes[:1].tolist())
    assert {len(prices) for prices in seen} == {1}
    assert seen == sorted(seen)
    assert seen[-1] == [39]
    version = SeriesVersion.objects.get().version
    assert (found := kept(columns_file("BTCUSDT", "1h"), version))
    assert set(found.closes.tolist()) == {39}


def test_the_web_process_starts_without_numpy() -> None:
    code = (
        "import sys, config.wsgi; from django.urls import get_resolver; get_resolver().url_patterns; "
        "sys.exit('numpy is imported' if 'numpy' in sys.modules else 0)"
    )
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert started.returncode == 0, started.stderr
