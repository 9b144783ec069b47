"""The client of the exchange's market data: it waits, tries again, or says in a sentence why it stops."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from market.asking import BODY_BYTES_MAX, Around
from market.binance import Binance
from market.core.answers import ExchangeError, Refused, RegionBlocked, StayAway, Unavailable, Unusable
from market.core.backoff import Backoff
from market.core.candles import Series, from_ms, to_ms
from market.core.exchange_info import NotTradable
from tests.market import exchange as double
from tests.market.exchange import DEPTH, INFO, KLINES, TIME, Exchange, exchange_double, info_row, price_at

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Time:
    """A clock that only sleeping moves, together with the exchange's."""

    exchange: Exchange
    ahead: timedelta = timedelta(0)
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return (self.exchange.now + self.ahead).timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.exchange.now += timedelta(seconds=seconds)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with exchange_double(NOON) as running:
        yield running


@pytest.fixture
def time(exchange: Exchange) -> Time:
    return Time(exchange)


@pytest.fixture
def client(exchange: Exchange, time: Time) -> Iterator[Binance]:
    around = Around(time.clock, time.sleep, jitter=lambda: 0.0)
    with Binance(exchange.url, around=around, backoff=Backoff(tries=4), timeout_s=5) as made:
        yield made


def hours(client: Binance, first: datetime, last: datetime, as_of: datetime = NOON) -> Series:
    return client.klines("BTCUSDT", "1h", to_ms(first), to_ms(last), as_of)


def opens(series: Series) -> list[datetime]:
    return [from_ms(at) for at in series.open_ms]


def test_making_a_client_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*args: object, **options: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", no_socket)
    Binance().close()


def test_nothing_is_asked_until_something_is_wanted(exchange: Exchange, client: Binance) -> None:
    assert exchange.requests == []
    assert client.server_time() == NOON
    assert [request.path for request in exchange.requests] == [TIME]


# -- Candles --------------------------------------------------------------------------------------


def test_candles_come_as_decimals_oldest_first(client: Binance) -> None:
    series = hours(client, NOON - 3 * HOUR, NOON - HOUR)
    assert opens(series) == [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON - HOUR]
    assert series.closes[0] == price_at("BTCUSDT", to_ms(NOON - 2 * HOUR))
    assert (type(series.closes[0]), series.volumes[0]) == (Decimal, Decimal("12.5"))


def test_a_question_for_candles_names_its_span_and_takes_a_thousand(exchange: Exchange, client: Binance) -> None:
    series = hours(client, NOON - 2000 * HOUR, NOON - HOUR)
    assert len(series) == 1000
    assert exchange.asked(KLINES) == [
        {
            "symbol": "BTCUSDT",
            "interval": "1h",
            "startTime": str(to_ms(NOON - 2000 * HOUR)),
            "endTime": str(to_ms(NOON - HOUR)),
            "limit": "1000",
        }
    ]


def test_the_open_candle_is_left_out(exchange: Exchange, client: Binance) -> None:
    exchange.now = NOON + HOUR / 2
    assert opens(hours(client, NOON - HOUR, NOON)) == [NOON - HOUR]
    assert len(hours(client, NOON, NOON)) == 0


def test_a_candle_counts_as_closed_a_moment_after_its_close_by_the_clock_of_the_exchange(client: Binance) -> None:
    assert client.closed_until() == NOON - timedelta(seconds=10)


