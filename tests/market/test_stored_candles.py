"""Candles and snapshots in the database: stored once, corrected when they differ, left alone when they do not."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import DataError, IntegrityError, connection

from market.core.candles import Series, empty_series, to_ms
from market.core.canonical import sha256_of, utc_text
from market.core.snapshot import Snapshot, snapshot_of
from market.core.symbols import DEFAULT_SYMBOLS, FILTERS_AS_OF, UnknownSymbol
from market.models import Candle, ListedSymbol, StoredSnapshot
from market.queries import Coverage, coverage, listed_symbols, loaded, stored_candles
from market.services import StoreCounts, StoredOtherwiseError, store_candles, store_snapshot

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(symbol: str, closes: Sequence[str], first_open: datetime = START) -> Series:
    """Candles that open and close at these prices, high 30000, low 1E-18, volume 7."""
    numbers = tuple(map(Decimal, closes))
    count = len(numbers)
    return Series(
        symbol,
        "1h",
        tuple(to_ms(first_open + n * HOUR) for n in range(count)),
        numbers,
        (Decimal(30_000),) * count,
        (Decimal("1E-18"),) * count,
        numbers,
        (Decimal(7),) * count,
    )


def stored(symbol: str, hours: int = 48) -> Series:
    return stored_candles("1h")([symbol], START, START + hours * HOUR)[symbol]


def row_versions(symbol: str) -> list[tuple[str, ...]]:
    """Where each row lies and which transactions wrote or locked it: alike only if nothing touched the row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ctid::text, xmin::text, xmax::text FROM market_candle WHERE symbol = %s ORDER BY open_at", [symbol]
        )
        return cursor.fetchall()


# -- Storing --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_was_stored_comes_back_digit_for_digit() -> None:
    series = hourly("BTCUSDT", ["28923.63", "0.000000000000000001", "1000", "42"])
    assert store_candles([series]) == [StoreCounts(new=4, changed=0, unchanged=0)]
    assert stored("BTCUSDT") == series
    assert [str(price) for price in stored("BTCUSDT").closes] == ["28923.63", "1E-18", "1000", "42"]


@pytest.mark.django_db
def test_storing_the_same_again_touches_no_row() -> None:
    series = hourly("BTCUSDT", ["1", "2", "3"])
    store_candles([series])
    before = row_versions("BTCUSDT")
    padded = replace(series, closes=(Decimal("1.000"), Decimal("2.0"), Decimal(3)))
    assert store_candles([padded]) == [StoreCounts(new=0, changed=0, unchanged=3)]
    assert row_versions("BTCUSDT") == before


@pytest.mark.django_db
def test_a_corrected_candle_is_rewritten_alone() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2", "3"])])
    before = row_versions("BTCUSDT")
    (count,) = store_candles([hourly("BTCUSDT", ["1", "2.5", "3", "4"])], replace=True)
    assert (count.new, count.changed, count.unchanged) == (1, 1, 2)
    assert [str(change) for change in count.changes] == ["BTCUSDT 1h 2024-01-01 01:00 UTC: close 2 → 2.5"]
    after = row_versions("BTCUSDT")
    assert [old == new for old, new in zip(before, after, strict=False)] == [True, False, True]
    assert stored("BTCUSDT").closes == (1, Decimal("2.5"), 3, 4)


@pytest.mark.django_db
def test_a_candle_with_other_numbers_keeps_every_series_out_unless_it_is_to_be_replaced() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2", "3"])])
    with pytest.raises(StoredOtherwiseError, match="1 candle is stored already"):
        store_candles([hourly("ETHUSDT", ["1"]), hourly("BTCUSDT", ["1", "2.5", "3", "4"])])
    assert stored("BTCUSDT").closes == (1, 2, 3)
    assert stored("ETHUSDT").closes == ()


@pytest.mark.django_db
def test_a_candle_that_differs_in_its_volume_alone_is_told_by_its_volume() -> None:
    series = hourly("BTCUSDT", ["1"])
    store_candles([series])
    with pytest.raises(StoredOtherwiseError, match=r"00:00 UTC: volume [0-9.]+ → 77"):
        store_candles([replace(series, volumes=(Decimal(77),))])


