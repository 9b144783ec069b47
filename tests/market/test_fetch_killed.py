"""A fetch that is killed in the middle leaves whole pages, and one that meets an import leaves the import."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from market.models import Candle
from market.queries import Coverage, coverage
from tests.market import exchange as double
from tests.market.exchange import KLINES, exchange_double

ROOT = Path(__file__).resolve().parents[2]
JUNE = datetime(2022, 6, 1, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
ARGUMENTS = ["fetch_candles", "--symbols", "BTCUSDT", "--timeframe", "5m", "--from", "2022-06-01"]


def environment(database: str, exchange_url: str) -> dict[str, str]:
    params = connection.get_connection_params()
    user, host = params.get("user", ""), params.get("host", "")
    url = f"postgresql://{user}@/{database}?host={host}"
    return {**os.environ, "DATABASE_URL": url, "EXCHANGE_DOUBLE": exchange_url}


@pytest.mark.processes
def test_a_killed_fetch_leaves_whole_pages_and_the_next_one_finishes(own_database: str, settings) -> None:
    with exchange_double(JUNE + timedelta(days=10)) as exchange:
        settings.EXCHANGE_DOUBLE = exchange.url
        exchange.script(KLINES, double.edited(lambda rows: rows), double.silent)
        command = [sys.executable, "manage.py", *ARGUMENTS]
        with subprocess.Popen(command, cwd=ROOT, env=environment(own_database, exchange.url)) as fetch:
            try:
                exchange.wait_until_asked(KLINES, 2)
            finally:
                fetch.kill()
        assert coverage("BTCUSDT", "5m") == Coverage(JUNE, JUNE + 999 * FIVE_MINUTES, 1000)
        out = StringIO()
        call_command(*ARGUMENTS, stdout=out, stderr=StringIO())
        assert out.getvalue().startswith("BTCUSDT 5m: 1879 new, 1000 stored before, ")


def test_an_import_of_other_numbers_in_the_same_moment_is_kept_and_told(own_database: str, settings) -> None:
    def imported_meanwhile(rows: Any) -> Any:  # in the thread of the double, so on another connection
        Candle.objects.create(symbol="BTCUSDT", timeframe="5m", open_at=JUNE, open=1, high=2, low=1, close=1, volume=0)
        connection.close()
        return rows

    with exchange_double(JUNE + timedelta(days=10)) as exchange:
        settings.EXCHANGE_DOUBLE = exchange.url
        exchange.script(KLINES, double.edited(imported_meanwhile))
        with pytest.raises(CommandError, match="An import stored other numbers for the same candles meanwhile"):
            call_command(*ARGUMENTS, stdout=StringIO(), stderr=StringIO())
    assert Candle.objects.get().close == 1