def test_a_span_without_trade_has_no_candle(exchange: Exchange, client: Binance) -> None:
    exchange.holes.append(("BTCUSDT", NOON - 9 * HOUR, NOON))
    assert len(hours(client, NOON - 9 * HOUR, NOON - HOUR)) == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: [*rows, rows[-1]], r"line 4: open_time .* is there twice"),
        (lambda rows: rows[::-1], "candles must be oldest first"),
        (lambda rows: [[*rows[0][:2], "1.0", *rows[0][3:]]], "high 1.0 is below"),
        (lambda rows: [[*rows[0][:4], "-5", *rows[0][5:]]], "not all are above zero"),
        (lambda rows: [[*rows[0][:4], "1e2", *rows[0][5:]]], "written with an exponent"),
        (lambda rows: [[*rows[0][:4], 105.5, *rows[0][5:]]], "value 5 of row 1 is not text"),
        (lambda rows: [[str(rows[0][0]), *rows[0][1:]]], "value 1 of row 1 is not a whole number"),
        (lambda rows: [[True, *rows[0][1:]]], "value 1 of row 1 is not a whole number"),
        (lambda rows: [[*rows[0][:4], "1,5", *rows[0][5:]]], "value 5 of row 1 is not a number"),
        (lambda rows: [rows[0][:11]], "row 1 is not a list of 12 values"),
        (lambda rows: {"rows": rows}, "not a list of at most 1000 candles"),
        (lambda rows: rows * 400, "not a list of at most 1000 candles"),
        (lambda rows: [[rows[0][0] + 1, *rows[0][1:]]], "not at the start of a candle"),
        (lambda rows: [double.row("BTCUSDT", rows[0][0] - 3_600_000, 3_600_000)], "not asked for"),
        (lambda rows: [double.row("BTCUSDT", rows[-1][0] + 3_600_000, 3_600_000)], "not asked for"),
    ],
)
def test_candles_that_make_no_sense_are_refused_with_the_reason(
    exchange: Exchange, client: Binance, change: object, why: str
) -> None:
    exchange.script(KLINES, double.edited(change))  # type: ignore[arg-type]
    with pytest.raises(Unusable, match=why):
        hours(client, NOON - 6 * HOUR, NOON - 4 * HOUR)


# -- What may pass --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [double.status(500), double.status(502), double.status(503), double.cut_off, double.hung_up, double.reset],
    ids=["500", "502", "503", "half a body", "half of what was promised", "reset"],
)
def test_what_may_pass_is_tried_again(exchange: Exchange, client: Binance, time: Time, trouble: double.Trouble) -> None:
    connections = 2 if trouble is double.reset else 1  # aiohttp itself asks again where a connection broke
    exchange.script(KLINES, *[trouble] * connections * 2)
    assert len(hours(client, NOON - 3 * HOUR, NOON - HOUR)) == 3
    assert time.slept == [1, 2]


def test_silence_is_tried_again_after_the_time_limit(exchange: Exchange, time: Time) -> None:
    exchange.script(TIME, double.silent)
    with Binance(exchange.url, around=Around(time.clock, time.sleep, lambda: 0.5), timeout_s=0.2) as client:
        assert client.server_time() == NOON + timedelta(seconds=0.75)
    assert time.slept == [0.75]


def test_after_the_last_try_the_last_reason_is_told(exchange: Exchange, client: Binance, time: Time) -> None:
    exchange.script(TIME, double.status(500), double.hung_up, double.cut_off, double.status(503))
    with pytest.raises(Unavailable, match="asked 4 times for /api/v3/time, at last: HTTP 503"):
        client.server_time()
    assert time.slept == [1, 2, 4]


def test_nobody_there_is_told_after_the_last_try(time: Time) -> None:
    with exchange_double(NOON) as gone:
        url = gone.url
    with (
        Binance(url, around=Around(time.clock, time.sleep), backoff=Backoff(tries=2)) as client,
        pytest.raises(Unavailable, match=r"asked 2 times .* no connection, or a broken one"),
    ):
        client.server_time()


@pytest.mark.parametrize("code", [429, 418])
def test_retry_after_is_waited_for_to_the_second(exchange: Exchange, client: Binance, time: Time, code: int) -> None:
    exchange.script(KLINES, double.status(code, retry_after="17"))
    assert len(hours(client, NOON - 3 * HOUR, NOON - HOUR)) == 3
    assert time.slept == [17]


@pytest.mark.parametrize(("code", "seconds"), [(429, 60), (418, 120)])
@pytest.mark.parametrize("told", [None, "soon", "-5", "1e9"])
def test_without_a_readable_retry_after_the_usual_time_is_waited(
    exchange: Exchange, client: Binance, time: Time, code: int, seconds: int, told: str | None
) -> None:
    exchange.script(TIME, double.status(code, retry_after=told))
    client.server_time()
    assert time.slept == [seconds]


def test_a_long_ban_is_told_and_not_slept_through(exchange: Exchange, client: Binance, time: Time) -> None:
    exchange.script(TIME, double.status(418, retry_after="259200"))
    with pytest.raises(StayAway, match="stay away for 259200 seconds") as told:
        client.server_time()
    assert (told.value.seconds, time.slept, len(exchange.requests)) == (259_200, [], 1)


