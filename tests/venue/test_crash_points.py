"""An executor killed at every step of an order: the exchange executes it once, and the ledger has what it says."""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.process import BaseProcess

import pytest
from django.db import connection

from agents.core.roster import Profile
from competition.core.states import CycleState
from competition.models import Cycle
from competition.services import asking, trading
from competition.services.markets import candles_of, readings_of
from market.core.canonical import plain
from portfolio.core.book import Book
from portfolio.exchange_models import ExchangeTrade, OrderAttempt
from portfolio.models import Fill, Order
from portfolio.queries import book_of
from portfolio.testnet import Keys, Testnet
from tests.live.stage import Stage, weekly_rules
from tests.support_engines import PATIENCE_S, until
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.executor import carry_on
from tests.venue.server import venue_double

UNIVERSE = ("BTCUSDT", "ETHUSDT")
POINTS = (
    *("before the write", "after the write", "before sending", "after the answer", "between fills"),
    *("before the order ends", "after the order ended", "before settling", "after settling"),
)
LATER = (1.2, 12, 14, 16, 18, 20)  # minutes: the lease, the quiet time, two looks, another attempt
pytestmark = pytest.mark.processes


@pytest.fixture
def cycle(own_database: str) -> Cycle:
    """A cycle of one entry that shall buy two symbols at the exchange, at its real instant."""
    starts_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=60, seconds=30)
    rules = weekly_rules(
        universe=UNIVERSE,
        execution="testnet",
        fills="venue",
        slippage_bps="50",
        drift_band="0.02",
        starts_at=starts_at,
        market_starts_at=starts_at,
    )
    stage = Stage.set(rules, (Profile("equal-weight", "Equal", "baseline", "baseline/equal-weight", {}),))
    stage.tick(starts_at)
    stage.tick(starts_at + timedelta(seconds=1))
    cycle = stage.cycle(1)
    deadline = cycle.deadline_at
    asking.end_asking(cycle.id, deadline, trading.planned_trade_time)
    trading.freeze_trade_prices(cycle.id, deadline, candles_of(rules), readings_of(rules))
    cycle.refresh_from_db()
    return cycle


@pytest.fixture
def venue(cycle: Cycle) -> Iterator[Venue]:
    with venue_double() as venue:
        assert cycle.trade_snapshot is not None
        rows = cycle.trade_snapshot.content["symbols"]
        venue.set(prices={name: row["price"] for name, row in rows.items()})
        yield venue


def executor(cycle: Cycle, venue: Venue, point: str, *minutes: float) -> BaseProcess:
    """A process that has nothing of this one: it is forked from a server that has only loaded the program."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.venue.executor"])
    database = connection.settings_dict["NAME"]
    process = server.Process(target=carry_on, args=(database, cycle.id, venue.url, point, minutes))
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    process.join(PATIENCE_S)
    return process.exitcode


def finish(cycle: Cycle, venue: Venue) -> None:
    """Another executor starts where the killed one left off."""
    assert ended(executor(cycle, venue, "", *LATER)) == 0
    cycle.refresh_from_db()
    assert cycle.state == CycleState.CLOSED


def check_once(cycle: Cycle, venue: Venue, before: dict[str, Decimal]) -> None:
    """One execution for each order, and the book moved by exactly what moved the account."""
    accepted = Counter(client_id.rsplit("-", 2)[0] for client_id in venue.told()["sends"])
    orders = list(Order.objects.order_by("id"))
    assert [order.symbol for order in orders] == list(UNIVERSE)
    assert accepted == {order.client_order_id: 1 for order in orders}
    with Testnet(Keys(KEY, SECRET), venue.url) as account:
        after = account.balances()
        for order in orders:
            (attempt,) = OrderAttempt.objects.filter(order=order, exchange_order_id__isnull=False)
            theirs = account.trades(order.symbol, int(attempt.exchange_order_id or 0))
            ours = [(f"1-{trade.trade_id}", trade.quantity, trade.fee) for trade in theirs]
            assert list(Fill.objects.filter(order=order).values_list("trade_id", "quantity", "fee")) == ours
    assert set(Order.objects.values_list("state", flat=True)) == {"filled"}
    assert ExchangeTrade.objects.count() == Fill.objects.count()
    book: Book = book_of(orders[0].portfolio_id)
    for asset in ("USDT", "BTC", "ETH"):
        start = Decimal(10_000) if asset == "USDT" else Decimal(0)
        moved = after.get(asset, Decimal(0)) - before.get(asset, Decimal(0))
        assert plain(book.of(asset) - start) == plain(moved), asset


def balances(venue: Venue) -> dict[str, Decimal]:
    with Testnet(Keys(KEY, SECRET), venue.url) as account:
        return dict(account.balances())


@pytest.mark.parametrize("point", POINTS)
def test_an_executor_killed_on_the_way_leaves_one_execution(cycle: Cycle, venue: Venue, point: str) -> None:
    before = balances(venue)
    assert ended(executor(cycle, venue, point, 0)) == -signal.SIGKILL
    finish(cycle, venue)
    check_once(cycle, venue, before)


def test_an_executor_killed_while_it_waits_for_the_answer_leaves_one_execution(cycle: Cycle, venue: Venue) -> None:
    before = balances(venue)
    venue.script("POST /api/v3/order", faults.silent(executed=True))
    process = executor(cycle, venue, "", 0)
    until(lambda: len(venue.told()["sends"]) == 1, "the exchange to execute the order")
    process.kill()
    assert ended(process) == -signal.SIGKILL
    finish(cycle, venue)
    check_once(cycle, venue, before)
