"""The feed keeps candles and readings current, one run a minute, and says in words what it could not get."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from market import feed
from market.asking import Around
from market.core.candles import from_ms
from market.core.hosts import ForbiddenHost
from market.core.readings import Kind
from market.feed import Run, refresh
from market.following import Follow
from market.models import Candle, DataSource, FollowedSeries, ListedSymbol, StoredReading
from market.queries import stored_readings
from tests.market import exchange as double
from tests.market.exchange import DAY, DEPTH, FUNDING, INFO, KLINES, RATIO, TAKER, TIME, Exchange, exchange_double

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT")


@dataclass
class Feed:
    """A feed whose clock is the double's."""

    exchange: Exchange
    slept: float = 0.0

    def run(self, *names: str, after: timedelta = timedelta(0), timeframe: str = "1h") -> Run:
        self.exchange.now += after
        self.exchange.requests.clear()
        follows = [Follow(name, timeframe, NOON - 24 * HOUR) for name in names or NAMES]
        around = Around(lambda: self.exchange.now.timestamp(), self.sleep, jitter=lambda: 0.0)
        done = refresh(follows, self.exchange.url, around)
        assert done is not None
        return done

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.exchange.now += timedelta(seconds=seconds)


@pytest.fixture
def feeder() -> Iterator[Feed]:
    with exchange_double(NOON + timedelta(seconds=30)) as exchange:
        yield Feed(exchange)


def newest(symbol: str, kind: Kind) -> StoredReading:
    found = StoredReading.objects.filter(symbol=symbol, kind=kind.value).order_by("-known_at").first()
    assert found is not None
    return found


def source(name: str) -> DataSource:
    return DataSource.objects.get(name=name)


# -- What a run does --------------------------------------------------------------------------------


def test_a_first_run_stores_candles_and_every_kind_of_reading(feeder: Feed) -> None:
    run = feeder.run()
    assert (run.candles, run.readings, run.troubles) == (5 * 24, 5 * len(Kind), ())
    assert {row.kind for row in StoredReading.objects.filter(symbol="ADAUSDT")} == {kind.value for kind in Kind}
    assert newest("BTCUSDT", Kind.BOOK).content["bids"][0][1] == "0.5"
    assert newest("BTCUSDT", Kind.FUNDING).content["rate"] == "0.0001"
    assert newest("BTCUSDT", Kind.RATIO).content["long_accounts"] == "0.6"
    assert newest("BTCUSDT", Kind.TAKER).content == {
        "bought": "387.33",
        "sold": "309.864",
        "at": "2025-05-01T12:00:00Z",
    }
    assert FollowedSeries.objects.get(symbol="BTCUSDT").complete_until == NOON + timedelta(seconds=20)
    assert FollowedSeries.objects.get(symbol="BTCUSDT").newest_close == NOON


def test_what_a_run_asks_for_and_weighs_with_five_symbols(feeder: Feed) -> None:
    first = feeder.run()
    # time 1, candles 5 x 2, exchange information 20, books 5 x 5, statistics 5 x 2; four questions about each future
    assert (first.requests, first.weight) == ({"spot": 17, "futures": 20}, {"spot": 66, "futures": 20})
    usual = feeder.run(after=MINUTE)
    assert (usual.requests, usual.weight) == ({"spot": 6, "futures": 0}, {"spot": 26, "futures": 0})
    assert [len(feeder.exchange.asked(path)) for path in (TIME, KLINES, DEPTH, INFO, DAY)] == [1, 0, 5, 0, 0]
    fifth = feeder.run(after=4 * MINUTE)
    assert (fifth.requests, fifth.weight) == ({"spot": 11, "futures": 20}, {"spot": 36, "futures": 20})


def test_a_new_hour_brings_one_candle_each_once_it_has_settled(feeder: Feed) -> None:
    feeder.run()
    assert feeder.run(after=HOUR - timedelta(seconds=25)).candles == 0  # 13:00:05, and it may still change
    assert feeder.run(after=timedelta(seconds=5)).candles == 5
    assert feeder.run(after=MINUTE).candles == 0


def test_a_gap_is_filled_and_nothing_else_is_asked_for_again(feeder: Feed) -> None:
    feeder.run()
    Candle.objects.filter(symbol="ETHUSDT", open_at__range=(NOON - 9 * HOUR, NOON - 7 * HOUR)).delete()
    assert feeder.run(after=MINUTE).candles == 3
    (asked,) = feeder.exchange.asked(KLINES)
    assert (asked["symbol"], from_ms(int(asked["startTime"]))) == ("ETHUSDT", NOON - 9 * HOUR)