# -- What does not pass ---------------------------------------------------------------------------


def test_a_blocked_region_gets_a_sentence(exchange: Exchange, client: Binance, time: Time) -> None:
    exchange.script(TIME, double.error(0, "Service unavailable from a restricted location", http=451))
    with pytest.raises(RegionBlocked, match=r"does not serve this region \(HTTP 451\)"):
        client.server_time()
    assert (time.slept, len(exchange.requests)) == ([], 1)


def test_an_unknown_symbol_is_refused_once_with_the_code_of_the_exchange(exchange: Exchange, client: Binance) -> None:
    with pytest.raises(Refused, match=r"HTTP 400: Invalid symbol\. \(code -1121\)") as refused:
        client.klines("NOPEUSDT", "1h", to_ms(NOON - HOUR), to_ms(NOON - HOUR), NOON)
    assert (refused.value.code, len(exchange.requests)) == (-1121, 1)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (double.status(403), "firewall"),
        (double.status(404), "it gave no reason"),
        (double.status(400, body=b'{"code": "x", "msg": "a\\nb\\u001b[31m"}'), r"HTTP 400: a b \[31m"),
        (double.redirect("https://example.com/"), "another address, which is never followed"),
    ],
)
def test_a_refusal_is_not_tried_again(
    exchange: Exchange, client: Binance, time: Time, trouble: double.Trouble, why: str
) -> None:
    exchange.script(TIME, trouble)
    with pytest.raises(Refused, match=why):
        client.server_time()
    assert (time.slept, len(exchange.requests)) == ([], 1)


def test_a_redirect_within_the_double_is_not_followed_either(exchange: Exchange, client: Binance) -> None:
    exchange.script(TIME, double.redirect(f"{exchange.url}{INFO}"))
    with pytest.raises(Refused):
        client.server_time()
    assert [request.path for request in exchange.requests] == [TIME]


def test_no_more_is_read_than_the_limit(exchange: Exchange, client: Binance) -> None:
    exchange.script(TIME, double.endless)
    with pytest.raises(ExchangeError, match=f"more than {BODY_BYTES_MAX} bytes"):
        client.server_time()


@pytest.mark.parametrize("answer", [[], {}, {"serverTime": "1"}, {"serverTime": True}, {"serverTime": -1}, 7])
def test_a_time_that_is_none_is_refused(exchange: Exchange, client: Binance, answer: object) -> None:
    exchange.script(TIME, double.edited(lambda good: answer))
    with pytest.raises(Unusable, match="no serverTime"):
        client.server_time()


# -- Weight ---------------------------------------------------------------------------------------


def test_half_of_the_limit_is_left_to_others(exchange: Exchange, client: Binance, time: Time) -> None:
    exchange.weight_limit = 60
    client.symbols(["BTCUSDT"])  # 20, and tells the limit of 60
    for _ in range(6):
        hours(client, NOON - HOUR, NOON - HOUR)  # five of them make 30, the sixth does not fit
    assert time.slept == [60]
    assert exchange.weight_used == 2


def test_weight_that_others_used_is_counted_too(exchange: Exchange, client: Binance, time: Time) -> None:
    client.server_time()
    exchange.weight_used += 2998
    client.server_time()
    exchange.now += timedelta(seconds=45)
    client.server_time()
    assert time.slept == [15]


