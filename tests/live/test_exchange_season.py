"""A season on the exchange's own market: it waits for the feed, freezes what was known, and fills through the book."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test.utils import override_settings
from pytest_django import DjangoDbBlocker

from agents.core.roster import house
from competition.core.play import Contestant, play
from competition.core.rules import Rules
from competition.core.schedule import boundary
from competition.core.states import CycleState, TurnState
from competition.models import Cycle, Season
from competition.services.feeding import followed_series
from competition.services.markets import candles_of, readings_of
from competition.services.playing import contestants_for
from competition.services.seasons import SeasonRefused, draft_season, open_season
from market.asking import Around
from market.core.readings import Kind
from market.feed import refresh
from market.models import StoredReading
from portfolio.core.book import postings_text
from portfolio.models import Fill, Order
from tests.databases import fresh_copy
from tests.live.audit import faults
from tests.live.stage import FEW, SEED, SYMBOLS, Stage, weekly_rules
from tests.live.test_parity import ledger_text
from tests.market import exchange as double
from tests.market.exchange import FUNDING, INTEREST, RATIO, TAKER, TIME, Exchange, exchange_double
from tests.notation import at

MONDAY = at("2025-05-05 00:00")
MINUTE = timedelta(minutes=1)
ENTRIES = house(SEED, SYMBOLS)[:4]
POSITIONING = (FUNDING, INTEREST, RATIO, TAKER)


@dataclass
class Floor:
    """A stage and the exchange behind it, on one clock."""

    exchange: Exchange
    stage: Stage

    def feed(self, at: datetime) -> None:
        self.exchange.now = at
        around = Around(lambda: self.exchange.now.timestamp(), self._sleep, jitter=lambda: 0.0)
        refresh(followed_series(at), self.exchange.url, around)

    def _sleep(self, seconds: float) -> None:
        self.exchange.now += timedelta(seconds=seconds)

    def play_cycle(self, number: int) -> Cycle:
        """The feed each minute around the boundary and the deadline, and the ticks in between."""
        due = boundary(self.stage.season.rule_book, number)
        for start in (due, self.stage.deadline(number)):
            for minute in (-1, 1):
                self.feed(start + minute * MINUTE)
            for second in (61, 62, 63):
                self.stage.tick(start + timedelta(seconds=second))
        return self.stage.cycle(number)


def exchange_rules(**changes: object) -> Rules:
    given = {"market_source": "binance", "market_starts_at": MONDAY, "starts_at": MONDAY, "cycles": 2}
    return weekly_rules(**{**given, **changes})


@contextmanager
def fetched_market() -> Iterator[Exchange]:
    """An exchange, from which the market is fetched until the block ends."""
    with (
        exchange_double(MONDAY - timedelta(hours=1)) as running,
        override_settings(EXCHANGE_DOUBLE=running.url, MARKET_DATA="binance"),
    ):
        yield running


@pytest.fixture
def exchange(own_database: str) -> Iterator[Exchange]:
    with fetched_market() as running:
        yield running


@pytest.fixture
def floor(exchange: Exchange) -> Floor:
    return opened(exchange, exchange_rules())


@pytest.fixture(scope="module")
def played(migrated_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    """A season in which one cycle was played, shared by tests that leave it as it is."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template):
        with fetched_market() as exchange:
            floor = opened(exchange, exchange_rules())
            floor.play_cycle(1)
        yield floor.stage


def opened(exchange: Exchange, rules: Rules) -> Floor:
    season = draft_season("stage", "On the exchange", rules, ENTRIES)
    floor = Floor(exchange, Stage(season, MONDAY))
    floor.feed(MONDAY - timedelta(minutes=2))
    floor.stage.season = open_season(season.id, MONDAY - MINUTE)
    return floor


def off_because(cycle: Cycle) -> dict[str, str]:
    assert cycle.snapshot
    return cycle.snapshot.content["off_because"]


# -- What is frozen ---------------------------------------------------------------------------------


def test_a_cycle_waits_until_the_feed_has_asked_for_the_time_of_the_snapshot(floor: Floor) -> None:
    floor.stage.tick(MONDAY)
    cycle = floor.stage.cycle(1)
    assert (cycle.state, cycle.snapshot) == (CycleState.BRIEFING, None)
    assert "BTCUSDT: the exchange was asked for candles only up to 2025-05-04T23:57:50Z" in cycle.reason
    floor.feed(MONDAY + timedelta(seconds=5))  # the newest candle may still change
    floor.stage.tick(MONDAY + timedelta(seconds=6))
    assert floor.stage.cycle(1).snapshot is None
    floor.feed(MONDAY + MINUTE)
    floor.stage.tick(MONDAY + timedelta(seconds=61))
    snapshot = floor.stage.cycle(1).snapshot
    assert snapshot
    assert (snapshot.as_of, snapshot.content["symbols"]["BTCUSDT"]["priced_at"]) == (MONDAY, "2025-05-05T00:00:00Z")


