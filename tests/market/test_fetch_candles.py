"""`manage.py fetch_candles`: what is missing is fetched, checked and stored, and nothing else is asked for."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from market.core.candles import TIMEFRAME_S, to_ms
from market.models import Candle
from market.queries import Coverage, coverage
from tests.market import exchange as double
from tests.market.exchange import KLINES, TIME, Exchange, exchange_double, price_at

pytestmark = pytest.mark.django_db

REAL_FILE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "klines" / "BTCUSDT-1h.csv.gz"
JUNE = datetime(2022, 6, 1, tzinfo=UTC)
NOW = JUNE + timedelta(days=10)
HOUR = timedelta(hours=1)
OUTAGE = datetime(2021, 4, 25, 5, tzinfo=UTC)  # three hours without trade


@pytest.fixture
def exchange(settings) -> Iterator[Exchange]:
    with exchange_double(NOW) as running:
        settings.EXCHANGE_DOUBLE = running.url
        yield running


def run(*arguments: str, symbols: str = "BTCUSDT", timeframe: str = "1h", first: str = "2022-06-01") -> list[str]:
    out = StringIO()
    call_command(
        "fetch_candles",
        *("--symbols", symbols, "--timeframe", timeframe, "--from", first, *arguments),
        stdout=out,
        stderr=StringIO(),
    )
    return out.getvalue().splitlines()


def why_refused(*arguments: str, **options: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments, **options)
    return str(refused.value)


def spans(exchange: Exchange) -> list[tuple[datetime, datetime]]:
    """The spans that candles were asked for, in order."""
    instants = [(int(asked["startTime"]), int(asked["endTime"])) for asked in exchange.asked(KLINES)]
    return [(datetime.fromtimestamp(a / 1000, UTC), datetime.fromtimestamp(b / 1000, UTC)) for a, b in instants]


def test_candles_are_stored_as_the_exchange_has_them(exchange: Exchange) -> None:
    told = run("--to", "2022-06-02")
    assert told == ["BTCUSDT 1h: 24 new, 0 stored before, from 2022-06-01 00:00 to 2022-06-02 00:00 UTC"]
    candle = Candle.objects.get(symbol="BTCUSDT", timeframe="1h", open_at=JUNE)
    assert candle.open == price_at("BTCUSDT", to_ms(JUNE))
    assert candle.close == price_at("BTCUSDT", to_ms(JUNE + HOUR))
    assert coverage("BTCUSDT", "1h") == Coverage(JUNE, JUNE + 23 * HOUR, 24)


def test_several_symbols_are_fetched_in_the_order_typed(exchange: Exchange) -> None:
    told = run("--to", "2022-06-02", symbols="ethusdt, BTCUSDT,ETHUSDT")
    assert [line.split(",")[0] for line in told] == ["ETHUSDT 1h: 24 new", "BTCUSDT 1h: 24 new"]


@pytest.mark.parametrize("timeframe", TIMEFRAME_S)
def test_every_timeframe_is_fetched_up_to_the_newest_closed_candle(exchange: Exchange, timeframe: str) -> None:
    exchange.now = NOW + timedelta(seconds=30)
    run(timeframe=timeframe, first="2022-06-09")
    step = timedelta(seconds=TIMEFRAME_S[timeframe])
    assert coverage("BTCUSDT", timeframe) == Coverage(NOW - 2 * 24 * HOUR, NOW - step, 2 * 24 * HOUR // step)


def test_more_than_a_page_is_fetched_page_by_page(exchange: Exchange) -> None:
    run(timeframe="5m", first="2022-06-02", symbols="BTCUSDT")
    assert coverage("BTCUSDT", "5m") == Coverage(JUNE + 24 * HOUR, NOW - timedelta(minutes=10), 2591)
    assert [len(exchange.asked(KLINES)), spans(exchange)[1][0]] == [3, JUNE + 24 * HOUR + timedelta(minutes=5000)]


def test_a_candle_counts_as_closed_by_the_clock_of_the_exchange_not_by_ours(exchange: Exchange) -> None:
    exchange.now = JUNE + 5 * HOUR + timedelta(seconds=9)
    run()  # our clock is years ahead
    assert coverage("BTCUSDT", "1h") == Coverage(JUNE, JUNE + 3 * HOUR, 4)
    exchange.now += timedelta(seconds=1)
    run()
    assert coverage("BTCUSDT", "1h") == Coverage(JUNE, JUNE + 4 * HOUR, 5)


# -- Going on and filling -------------------------------------------------------------------------


def test_what_is_stored_is_not_asked_for_again(exchange: Exchange) -> None:
    run("--to", "2022-06-02")
    exchange.requests.clear()
    told = run("--to", "2022-06-02")
    assert told == ["BTCUSDT 1h: 0 new, 24 stored before, from 2022-06-01 00:00 to 2022-06-02 00:00 UTC"]
    assert [request.path for request in exchange.requests] == [TIME]


def test_it_goes_on_behind_what_is_stored(exchange: Exchange) -> None:
    run("--to", "2022-06-02")
    exchange.requests.clear()
    told = run("--to", "2022-06-03")
    assert told[0].startswith("BTCUSDT 1h: 24 new, 24 stored before, ")
    assert spans(exchange) == [(JUNE + 24 * HOUR, JUNE + 47 * HOUR)]


def test_holes_in_what_is_stored_are_filled_and_only_they_are_asked_for(exchange: Exchange) -> None:
    run("--to", "2022-06-02")
    Candle.objects.filter(open_at__in=[JUNE + 3 * HOUR, JUNE + 4 * HOUR, JUNE + 9 * HOUR]).delete()
    exchange.requests.clear()
    told = run("--to", "2022-06-02")
    assert told[0].startswith("BTCUSDT 1h: 3 new, 21 stored before, ")
    assert spans(exchange) == [(JUNE + 3 * HOUR, JUNE + 4 * HOUR), (JUNE + 9 * HOUR, JUNE + 9 * HOUR)]


def test_candles_older_than_those_stored_are_fetched_too(exchange: Exchange) -> None:
    run("--to", "2022-06-02")
    run("--to", "2022-06-02", first="2022-05-31")
    assert coverage("BTCUSDT", "1h") == Coverage(JUNE - 24 * HOUR, JUNE + 23 * HOUR, 48)


def test_a_hole_of_one_answer_is_filled_by_the_second(exchange: Exchange) -> None:
    exchange.script(KLINES, double.lacking(JUNE + 5 * HOUR, JUNE + 8 * HOUR))
    told = run("--to", "2022-06-02")
    assert told == ["BTCUSDT 1h: 24 new, 0 stored before, from 2022-06-01 00:00 to 2022-06-02 00:00 UTC"]
    assert spans(exchange)[1:] == [(JUNE + 5 * HOUR, JUNE + 7 * HOUR)]


def test_a_hole_of_the_exchange_is_told_and_not_filled_with_anything(exchange: Exchange) -> None:
    exchange.holes.append(("BTCUSDT", JUNE + 5 * HOUR, JUNE + 8 * HOUR))
    told = run("--to", "2022-06-02")
    assert told[0].startswith("BTCUSDT 1h: 21 new, 0 stored before, ")
    assert told[1:] == [
        "  the exchange has nothing, asked twice: 2022-06-01 05:00 to 2022-06-01 08:00 UTC, 3 candles",
    ]


def test_a_known_outage_is_told_as_one(exchange: Exchange) -> None:
    exchange.holes.append(("BTCUSDT", OUTAGE, OUTAGE + 3 * HOUR))
    told = run("--to", "2021-04-26", first="2021-04-25")
    assert told[1:] == ["  known outage: 2021-04-25 05:00 to 2021-04-25 08:00 UTC, 3 candles"]


def test_time_before_the_listing_is_told_as_a_hole(exchange: Exchange) -> None:
    exchange.listed_from["SOLUSDT"] = JUNE + 6 * HOUR
    told = run("--to", "2022-06-02", symbols="SOLUSDT")
    assert told[0].startswith("SOLUSDT 1h: 18 new, ")
    assert told[1:] == [
        "  the exchange has nothing, asked twice: 2022-06-01 00:00 to 2022-06-01 06:00 UTC, 6 candles",
    ]


def test_what_came_before_a_failure_stays_and_the_next_run_goes_on(exchange: Exchange) -> None:
    exchange.script(KLINES, double.edited(lambda rows: rows), double.status(451))
    message = why_refused(timeframe="5m")
    assert "does not serve this region (HTTP 451)" in message
    assert message.endswith("\nWhat was stored stays; the same command goes on from there.")
    assert Candle.objects.count() == 1000
    assert run(timeframe="5m")[0].startswith("BTCUSDT 5m: 1879 new, 1000 stored before, ")


def test_a_pause_the_exchange_asks_for_is_made_and_the_rest_fetched(exchange: Exchange) -> None:
    exchange.script(KLINES, double.status(429, retry_after="0"), double.status(418, retry_after="0"))
    assert run("--to", "2022-06-02")[0].startswith("BTCUSDT 1h: 24 new")


@pytest.mark.skipif(not REAL_FILE.is_file(), reason="the folder of real files is not beside this repository")
def test_years_of_real_candles_come_out_as_from_the_file_of_the_exchange(exchange: Exchange) -> None:
    with gzip.open(REAL_FILE, "rt", newline="") as file:
        cells = list(csv.reader(file))[1:]
    rows = [[int(c[0]), *c[1:6], int(c[6]), "0", 0, "0", "0", "0"] for c in cells]
    exchange.now, exchange.recorded = datetime(2024, 3, 2, tzinfo=UTC), {("BTCUSDT", "1h"): rows}
    told = run("--to", "2024-03-01", first="2021-01-01")
    assert told[0] == "BTCUSDT 1h: 27706 new, 0 stored before, from 2021-01-01 00:00 to 2024-03-01 00:00 UTC"
    assert [line.split(":")[0] for line in told[1:]] == ["  known outage"] * 7
    out = StringIO()
    call_command("import_candles", str(REAL_FILE), stdout=out)
    assert out.getvalue().startswith("BTCUSDT 1h: 0 new, 0 changed, 27706 unchanged, ")


# -- Refusals -------------------------------------------------------------------------------------


def test_candles_that_make_no_sense_are_not_stored(exchange: Exchange) -> None:
    exchange.script(KLINES, double.edited(lambda rows: [[*rows[0][:2], "1.0", *rows[0][3:]], *rows[1:]]))
    message = why_refused("--to", "2022-06-02")
    assert "the answer for BTCUSDT 1h from 2022-06-01 00:00 UTC on is refused:\n  line 1: high 1.0 is below" in message
    assert not Candle.objects.exists()


def test_a_symbol_that_is_not_listed_is_refused_before_anything_is_asked(exchange: Exchange) -> None:
    message = why_refused(symbols="BTCUSDT,DOGEUSDT")
    assert "Unknown symbol 'DOGEUSDT'" in message
    assert "fetch_symbols" in message
    assert exchange.requests == []


def test_a_symbol_the_exchange_has_nothing_of_is_an_error(exchange: Exchange) -> None:
    exchange.listed_from["SOLUSDT"] = NOW
    message = why_refused(symbols="SOLUSDT", first="2022-06-09")
    assert "no 1h candle of SOLUSDT from 2022-06-09 00:00 to 2022-06-10 23:00 UTC" in message


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"first": "2022-06-12"}, "No 1h candle opens at or after 2022-06-12 00:00 and has closed by 2022-06-10 23:59"),
        ({"first": "yesterday"}, "'yesterday' is not a date like 2021-01-04"),
        ({"first": "9999-12-31T23:59-12:00"}, "is not a date like 2021-01-04"),
        ({"first": "1999-01-01"}, "1999-01-01 is before 2017, when the exchange opened"),
        ({"symbols": ","}, "give at least one symbol"),
        ({"symbols": "BTC/USDT"}, "'BTC/USDT' is not a symbol like BTCUSDT"),
        ({"symbols": ",".join(f"A{n}" for n in range(101))}, "101 symbols are more than 100"),
        ({"timeframe": "1M"}, "invalid choice: '1M'"),
    ],
)
def test_what_cannot_be_meant_is_refused(exchange: Exchange, options: dict[str, str], why: str) -> None:
    assert why in why_refused(**options)


def test_an_address_that_is_not_this_machine_is_refused(settings) -> None:
    settings.EXCHANGE_DOUBLE = "https://api.binance.com"
    assert "EXCHANGE_DOUBLE='https://api.binance.com' is refused" in why_refused()


def test_whoever_reads_from_a_double_is_told(exchange: Exchange) -> None:
    told = StringIO()
    call_command("fetch_candles", "--symbols=BTCUSDT", "--timeframe=1d", "--from=2022-06-01", stderr=told, stdout=told)
    assert f"From the double at {exchange.url}: this is not the market." in told.getvalue()


def test_a_day_may_be_given_with_an_hour_and_a_zone(exchange: Exchange) -> None:
    run("--to", "2022-06-01T12:00", first="2022-06-01T05:30+02:00")
    assert coverage("BTCUSDT", "1h") == Coverage(JUNE + 4 * HOUR, JUNE + 11 * HOUR, 8)