def test_however_much_is_asked_the_exchange_never_has_to_refuse(
    exchange: Exchange, client: Binance, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.weight_limit = 100
    client.symbols(["BTCUSDT"])
    for _ in range(200):
        client.server_time()  # 50 in a minute
    assert set(time.slept) == {60}
    assert [record for record in caplog.records if "429" in record.getMessage()] == []


def test_over_the_limit_the_exchange_refuses_and_its_wait_is_kept(
    exchange: Exchange, client: Binance, time: Time
) -> None:
    exchange.weight_limit = 30
    exchange.now += timedelta(seconds=20)
    for _ in range(16):
        hours(client, NOON - HOUR, NOON - HOUR)
    assert time.slept == [40]


# -- Clock, statistics, order book ---------------------------------------------------------------


@pytest.mark.parametrize("ahead_ms", [-90_000, -1, 0, 1, 90_000])
def test_the_offset_turns_our_clock_into_that_of_the_exchange(client: Binance, time: Time, ahead_ms: int) -> None:
    time.ahead = timedelta(milliseconds=ahead_ms)
    assert client.clock_offset_ms() == -ahead_ms


def test_a_time_that_came_after_a_pause_is_asked_for_again(exchange: Exchange, client: Binance, time: Time) -> None:
    exchange.script(TIME, double.status(503))
    assert client.clock_offset_ms() == 0
    assert (time.slept, len(exchange.requests)) == ([1], 3)


def test_a_clock_that_cannot_be_compared_is_told(exchange: Exchange, client: Binance) -> None:
    exchange.script(TIME, *[double.status(503), double.edited(lambda good: good)] * 4)
    with pytest.raises(Unavailable, match="did not tell its time within 500 ms"):
        client.clock_offset_ms()


def test_statistics_are_those_of_the_last_day(client: Binance) -> None:
    day, candles = client.day_statistics("BTCUSDT"), hours(client, NOON - 24 * HOUR, NOON - HOUR)
    assert (day.high, day.low, day.last) == (max(candles.highs), min(candles.lows), candles.closes[-1])
    assert (day.volume, day.until) == (sum(candles.volumes), NOON)
    assert day.change_pct == round((candles.closes[-1] / candles.opens[0] - 1) * 100, 3)


def test_an_order_book_has_the_best_prices_first(exchange: Exchange, client: Binance) -> None:
    book = client.order_book("BTCUSDT", levels=3)
    price = price_at("BTCUSDT", to_ms(NOON))
    cents = [Decimal(n) / 100 for n in (1, 2, 3)]
    assert [level.price for level in book.bids] == [price - cent for cent in cents]
    assert [level.price for level in book.asks] == [price + cent for cent in cents]
    assert exchange.asked(DEPTH) == [{"symbol": "BTCUSDT", "limit": "3"}]


def test_an_empty_order_book_is_refused(exchange: Exchange, client: Binance) -> None:
    exchange.books["BTCUSDT"] = {"lastUpdateId": 1, "bids": [], "asks": [["10.00", "1.0"]]}
    with pytest.raises(Unusable, match="order book of BTCUSDT has no bids"):
        client.order_book("BTCUSDT")


# -- Exchange information -------------------------------------------------------------------------


def test_filters_are_those_of_lot_size_price_filter_and_notional(client: Binance) -> None:
    found = client.symbols(["ETHUSDT", "BTCUSDT"])
    assert list(found) == ["ETHUSDT", "BTCUSDT"]
    eth = found["ETHUSDT"]
    assert (eth.base, eth.quote, eth.step, eth.tick) == ("ETH", "USDT", Decimal("0.0001"), Decimal("0.01"))
    assert (eth.min_quantity, eth.max_quantity, eth.min_notional) == (Decimal("0.0001"), Decimal(9000), Decimal(5))


def test_symbols_are_asked_for_together(exchange: Exchange, client: Binance) -> None:
    client.symbols(["BTCUSDT", "ETHUSDT"])
    assert exchange.asked(INFO) == [{"symbols": '["BTCUSDT","ETHUSDT"]'}]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "BREAK"}, "BTCUSDT is not traded now: the exchange says BREAK"),
        ({"status": "CANCEL_ONLY"}, "BTCUSDT is not traded now: the exchange says CANCEL_ONLY"),
        ({"isSpotTradingAllowed": False}, "not for spot trading"),
    ],
)
def test_a_symbol_that_cannot_be_traded_is_refused(
    exchange: Exchange, client: Binance, changes: dict[str, object], why: str
) -> None:
    exchange.info["BTCUSDT"] = info_row("BTCUSDT", "BTC", **changes)
    with pytest.raises(NotTradable, match=why):
        client.symbols(["BTCUSDT"])


def test_an_answer_about_other_symbols_is_refused(exchange: Exchange, client: Binance) -> None:
    exchange.info["BTCUSDT"] = info_row("ETHUSDT", "ETH")
    with pytest.raises(Unusable, match="not about the symbols"):
        client.symbols(["BTCUSDT"])
