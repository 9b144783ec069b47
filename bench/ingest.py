"""Candles into PostgreSQL and out of it again, beside what Django offers for both; one run, taking turns.

In: 100,000 one-minute candles of one symbol, into an emptied table and then the same again, against
`bulk_create(update_conflicts=True)` in batches. Its turns run without the triggers that give a series its version, so
that it pays for nothing of ours. Of our second time it is proven that no row was rewritten. Out: 26,280 candles (three
years of hours) into arrays, cold from the database and hot from the kept file, against `values_list`, which is given
credit for its rows alone: turning them into arrays would take it a fifth longer.
"""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

ROUNDS = 5
STORED, READ = 100_000, 26_280
FIRST_MS = 1_609_459_200_000  # 2021-01-01
BATCH = 5_000  # no batches, 1,000 and 5,000 take the same time; 20,000 takes longer
NUMBERS = ("open", "high", "low", "close", "volume")


def walk(symbol: str, timeframe: str, count: int):
    """Candles of a seeded random walk with prices to the cent and volumes to five decimals."""
    from market.core.candles import TIMEFRAME_S, Series

    dice, close, rows = random.Random(1), 30_000.0, []  # noqa: S311
    for n in range(count):
        open_, close = close, round(max(100.0, close * (1 + dice.gauss(0, 0.002))), 2)
        high = max(open_, close) * (1 + abs(dice.gauss(0, 0.001)))
        low = min(open_, close) * (1 - abs(dice.gauss(0, 0.001)))
        prices = (Decimal(f"{price:.2f}") for price in (open_, high, low, close))
        open_ms = FIRST_MS + n * TIMEFRAME_S[timeframe] * 1000
        rows.append((open_ms, *prices, Decimal(f"{dice.random() * 100:.5f}")))
    return Series(symbol, timeframe, *zip(*rows, strict=True))


def bulk_create(series) -> None:
    """The same candles through Django: rows as objects, conflicts updated."""
    from django.db import transaction

    from market.core.candles import from_ms
    from market.models import Candle

    columns = (series.open_ms, series.opens, series.highs, series.lows, series.closes, series.volumes)
    rows = (
        Candle(
            symbol=series.symbol,
            timeframe=series.timeframe,
            open_at=from_ms(open_ms),
            **dict(zip(NUMBERS, numbers, strict=True)),
        )
        for open_ms, *numbers in zip(*columns, strict=True)
    )
    with transaction.atomic():
        Candle.objects.bulk_create(
            rows,
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["symbol", "timeframe", "open_at"],
            update_fields=NUMBERS,
        )


def values_list(series) -> list[tuple]:
    from market.models import Candle

    candles = Candle.objects.filter(symbol=series.symbol, timeframe=series.timeframe).order_by("open_at")
    return list(candles.values_list("open_at", *NUMBERS))


def sql(statement: str) -> list[tuple]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def store_in_turns(took: dict[str, list[float]]) -> None:
    from market.services import StoreCounts, store_candles

    series = walk("BTCUSDT", "1m", STORED)
    row_versions = "SELECT md5(string_agg(concat(ctid, xmin, xmax), ' ' ORDER BY open_at)) FROM market_candle"
    for number in range(1, ROUNDS + 1):
        empty()
        took["new"].append(seconds(lambda: store_candles([series])))
        before = sql(row_versions)
        took["unchanged"].append(seconds(lambda: store_candles([series])))
        assert sql(row_versions) == before, "an unchanged candle was rewritten or locked"
        assert store_candles([series]) == [StoreCounts(0, 0, STORED)]
        empty()
        sql("ALTER TABLE market_candle DISABLE TRIGGER USER")
        took["bulk_create new"].append(seconds(lambda: bulk_create(series)))
        took["bulk_create unchanged"].append(seconds(lambda: bulk_create(series)))
        sql("ALTER TABLE market_candle ENABLE TRIGGER USER")
        print(f"round {number}: " + ", ".join(f"{name} {found[-1]:.3f} s" for name, found in took.items() if found))


def read_in_turns(took: dict[str, list[float]]) -> None:
    import numpy as np

    from market.columns import candle_columns, columns_file
    from market.services import store_candles

    empty()
    series = walk("BTCUSDT", "1h", READ)
    store_candles([series])
    sql("VACUUM ANALYZE market_candle")
    expected = [np.array(series.open_ms), *(np.array(column, float) for column in (series.opens, series.closes))]
    for _ in range(3 * ROUNDS):
        columns_file("BTCUSDT", "1h").unlink(missing_ok=True)
        took["cold"].append(seconds(lambda: candle_columns("BTCUSDT", "1h")))
        took["hot"].append(seconds(lambda: candle_columns("BTCUSDT", "1h")))
        found = candle_columns("BTCUSDT", "1h")
        for column, right in zip((found.open_ms, found.opens, found.closes), expected, strict=True):
            assert np.array_equal(column, right)
        took["values_list"].append(seconds(lambda: values_list(series)))


def empty() -> None:
    sql("TRUNCATE market_candle")
    sql("VACUUM ANALYZE market_candle")
    sql("CHECKPOINT")


def main() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    names = ("new", "unchanged", "bulk_create new", "bulk_create unchanged", "cold", "hot", "values_list")
    took: dict[str, list[float]] = {name: [] for name in names}
    store_in_turns(took)
    read_in_turns(took)
    middle = {name: statistics.median(found) for name, found in took.items()}
    for name in names:
        fastest, slowest = min(took[name]) * 1000, max(took[name]) * 1000
        print(f"{name:<22} {middle[name] * 1000:>9.2f} ms, from {fastest:.2f} to {slowest:.2f}")
    per_s = {name: round((STORED if name in names[:4] else READ) / middle[name]) for name in names}
    pairs = (("new", names[2]), ("unchanged", names[3]), ("cold", names[6]), ("hot", names[6]))
    print(
        json.dumps(
            {
                "name": "ingest",
                "unit": "candles/s",
                "ours": {ours: per_s[ours] for ours, _ in pairs} | {"rows rewritten when unchanged": 0},
                "peers": {peer: per_s[peer] for peer in dict.fromkeys(peer for _, peer in pairs)},
                "ratio": {f"{ours} / {peer}": round(per_s[ours] / per_s[peer], 1) for ours, peer in pairs},
            }
        )
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="oo-bench-", dir="/tmp") as folder:
        from config import engines

        found = engines.use(Path(folder), durable=True, with_redis=False)
        os.environ.update(SECRET_KEY="bench", DATABASE_URL=found.database_url, REDIS_URL=found.redis_url, DATA=folder)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        import django

        django.setup()
        try:
            main()
        finally:
            engines.stop(Path(folder))
