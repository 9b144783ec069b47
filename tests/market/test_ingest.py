"""Storing candles beside others, and the version of a series: new with every change of it, and with nothing else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from django.db import IntegrityError, connection

from market.core.candles import empty_series
from market.models import Candle, SeriesVersion
from market.services import StoreCounts, StoredOtherwiseError, store_candles
from tests.market.test_stored_candles import hourly, row_versions


def version(symbol: str) -> UUID | None:
    return SeriesVersion.objects.filter(symbol=symbol, timeframe="1h").values_list("version", flat=True).first()


def versions() -> dict[str, UUID]:
    return dict(SeriesVersion.objects.values_list("symbol", "version"))


# -- Storing --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_counts_come_back_in_the_order_given_though_series_are_stored_by_name() -> None:
    seen = []

    def note(series):  # type: ignore[no-untyped-def]
        for one in series:
            seen.append(one.symbol)
            yield one

    given = [hourly("SOLUSDT", ["1"]), hourly("ADAUSDT", ["1", "2"]), hourly("BTCUSDT", ["1", "2", "3"])]
    assert [count.new for count in store_candles(given, progress=note)] == [1, 2, 3]
    assert seen == ["ADAUSDT", "BTCUSDT", "SOLUSDT"]


@pytest.mark.django_db
def test_one_import_inserts_corrects_and_leaves_alone() -> None:
    closes = [str(n) for n in range(1, 101)]
    store_candles([hourly("BTCUSDT", closes)])
    before = row_versions("BTCUSDT")
    corrected = ["7000" if n % 10 == 0 else close for n, close in enumerate(closes)]
    (count,) = store_candles([hourly("BTCUSDT", [*corrected, "101", "102"])], replace=True)
    assert (count.new, count.changed, count.unchanged) == (2, 10, 90)
    assert len(count.changes) == 5
    assert [str(change.old) for change in count.changes] == [f"{n}.000000000000000000" for n in (1, 11, 21, 31, 41)]
    assert {change.new for change in count.changes} == {7000}
    kept = [old == new for old, new in zip(before, row_versions("BTCUSDT"), strict=False)]
    assert kept == [n % 10 != 0 for n in range(100)]


@pytest.mark.django_db
def test_the_same_series_twice_in_one_import_is_stored_once() -> None:
    series = hourly("BTCUSDT", ["1", "2"])
    assert store_candles([series, series]) == [StoreCounts(2, 0, 0), StoreCounts(0, 0, 2)]


@pytest.mark.django_db
def test_a_series_without_candles_stores_none() -> None:
    assert store_candles([empty_series("BTCUSDT", "1h")]) == [StoreCounts(0, 0, 0)]
    assert version("BTCUSDT") is None


# -- The version ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_new_and_corrected_candles_give_their_series_a_version_and_no_other() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"]), hourly("ETHUSDT", ["1"])])
    first = versions()
    assert len(set(first.values())) == 2
    store_candles([hourly("BTCUSDT", ["1", "2", "3"])])
    second = versions()
    store_candles([hourly("BTCUSDT", ["1", "2", "4"])], replace=True)
    assert len({first["BTCUSDT"], second["BTCUSDT"], version("BTCUSDT")}) == 3
    assert first["ETHUSDT"] == version("ETHUSDT")


@pytest.mark.django_db
def test_the_same_candles_again_or_refused_ones_leave_the_version() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"])])
    before = version("BTCUSDT")
    store_candles([hourly("BTCUSDT", ["1", "2"])], replace=True)
    with pytest.raises(StoredOtherwiseError):
        store_candles([hourly("BTCUSDT", ["1", "3", "4"])])
    assert version("BTCUSDT") == before


def insert_one() -> None:
    candle = Candle.objects.get(symbol="BTCUSDT", close=1)
    candle.symbol = "SOLUSDT"
    Candle.objects.bulk_create([candle])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "alters"),
    [
        (insert_one, {"SOLUSDT"}),
        (lambda: Candle.objects.filter(symbol="BTCUSDT", close=1).update(close="1.5"), {"BTCUSDT"}),
        (lambda: Candle.objects.filter(symbol="BTCUSDT", close=2).delete(), {"BTCUSDT"}),
        (lambda: Candle.objects.filter(close=2).delete(), {"BTCUSDT", "ETHUSDT"}),
        (lambda: Candle.objects.filter(symbol="BTCUSDT", close=2).update(symbol="SOLUSDT"), {"BTCUSDT", "SOLUSDT"}),
        (lambda: connection.cursor().execute("TRUNCATE market_candle"), {"BTCUSDT", "ETHUSDT"}),
        (lambda: Candle.objects.filter(close=77).delete(), set()),
    ],
    ids=["insert", "update", "delete", "delete of two", "move", "truncate", "nothing"],
)
def test_the_version_changes_whoever_changes_candles(change: Callable[[], object], alters: set[str]) -> None:
    store_candles([hourly("BTCUSDT", ["1", "2"]), hourly("ETHUSDT", ["1", "2"])])
    before = versions()
    change()
    after = versions()
    assert {symbol for symbol in after if after[symbol] != before.get(symbol)} == alters


# -- At the same moment ---------------------------------------------------------------------------


def both(first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """What two threads with connections of their own return when they start at once."""
    together = Barrier(2)

    def run(work: Callable[[], object]) -> object:
        try:
            together.wait(timeout=30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, (first, second)))


@pytest.mark.usefixtures("own_database")
def test_imports_of_the_same_series_in_opposite_order_wait_for_each_other() -> None:
    series = [hourly(symbol, [str(n) for n in range(1, 300)]) for symbol in ("ADAUSDT", "BTCUSDT", "ETHUSDT")]
    counts = both(lambda: store_candles(series), lambda: store_candles(series[::-1]))
    assert sorted(sum(count.new for count in found) for found in counts) == [0, 3 * 299]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("own_database")
def test_corrections_of_the_same_candles_at_the_same_moment_are_both_counted() -> None:
    store_candles([hourly("BTCUSDT", ["1"] * 300)])
    results = both(
        lambda: store_candles([hourly("BTCUSDT", ["2"] * 300)], replace=True),
        lambda: store_candles([hourly("BTCUSDT", ["3"] * 300)], replace=True),
    )
    assert [found[0].changed for found in results] == [300, 300]  # type: ignore[index]
    assert Candle.objects.values_list("close", flat=True).distinct().count() == 1


@pytest.mark.usefixtures("own_database")
def test_a_candle_that_another_program_writes_meanwhile_is_no_reason_to_keep_half() -> None:
    """The other program inserts the last candle and commits while the import waits for its key."""
    series = hourly("BTCUSDT", [str(n) for n in range(1, 100)])
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO market_candle VALUES ('BTCUSDT', '1h', to_timestamp(%s), 1, 1, 1, 1, 1)",
                [series.open_ms[-1] // 1000],
            )
        with ThreadPoolExecutor(1) as pool:
            importing = pool.submit(_import_and_close, series)
            _until_somebody_waits()
            other.commit()
            with pytest.raises(IntegrityError, match="market_candle"):
                importing.result(timeout=30)
    finally:
        other.close()
    assert Candle.objects.count() == 1


def _import_and_close(series) -> None:  # type: ignore[no-untyped-def]
    try:
        store_candles([series])
    finally:
        connection.close()


def _until_somebody_waits() -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(30_000):
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("the import did not come to the candle")