def test_a_hole_of_the_exchange_is_told_and_looked_for_again_only_an_hour_later(feeder: Feed) -> None:
    feeder.exchange.holes = [("BTCUSDT", NOON - 5 * HOUR, NOON - 3 * HOUR)]
    feeder.run()
    assert FollowedSeries.objects.get(symbol="BTCUSDT").holes == [["2025-05-01T07:00:00Z", "2025-05-01T09:00:00Z"]]
    feeder.run(after=MINUTE)
    assert feeder.exchange.asked(KLINES) == []
    feeder.exchange.holes = []
    assert feeder.run(after=58 * MINUTE).candles == 0
    assert feeder.run(after=MINUTE).candles == 2 + 5  # the hole, and the new hour of all
    assert FollowedSeries.objects.get(symbol="BTCUSDT").holes == []


def test_two_processes_do_not_both_ask(feeder: Feed) -> None:
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(feed._LOCK)
        follows = [Follow("BTCUSDT", "1h", NOON - HOUR)]
        assert refresh(follows, feeder.exchange.url) is None
        assert feeder.exchange.requests == []
        other.execute(feed._UNLOCK)
    assert feeder.run("BTCUSDT").readings == len(Kind)


def test_the_lock_is_free_after_a_run_that_broke_off(feeder: Feed) -> None:
    with pytest.raises(ForbiddenHost):
        refresh([], "http://api.example")
    with psycopg.connect(**connection.get_connection_params()) as other:
        assert other.execute(feed._LOCK).fetchone() == (True,)


# -- What goes wrong --------------------------------------------------------------------------------


def test_a_blocked_region_is_said_in_a_sentence_and_not_asked_about_every_minute(feeder: Feed) -> None:
    feeder.exchange.script(TIME, double.status(451))
    run = feeder.run()
    assert run.requests["spot"] == 1
    assert source("spot").trouble.startswith("The exchange does not serve this region (HTTP 451). Run this where")
    assert not Candle.objects.exists()
    assert feeder.run(after=MINUTE).requests == {"futures": 0}
    assert feeder.run(after=10 * MINUTE).candles > 0
    assert (source("spot").trouble, source("spot").failures) == ("", 0)


def test_futures_go_on_while_spot_is_away_and_the_other_way_round(feeder: Feed) -> None:
    feeder.exchange.script(TIME, *[double.status(503)] * 3)
    run = feeder.run("BTCUSDT")
    assert run.troubles == ("spot: The exchange was asked 3 times for /api/v3/time, at last: HTTP 503.",)
    assert newest("BTCUSDT", Kind.FUNDING)
    feeder.exchange.script(FUNDING, *[double.reset] * 6)
    assert feeder.run("BTCUSDT", after=6 * MINUTE).troubles[0].startswith("futures: The exchange was asked 3 times")
    assert newest("BTCUSDT", Kind.BOOK)


def test_each_failure_in_a_row_leaves_the_source_alone_for_longer(feeder: Feed) -> None:
    waits = []
    for _ in range(5):
        feeder.exchange.script(TIME, *[double.status(500)] * 3)
        feeder.run("BTCUSDT", after=10 * MINUTE)
        row = source("spot")
        assert row.ask_again_at
        waits.append((row.ask_again_at - row.asked_at).total_seconds())
    assert waits == [30, 60, 120, 240, 300]


def test_a_retry_after_longer_than_a_minute_ends_the_run_and_is_kept_to_the_second(feeder: Feed) -> None:
    feeder.exchange.script(DEPTH, double.status(429, retry_after="200"))
    began = feeder.exchange.now
    feeder.run("BTCUSDT")
    assert feeder.slept == 0
    assert source("spot").ask_again_at == began + timedelta(seconds=200)
    assert "stay away for 200 seconds" in source("spot").trouble
    assert feeder.run("BTCUSDT", after=199 * timedelta(seconds=1)).requests.get("spot") is None
    assert feeder.run("BTCUSDT", after=timedelta(seconds=1)).requests["spot"] > 0


def test_a_short_retry_after_is_waited_for_in_the_run(feeder: Feed) -> None:
    feeder.exchange.script(DEPTH, double.status(429, retry_after="7"))
    assert feeder.run("BTCUSDT").troubles == ()
    assert feeder.slept == 7


def test_a_run_that_broke_off_goes_on_where_it_was(feeder: Feed) -> None:
    good = double.edited(lambda rows: rows)
    feeder.exchange.script(KLINES, good, *[double.hung_up] * 3)
    assert feeder.run("BTCUSDT", "ETHUSDT").troubles
    assert set(Candle.objects.values_list("symbol", flat=True)) == {"BTCUSDT"}
    assert not FollowedSeries.objects.exists(), "half a run is no market that is complete"
    assert feeder.run("BTCUSDT", "ETHUSDT", after=MINUTE).candles == 24
    assert {asked["symbol"] for asked in feeder.exchange.asked(KLINES)} == {"ETHUSDT"}