@pytest.mark.django_db
def test_symbols_and_timeframes_are_kept_apart() -> None:
    daily = replace(hourly("BTCUSDT", ["9"]), timeframe="1d")
    counts = store_candles([hourly("BTCUSDT", ["1"]), hourly("ETHUSDT", ["2", "3"]), daily])
    assert counts == [StoreCounts(1, 0, 0), StoreCounts(2, 0, 0), StoreCounts(1, 0, 0)]
    assert stored("BTCUSDT").closes == (1,)
    assert stored("ETHUSDT").closes == (2, 3)


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["NaN", "Infinity", "1.0000000000000000001"])
def test_a_number_that_would_be_rounded_or_is_none_leaves_nothing_of_any_series(number: str) -> None:
    with pytest.raises(ValueError, match="BTCUSDT 1h: 1 candles have a number that is not finite or has more than 18"):
        store_candles([hourly("ETHUSDT", ["1"]), hourly("BTCUSDT", ["1", number])])
    assert not Candle.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("column", "number", "refusal"),
    [
        ("highs", "1", IntegrityError),
        ("lows", "3", IntegrityError),
        ("lows", "0", IntegrityError),
        ("volumes", "-1", IntegrityError),
        ("highs", "1" + "0" * 20, DataError),
    ],
)
def test_the_database_itself_refuses_an_impossible_candle(column: str, number: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        store_candles([hourly("ETHUSDT", ["1"]), replace(hourly("BTCUSDT", ["2"]), **{column: (Decimal(number),)})])
    assert not Candle.objects.exists()


# -- Reading --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_window_holds_the_candles_closed_from_its_first_to_its_last_instant() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2", "3", "4"])])
    # the candles close at 01:00, 02:00, 03:00 and 04:00
    minute = timedelta(minutes=1)
    candles = stored_candles("1h")
    assert candles(["BTCUSDT"], START + 2 * HOUR, START + 3 * HOUR)["BTCUSDT"].closes == (2, 3)
    assert candles(["BTCUSDT"], START + 2 * HOUR + minute, START + 3 * HOUR - minute)["BTCUSDT"].closes == ()


@pytest.mark.django_db
def test_every_symbol_asked_for_comes_back_even_without_candles() -> None:
    store_candles([hourly("BTCUSDT", ["1"])])
    found = stored_candles("1h")(["SOLUSDT", "BTCUSDT"], START, START + 9 * HOUR)
    assert list(found) == ["SOLUSDT", "BTCUSDT"]
    assert found["SOLUSDT"] == empty_series("SOLUSDT", "1h")


@pytest.mark.django_db
def test_a_window_of_all_symbols_is_one_query(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    store_candles([hourly(symbol.name, ["1", "2"]) for symbol in DEFAULT_SYMBOLS])
    with django_assert_num_queries(1):
        found = stored_candles("1h")([symbol.name for symbol in DEFAULT_SYMBOLS], START, START + 9 * HOUR)
    assert {len(series) for series in found.values()} == {2}


def test_loaded_series_are_handed_out_whole_without_a_query() -> None:
    series = {"BTCUSDT": hourly("BTCUSDT", ["1", "2"]), "ETHUSDT": hourly("ETHUSDT", ["3"])}
    assert loaded(series)(["ETHUSDT"], START, START) == {"ETHUSDT": series["ETHUSDT"]}
    with pytest.raises(KeyError):
        loaded(series)(["SOLUSDT"], START, START)


@pytest.mark.django_db
def test_coverage_tells_first_last_and_count_or_nothing() -> None:
    store_candles([hourly("BTCUSDT", ["1", "2", "3"])])
    assert coverage("BTCUSDT", "1h") == Coverage(START, START + 2 * HOUR, 3)
    assert coverage("BTCUSDT", "1d") is None


@pytest.mark.django_db
def test_a_fresh_database_lists_the_default_symbols_with_their_filters() -> None:
    names = [symbol.name for symbol in DEFAULT_SYMBOLS]
    assert tuple(listed_symbols(names).values()) == DEFAULT_SYMBOLS
    dates = {row.filters_as_of.isoformat() for row in ListedSymbol.objects.all()}
    assert dates == {FILTERS_AS_OF}


@pytest.mark.django_db
def test_a_symbol_that_is_not_listed_is_refused() -> None:
    with pytest.raises(UnknownSymbol, match=r"Unknown symbol 'DOGEUSDT'\. Listed: ADAUSDT, "):
        listed_symbols(["BTCUSDT", "DOGEUSDT"])


# -- Snapshots ------------------------------------------------------------------------------------


def snapshot(price: str = "100") -> Snapshot:
    content = {
        "as_of": utc_text(START),
        "source": "stored",
        "symbols": {"BTCUSDT": {"price": price}},
        "missing": {"ETHUSDT": "no closed candle"},
    }
    return Snapshot(START, {"BTCUSDT": Decimal(price)}, content["missing"], content, sha256_of(content))


@pytest.mark.django_db
def test_a_snapshot_is_stored_once_and_reads_back_under_its_hash() -> None:
    row = store_snapshot(snapshot())
    assert store_snapshot(snapshot()) == row
    assert (row.as_of, row.source) == (START, "stored")
    row.refresh_from_db()
    assert snapshot_of(row.content, row.as_of, row.sha256) == snapshot()


@pytest.mark.django_db
def test_another_price_is_another_snapshot() -> None:
    assert store_snapshot(snapshot("100")) != store_snapshot(snapshot("101"))
    assert StoredSnapshot.objects.count() == 2


# -- At the same moment ---------------------------------------------------------------------------

# Each thread has a connection of its own and commits; the rows are removed the same way, as no rollback does it.


def at_once[T](work: Callable[[], T], threads: int) -> list[T]:
    together = Barrier(threads)

    def run(_: int) -> T:
        try:
            together.wait(timeout=30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


@pytest.mark.usefixtures("own_database")
def test_snapshots_stored_at_the_same_moment_become_one_row() -> None:
    rows = at_once(lambda: store_snapshot(snapshot()).pk, 8)
    assert len(set(rows)) == StoredSnapshot.objects.count() == 1


@pytest.mark.usefixtures("own_database")
def test_imports_of_the_same_candles_at_the_same_moment_store_each_once() -> None:
    series = [hourly(symbol, [str(n) for n in range(1, 500)]) for symbol in ("BTCUSDT", "ETHUSDT")]
    counts = [count for counts in at_once(lambda: store_candles(series), 4) for count in counts]
    assert sum(count.new for count in counts) == Candle.objects.count() == 2 * 499
    assert sum(count.changed for count in counts) == 0
    assert sum(count.unchanged for count in counts) == 3 * 2 * 499
