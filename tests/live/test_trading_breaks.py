"""Trading breaks off anywhere: nothing is lost or repeated, and what does not add up is set aside in public."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.utils import OperationalError

from competition.core.states import CycleState, TurnState
from competition.models import Cycle, Standing, Turn
from competition.services import asking, cycles, settling, ticking, trading
from competition.services.cycles import Setting
from market.core.snapshot import Snapshot
from portfolio.core.book import Book
from portfolio.core.brokers import Broker, OutcomeUnknown, PaperBroker
from portfolio.core.orders import Execution, Order
from portfolio.models import Journal, Portfolio
from portfolio.models import Order as OrderRow
from tests.live.stage import Stage, facts, turn_of

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class Power:
    """A paper broker whose power can fail: after `orders` orders the next one raises `outage`."""

    def __init__(self, orders: int, outage: Exception) -> None:
        self.left = orders
        self.outage = outage
        self.placed: list[str] = []

    def __call__(self, snapshot: Snapshot, setting: Setting) -> Broker:
        self.paper = PaperBroker(snapshot.prices, setting.symbols, setting.rules.costs, snapshot.as_of)
        return self

    @property
    def venue(self) -> str:
        return "paper"

    def place(self, order: Order) -> Execution:
        if self.left == 0:
            raise self.outage
        self.left -= 1
        self.placed.append(order.client_order_id)
        return self.paper.place(order)


def to_trading(stage: Stage) -> Cycle:
    """Cycle 1 with everybody's verdict in and the trade prices frozen."""
    stage.tick(stage.now)
    stage.tick(stage.now + SECOND)
    stage.now = stage.deadline(1)
    cycle = stage.cycle(1)
    asking.end_asking(cycle.id, stage.now, trading.planned_trade_time)
    trading.freeze_trade_prices(cycle.id, stage.now, ticking.candles_of(stage.season.rule_book))
    return cycle


def board(stage: Stage) -> list[tuple[str, Decimal]]:
    rows = Standing.objects.filter(cycle__season=stage.season).order_by("position")
    return list(rows.values_list("entry__slug", "value"))


@pytest.fixture(scope="module")
def undisturbed(played_stage: Stage) -> list[tuple[str, Decimal]]:
    """The board after a first cycle in which nothing failed."""
    return board(played_stage)


@pytest.mark.parametrize("orders", range(0, 17, 3))  # there are 17
def test_power_that_fails_between_orders_loses_none_and_repeats_none(
    undisturbed: list[tuple[str, Decimal]], stage: Stage, orders: int
) -> None:
    cycle = to_trading(stage)
    power = Power(orders, OperationalError("server closed the connection unexpectedly"))
    with pytest.raises(OperationalError):
        trading.trade_cycle(cycle.id, stage.clock, power)

    stage.tick(stage.deadline(1) + timedelta(seconds=61))  # the broken lease has run out
    assert stage.cycle(1).state == CycleState.CLOSED
    assert not set(power.placed) - set(OrderRow.objects.values_list("client_order_id", flat=True))
    assert OrderRow.objects.filter(client_order_id__in=power.placed, state="filled").count() == orders
    assert board(stage) == undisturbed


def test_an_order_of_unknown_outcome_is_waited_for_while_the_others_trade(stage: Stage) -> None:
    cycle = to_trading(stage)
    assert not trading.trade_cycle(cycle.id, stage.clock, Power(2, OutcomeUnknown("no answer")))
    waiting = cycle.turns.filter(state=TurnState.DECIDED)
    assert waiting.exists()
    assert cycle.turns.filter(state=TurnState.SETTLED, entry__slug="all-cash").exists()
    stage.tick(stage.deadline(1) + timedelta(seconds=61))
    assert stage.cycle(1).state == CycleState.CLOSED


def test_a_turn_that_cannot_be_carried_out_is_set_aside_and_the_cycle_ends(stage: Stage) -> None:
    cycle = to_trading(stage)
    broken = Power(0, RuntimeError("a bug"))
    trading.trade_cycle(cycle.id, stage.clock, broken)
    stage.now = stage.deadline(1) + 2 * HOUR + timedelta(minutes=2)
    assert trading.trade_cycle(cycle.id, stage.clock, broken)
    stage.tick(stage.now)
    assert stage.cycle(1).state == CycleState.CLOSED
    turn = turn_of(stage, 1, "btc-hold")
    assert (turn.state, turn.traded) == (TurnState.QUARANTINED, 0)
    assert "before the trade window ended" in turn.trade_reason
    assert Journal.objects.filter(portfolio__entry__slug="btc-hold").count() == 1  # the start capital stands


def test_a_book_that_changed_under_a_turn_is_quarantined_and_the_previous_book_stands(stage: Stage) -> None:
    cycle = to_trading(stage)
    turn = turn_of(stage, 1, "btc-hold")
    record = trading.trade_turn(
        cycles.seat_of(turn.entry, 1, stage.season.rule_book),
        trading.book_of(turn.entry.portfolio_id),
        stage.now,
        *prices_and_symbols(cycle, stage),
        stage.season.rule_book,
        turn.verdict_value(),
        paper(cycle, stage),
    )
    token = uuid.uuid4()
    Turn.objects.filter(id=turn.id).update(token=token, lease_until=stage.now + HOUR)
    record.book_before = Book({"USDT": Decimal(9999)})
    with pytest.raises(settling.Mismatch, match="before the turn"):
        settling.settle(turn.id, token, 1, stage.now, record, stage.now)
    assert Journal.objects.filter(portfolio__entry__slug="btc-hold").count() == 1
    assert settling.quarantine(turn.id, token, "mismatch", stage.now)
    stage.tick(stage.now + timedelta(seconds=61))
    assert stage.cycle(1).state == CycleState.CLOSED
    assert turn_of(stage, 1, "btc-hold").state == TurnState.QUARANTINED


def prices_and_symbols(cycle: Cycle, stage: Stage):
    cycle.refresh_from_db()
    assert cycle.trade_snapshot is not None
    prices = {name: Decimal(row["price"]) for name, row in cycle.trade_snapshot.content["symbols"].items()}
    return prices, cycles.setting_of(stage.season).symbols


def paper(cycle: Cycle, stage: Stage) -> PaperBroker:
    prices, symbols = prices_and_symbols(cycle, stage)
    return PaperBroker(prices, symbols, stage.season.rule_book.costs, stage.now)


def test_a_turn_is_settled_once_however_often_it_is_tried(stage: Stage) -> None:
    stage.play_cycle(1)
    before = facts(stage)
    turn = turn_of(stage, 1, "btc-hold")
    portfolio = Portfolio.objects.get(entry__slug="btc-hold")
    record = trading.trade_turn(
        cycles.seat_of(turn.entry, 1, stage.season.rule_book),
        trading.book_of(portfolio.id),
        stage.now,
        *prices_and_symbols(stage.cycle(1), stage),
        stage.season.rule_book,
        turn.verdict_value(),
        paper(stage.cycle(1), stage),
    )
    assert not settling.settle(turn.id, uuid.uuid4(), 1, stage.now, record, stage.now)
    assert facts(stage) == before