@pytest.mark.parametrize(
    ("book", "why"),
    [
        ({"bids": [], "asks": [["10.00", "1"]]}, "The order book of BTCUSDT has no bids."),
        (
            {"bids": [["10.01", "1"]], "asks": [["10.00", "1"]]},
            "The order book of BTCUSDT is crossed: bid 10.01, ask 10.00.",
        ),
    ],
)
def test_an_order_book_that_is_empty_or_crossed_is_refused_with_the_reason(
    feeder: Feed, book: dict[str, Any], why: str
) -> None:
    feeder.exchange.books["BTCUSDT"] = book
    assert feeder.run("BTCUSDT", "ETHUSDT").troubles == ()
    assert (newest("BTCUSDT", Kind.BOOK).content, newest("BTCUSDT", Kind.BOOK).refusal) == ({}, why)
    assert newest("ETHUSDT", Kind.BOOK).refusal == ""


@pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY"])
def test_a_symbol_that_is_not_traded_is_recorded_with_what_the_exchange_says(feeder: Feed, status: str) -> None:
    feeder.exchange.info["ADAUSDT"]["status"] = status
    feeder.run()
    assert newest("ADAUSDT", Kind.FILTERS).refusal == f"ADAUSDT is not traded now: the exchange says {status}."
    assert newest("BTCUSDT", Kind.FILTERS).content["step"] == "0.0001"


def test_an_unknown_symbol_is_named_and_takes_no_other_along(feeder: Feed) -> None:
    del feeder.exchange.info["ADAUSDT"]
    assert feeder.run().troubles == ()
    assert newest("ADAUSDT", Kind.FILTERS).refusal == "The exchange does not know ADAUSDT."
    assert newest("BTCUSDT", Kind.FILTERS).refusal == ""
    assert "Invalid symbol" in FollowedSeries.objects.get(symbol="ADAUSDT").trouble
    assert FollowedSeries.objects.get(symbol="ADAUSDT").complete_until is None


def test_a_symbol_without_a_perpetual_has_no_positioning_and_the_reason(feeder: Feed) -> None:
    for path in (FUNDING, RATIO, TAKER):
        feeder.exchange.script(path, double.error(-1121, "Invalid symbol."))
    assert feeder.run("BTCUSDT").troubles == ()
    assert "Invalid symbol" in newest("BTCUSDT", Kind.TAKER).refusal


def test_filters_that_change_are_listed_under_their_date_and_kept_as_they_were(feeder: Feed) -> None:
    feeder.run("BTCUSDT")
    feeder.exchange.info["BTCUSDT"]["filters"][1]["stepSize"] = "0.01"
    feeder.run("BTCUSDT", after=15 * MINUTE)
    steps = StoredReading.objects.filter(kind=Kind.FILTERS).order_by("known_at").values_list("content__step", flat=True)
    assert list(steps) == ["0.0001", "0.01"]
    listed = ListedSymbol.objects.get(name="BTCUSDT")
    assert (str(listed.value().step), listed.filters_as_of) == ("0.01", NOON.date())


# -- What is kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [lambda rows: rows.update(symbol="ETHUSDT"), lambda rows: rows.delete()])
def test_a_reading_can_be_neither_changed_nor_deleted_while_it_may_be_wanted(refused: Callable[[Any], int]) -> None:
    StoredReading.objects.create(symbol="BTCUSDT", kind="day", known_at=datetime.now(UTC), content={"last": "1"})
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        refused(StoredReading.objects.all())
    assert StoredReading.objects.get().content == {"last": "1"}


def test_readings_that_no_snapshot_can_want_are_forgotten(feeder: Feed) -> None:
    feeder.run("BTCUSDT")
    feeder.run("BTCUSDT", after=timedelta(days=4))
    assert StoredReading.objects.filter(kind=Kind.BOOK).count() == 1
    assert StoredReading.objects.filter(kind=Kind.FUNDING).count() == 2


def test_what_is_known_at_an_instant_is_what_was_read_by_then(feeder: Feed) -> None:
    feeder.run("BTCUSDT")
    before = feeder.exchange.now
    feeder.run("BTCUSDT", after=MINUTE)
    at = stored_readings("1h")
    then, now = at(["BTCUSDT"], before)["BTCUSDT"], at(["BTCUSDT"], before + MINUTE)["BTCUSDT"]
    assert (then.readings[Kind.BOOK].known_at, now.readings[Kind.BOOK].known_at) == (before, before + MINUTE)
    assert then.readings[Kind.BOOK].content != now.readings[Kind.BOOK].content
    assert at(["BTCUSDT"], NOON - HOUR)["BTCUSDT"].readings == {}
    assert now.from_double
