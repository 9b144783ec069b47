"""The account beside the ledgers: what agrees, what does not, and a wiped exchange that is noticed and survived."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from agents.core.roster import house
from competition import tasks
from competition.services.seasons import draft_season, open_season
from market.core.candles import from_ms
from portfolio.attempts import current_epoch
from portfolio.core.book import funding_journal
from portfolio.core.order_attempts import AttemptState
from portfolio.core.orders import Execution, Order, OrderState, Side
from portfolio.core.venue_fills import execution_of
from portfolio.core.venue_orders import RECV_WINDOW_MS, market_order, payload_of
from portfolio.models import ExchangeTrade, OrderAttempt, Portfolio, Reconciliation, VenueEpoch
from portfolio.reconciling import reconcile
from portfolio.services import order_row, post
from portfolio.testnet import Keys, Testnet
from tests.live.stage import SYMBOLS, weekly_rules
from tests.notation import HOUR_MS, D
from tests.portfolio.venue_notation import bought
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.server import venue_double

pytestmark = pytest.mark.django_db


class Clock:
    """The real time, or later."""

    ahead_ms = 0

    def __call__(self) -> int:
        return int(time.time() * 1000) + self.ahead_ms


class Desk:
    """An account, a portfolio that trades there, and the time of both; `trade` does what the executor does."""

    def __init__(self, venue: Venue, testnet: Testnet, clock: Clock) -> None:
        self.venue, self.testnet, self.clock = venue, testnet, clock
        self.portfolio = Portfolio.objects.create(key="season/entry", quote="USDT")
        post(self.portfolio, [funding_journal(D(10_000), "USDT", self.now)])

    @property
    def now(self) -> datetime:
        return from_ms(self.venue.now_ms())

    def trade(self, number: int, quantity: str = "0.5", side: Side = Side.BUY) -> OrderAttempt:
        """Send an order, find out what became of it, and keep that."""
        attempt = self.send(number, quantity, side)
        order = attempt.order.value()
        found = self.testnet.order(order.symbol, attempt.client_order_id)
        assert found is not None
        trades = self.testnet.trades(order.symbol, found.order_id)
        execution = execution_of(order, found, trades, attempt.epoch, attempt.client_order_id)
        assert isinstance(execution, Execution)
        for fill in execution.fills:
            ExchangeTrade.objects.create(
                attempt=attempt,
                symbol=fill.symbol,
                trade_id=fill.trade_id,
                quantity=fill.quantity,
                price=fill.price,
                quote_amount=fill.quote_amount,
                fee=fill.fee,
                fee_asset=fill.fee_asset,
                at=fill.at,
            )
        attempt.state, attempt.exchange_order_id = AttemptState.FILLED.value, found.order_id
        attempt.executed, attempt.quote_amount = found.executed, found.quote_total
        attempt.save()
        return attempt

    def send(self, number: int, quantity: str = "0.5", side: Side = Side.BUY) -> OrderAttempt:
        """An order under way: written and sent."""
        order = Order(f"oo-season-{number}", "BTCUSDT", side, D(quantity), D(100))
        row = order_row(self.portfolio, number, Execution(order, OrderState.NEW))
        row.save()
        name = f"{order.client_order_id}-1"
        payload = payload_of(market_order(order, name, self.venue.now_ms()))
        attempt = OrderAttempt.objects.create(
            order=row,
            number=1,
            epoch=current_epoch(self.now),
            client_order_id=name,
            claimed_at=self.now,
            payload=payload,
            timestamp_ms=self.venue.now_ms(),
            recv_window_ms=RECV_WINDOW_MS,
            state=AttemptState.SENDING.value,
            changed_at=self.now,
        )
        self.testnet.send(payload, name)
        return attempt

    def reconcile(self) -> Reconciliation:
        return reconcile(self.testnet, [self.portfolio.id], lambda: self.now)


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = Clock()
    with venue_double(clock) as venue:
        venue.set(prices={"BTCUSDT": "100"}, balances={"USDT": "100000", "BTC": "1", "ETH": "7"})
        with Testnet(Keys(KEY, SECRET), venue.url, clock=lambda: clock() / 1000) as testnet:
            yield Desk(venue, testnet, clock)


def kinds(row: Reconciliation) -> list[str]:
    return [f"{kind} {subject}" for kind, subject, _ in row.findings]


def line(row: Reconciliation, asset: str) -> dict[str, Any]:
    (found,) = [one for one in row.lines if one["asset"] == asset]
    return found


def test_an_account_that_our_trades_alone_moved_agrees(desk: Desk) -> None:
    desk.reconcile()
    desk.trade(1)
    desk.trade(2, "0.2", Side.SELL)
    row = desk.reconcile()
    assert (kinds(row), row.orders, row.trouble, row.is_wipe, row.epoch) == ([], 2, "", False, 1)
    assert line(row, "BTC") == {
        "asset": "BTC",
        "books": "0",
        "account": "1.2995",
        "moved": "0.2995",
        "unexplained": "0",
    }
    assert line(row, "USDT")["books"] == "10000"
    assert row.requests == 1 + 1 + 1, "time, orders of one symbol, account"


def test_the_first_look_judges_orders_only(desk: Desk) -> None:
    desk.trade(1)
    row = desk.reconcile()
    assert (kinds(row), line(row, "BTC")["unexplained"]) == ([], None)
    assert row.is_still


def test_a_trade_that_is_not_on_record_is_found_twice_over(desk: Desk) -> None:
    desk.reconcile()
    desk.trade(1)
    payload = payload_of(market_order(bought("0.1"), "web_by_hand", desk.venue.now_ms()))
    desk.testnet.send(payload, "web_by_hand")
    for _ in range(2):  # it stays a finding until somebody explains it
        row = desk.reconcile()
        assert kinds(row) == ["foreign web_by_hand", "unexplained BTC", "unexplained USDT"]
        assert line(row, "BTC")["unexplained"] == "0.0999"


def test_an_order_that_was_given_up_and_executed_all_the_same_is_an_orphan(desk: Desk) -> None:
    desk.reconcile()
    attempt = desk.send(1)
    attempt.state = AttemptState.NOT_PLACED.value
    attempt.save()
    row = desk.reconcile()
    assert kinds(row) == ["orphan oo-season-1-1", "unexplained BTC", "unexplained USDT"]


def test_while_an_order_is_under_way_balances_are_not_judged(desk: Desk) -> None:
    desk.reconcile()
    desk.send(1)
    row = desk.reconcile()
    assert (kinds(row), row.under_way, row.is_still) == ([], 1, False)
    assert line(row, "BTC")["unexplained"] is None


def test_a_wipe_is_noticed_begins_an_epoch_and_leaves_the_ledger_alone(desk: Desk) -> None:
    desk.reconcile()
    desk.trade(1)
    desk.clock.ahead_ms += HOUR_MS
    desk.venue.wipe()
    row = desk.reconcile()
    assert (row.is_wipe, row.epoch, kinds(row)) == (True, 2, [])
    assert line(row, "USDT")["books"] == "10000", "the season goes on from its ledger"
    assert VenueEpoch.objects.get(number=2).began_at == row.at
    assert not desk.reconcile().is_wipe, "it is noticed once"
    desk.trade(2)
    after = desk.reconcile()
    assert (kinds(after), after.epoch, after.orders) == ([], 2, 1)
    assert line(after, "BTC")["moved"] == "0.4995"
    ids = ExchangeTrade.objects.order_by("id").values_list("trade_id", flat=True)
    assert list(ids) == ["1-1", "2-1"], "the exchange counts from one again, and nothing collides"


def test_an_exchange_that_lost_an_order_and_kept_its_money_was_not_wiped(desk: Desk) -> None:
    desk.reconcile()
    desk.trade(1)
    desk.clock.ahead_ms += HOUR_MS
    next(iter(desk.venue.state.accounts.values())).orders.clear()
    row = desk.reconcile()
    assert (row.is_wipe, kinds(row), row.epoch) == (False, ["missing oo-season-1-1"], 1)


def test_an_order_of_just_now_that_is_not_shown_yet_is_no_wipe(desk: Desk) -> None:
    desk.reconcile()
    desk.trade(1)
    desk.venue.wipe()
    row = desk.reconcile()
    assert not row.is_wipe
    assert "missing oo-season-1-1" in kinds(row)


@pytest.mark.parametrize(
    ("line_", "fault", "said"),
    [
        ("GET /api/v3/account", faults.gateway(502), "HTTP 502"),
        ("GET /api/v3/time", faults.reset(), "no connection"),
        ("GET /api/v3/account", faults.says(-2015, "Invalid API-key, IP, or permissions for action.", 401), "-2015"),
    ],
)
def test_when_the_exchange_does_not_answer_nothing_is_said_of_the_account(
    desk: Desk, line_: str, fault: faults.Fault, said: str
) -> None:
    desk.trade(1)
    desk.venue.script(line_, fault)
    row = desk.reconcile()
    assert (row.findings_count, row.is_wipe, row.lines) == (0, False, [])
    assert said in row.trouble
    desk.reconcile()
    assert desk.reconcile().findings_count == 0, "a look that failed is nothing to judge by"


def test_a_look_is_appended_and_never_edited(desk: Desk) -> None:
    row = desk.reconcile()
    for change in (row.delete, lambda: Reconciliation.objects.update(findings_count=0)):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


# -- The doors ------------------------------------------------------------------------------------


@pytest.fixture
def account(desk: Desk, settings: Any) -> Desk:
    settings.BINANCE_API_KEY, settings.BINANCE_API_SECRET = KEY, SECRET
    settings.EXCHANGE_DOUBLE = desk.venue.url
    return desk


def command(**options: Any) -> str:
    out = StringIO()
    call_command("reconcile", stdout=out, **options)
    return out.getvalue()


def test_the_command_prints_a_table_or_json_and_counts_the_open_seasons_that_trade_there(account: Desk) -> None:
    for slug, execution in (("there", "testnet"), ("paper", "paper")):
        rules = weekly_rules(execution=execution, capital="5000")
        open_season(draft_season(slug, slug, rules, house(3, SYMBOLS)).id, rules.starts_at)
    told = command()
    assert "USDT" in told
    assert "65000" in told, "13 entries of 5000 in the season that trades there"
    assert "0 orders compared in epoch 1" in told
    as_json = json.loads(command(json=True))
    assert (as_json["findings_count"], as_json["trouble"]) == (0, None)
    assert {"asset": "ETH", "books": "0", "account": "7", "moved": "0", "unexplained": "0"} in as_json["assets"]
    assert SECRET not in told


def test_the_command_ends_with_1_when_anything_disagrees(account: Desk) -> None:
    command()
    account.venue.set(balances={"USDT": "99999", "BTC": "1", "ETH": "7"})
    with pytest.raises(CommandError, match=r"1 findings\. Nothing was changed\."):
        command()
    account.venue.script("GET /api/v3/account", faults.gateway(503))
    with pytest.raises(CommandError, match="HTTP 503"):
        command()


def test_without_keys_the_command_says_what_to_set(settings: Any) -> None:
    settings.BINANCE_API_KEY = settings.BINANCE_API_SECRET = ""
    with pytest.raises(CommandError, match="Set BINANCE_API_KEY and BINANCE_API_SECRET"):
        command()


def test_the_nightly_look_is_taken_only_where_something_trades(account: Desk) -> None:
    tasks.reconcile()
    assert not Reconciliation.objects.exists()
    account.trade(1)
    tasks.reconcile()
    assert Reconciliation.objects.get().orders == 1