def test_the_snapshot_holds_what_was_known_at_its_instant_and_not_what_came_a_minute_later(played: Stage) -> None:
    cycle = played.cycle(1)
    assert cycle.snapshot
    row = cycle.snapshot.content["symbols"]["ETHUSDT"]
    assert row["book"]["known_at"] == "2025-05-04T23:59:00Z"
    assert set(row["book"]) == {"known_at", "bid", "ask", "spread_bps", "bids_worth", "asks_worth"}
    assert row["positioning"][Kind.FUNDING]["rate"] == "0.0001"
    assert row["day"]["until"] == "2025-05-04T23:00:00Z"
    assert (cycle.snapshot.content["off"], cycle.snapshot.content["halted"]) == ([], {})
    assert cycle.snapshot.content["source"] == "exchange double", "what is simulated says so"


def test_every_entry_is_shown_the_positioning_and_none_the_levels_of_the_book(played: Stage) -> None:
    cycle = played.cycle(1)
    for turn in cycle.turns.select_related("brief"):
        market = turn.brief.content["market"]
        assert market["symbols"]["BTCUSDT"]["positioning"]["taker"]["bought"] == "387.33"
        assert "depth" not in market["symbols"]["BTCUSDT"]


def test_a_source_that_is_stale_is_off_with_the_reason_and_the_cycle_goes_on(floor: Floor) -> None:
    for path in POSITIONING:
        floor.exchange.script(path, *[double.status(503)] * 200)
    floor.feed(MONDAY + timedelta(minutes=30) - timedelta(hours=1))
    cycle = floor.play_cycle(1)
    assert cycle.state == CycleState.CLOSED
    assert "positioning" not in off_because(cycle), "two minutes old is good enough"
    second = floor.play_cycle(2)
    assert second.state == CycleState.CLOSED
    assert off_because(second)["positioning"].startswith("nothing of it is known")


@pytest.mark.parametrize(
    ("book", "why"),
    [
        ({"bids": [], "asks": [["100.00", "1"]]}, "The order book of BTCUSDT has no bids."),
        ({"bids": [["100.01", "1"]], "asks": [["100.00", "1"]]}, "The order book of BTCUSDT is crossed"),
    ],
)
def test_an_empty_or_crossed_book_is_off_and_never_traded_on(floor: Floor, book: dict[str, Any], why: str) -> None:
    floor.exchange.books["BTCUSDT"] = book
    cycle = floor.play_cycle(1)
    assert off_because(cycle)["order book of BTCUSDT"].startswith(why)
    assert cycle.trade_snapshot
    bitcoin = cycle.trade_snapshot.content["symbols"]["BTCUSDT"]
    assert "depth" not in bitcoin
    assert bitcoin["priced_at"] == "2025-05-05T01:00:00Z", "the newest closed candle, as without a book"
    assert {fill.price for fill in Fill.objects.filter(symbol="BTCUSDT", order__side="buy")} == {
        Decimal(bitcoin["price"]) * Decimal("1.0005")
    }


def test_a_halted_symbol_keeps_its_price_is_said_to_be_halted_and_is_not_traded(floor: Floor) -> None:
    first = floor.play_cycle(1)
    assert (first.state, Fill.objects.filter(symbol="ADAUSDT").exists()) == (CycleState.CLOSED, True)
    floor.exchange.info["ADAUSDT"]["status"] = "HALT"
    second = floor.play_cycle(2)
    assert second.snapshot
    assert second.snapshot.content["halted"] == {
        "ADAUSDT": "ADAUSDT is not traded now: the exchange says HALT.",
    }
    assert second.snapshot.content["symbols"]["ADAUSDT"]["price"]
    orders = Order.objects.filter(symbol="ADAUSDT", cycle_number=2)
    assert set(orders.values_list("state", flat=True)) <= {"rejected"}
    assert not second.turns.exclude(state=TurnState.SETTLED).exists()


def test_a_region_that_is_blocked_holds_the_cycle_and_says_why_in_public(floor: Floor) -> None:
    floor.exchange.script(TIME, *[double.status(451)] * 50)
    floor.feed(MONDAY + MINUTE)
    floor.stage.tick(MONDAY + timedelta(seconds=61))
    floor.stage.tick(floor.stage.deadline(1))
    cycle = floor.stage.cycle(1)
    assert cycle.state == CycleState.HELD
    assert "The exchange does not serve this region (HTTP 451)" in cycle.reason


# -- What is traded ---------------------------------------------------------------------------------


def test_orders_walk_the_book_recorded_before_the_deadline_and_after_the_brief(played: Stage) -> None:
    cycle = played.cycle(1)
    assert cycle.trade_snapshot
    row = cycle.trade_snapshot.content["symbols"]["BTCUSDT"]
    assert row["depth"]["known_at"] == row["priced_at"] == "2025-05-05T00:59:00Z"
    best = row["depth"]["asks"][0][0]
    order = Order.objects.filter(symbol="BTCUSDT", side="buy").first()
    assert order
    fills = list(order.fills.order_by("price"))
    # the double offers half a coin at each cent
    assert (fills[0].price, fills[0].quantity) == (Decimal(best), Decimal("0.5"))
    assert fills[1].price - fills[0].price == Decimal("0.01")
    assert order.reference_price == Decimal(row["price"])


def test_memory_and_the_live_services_leave_the_same_postings(exchange: Exchange) -> None:
    days = {"cycle_s": 86_400, "market_cycle_s": 86_400, "late_s": 3600}  # the feed forgets its books after three days
    floor = opened(exchange, exchange_rules(**days))
    for number in (1, 2):
        floor.play_cycle(number)
    rules = floor.stage.season.rule_book
    contestants: list[Contestant] = contestants_for(ENTRIES)
    symbols = floor.stage.season.symbol_book
    played = play("stage", rules, symbols, contestants, candles_of(rules), readings=readings_of(rules))
    expected = {f"stage/{slug}": postings_text(f"stage/{slug}", journals) for slug, journals in played.journals.items()}
    assert ledger_text("stage") == expected
    assert Fill.objects.filter(trade_id__endswith="/2").exists(), "some order went beyond the first level"


def test_the_audit_finds_no_fault(played: Stage) -> None:
    assert faults(played.season, MONDAY + timedelta(hours=3)) == []


# -- Opening ----------------------------------------------------------------------------------------


def draft(name: str = "draft", **changes: object) -> Season:
    return draft_season(name, "A draft", exchange_rules(**changes), ENTRIES)


def test_a_season_on_the_exchange_opens_only_where_the_market_is_fetched(exchange: Exchange, settings: Any) -> None:
    settings.MARKET_DATA = "stored"
    with pytest.raises(SeasonRefused, match="MARKET_DATA=stored here fetches nothing"):
        open_season(draft().id, MONDAY)


def test_it_opens_only_with_exchange_information_of_the_last_hour(exchange: Exchange) -> None:
    season = draft()
    with pytest.raises(SeasonRefused, match="BTCUSDT: exchange information: nothing of it is known"):
        open_season(season.id, MONDAY)
    floor = Floor(exchange, Stage(season, MONDAY))
    floor.feed(MONDAY - timedelta(minutes=61))
    with pytest.raises(
        SeasonRefused, match=r"the newest is of 2025-05-04T22:59:00Z, older than 1:00:00\. The feed reads"
    ):
        open_season(season.id, MONDAY)
    floor.feed(MONDAY)
    assert open_season(season.id, MONDAY).symbol_book["BTCUSDT"].step == Decimal("0.0001"), "the filters of today"


def test_it_does_not_open_with_a_symbol_that_is_halted(exchange: Exchange) -> None:
    exchange.info["SOLUSDT"]["status"] = "BREAK"
    season = draft()
    Floor(exchange, Stage(season, MONDAY)).feed(MONDAY)
    with pytest.raises(SeasonRefused, match="SOLUSDT is not traded now: the exchange says BREAK"):
        open_season(season.id, MONDAY)


def test_a_snapshot_frozen_before_there_were_readings_keeps_its_content(own_database: str) -> None:
    stage = Stage.set(profiles=FEW)
    stage.play_cycle(1)
    cycle = stage.cycle(1)
    assert cycle.snapshot
    assert cycle.snapshot.content["off"] == ["order book", "positioning"]
    assert not {"off_because", "halted"} & set(cycle.snapshot.content)
    assert not StoredReading.objects.exists()
