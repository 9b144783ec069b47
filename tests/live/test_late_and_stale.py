"""Whoever comes too late changes nothing: late workers, stale workers, and prices that were frozen long ago."""

import uuid
from datetime import timedelta

from competition.core.schedule import boundary
from competition.core.states import CycleState, TurnState
from competition.models import Standing, Turn
from competition.services import asking, settling, ticking, trading
from competition.services.settling import frozen_trade_prices
from portfolio.core.book import value_of
from portfolio.core.orders import Execution, Order
from portfolio.models import Fill, Journal
from portfolio.models import Order as OrderRow
from portfolio.queries import book_of
from tests.live.stage import Stage, turn_of
from tests.live.test_trading_breaks import Power, to_trading

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_nothing_is_placed_after_the_trade_window_though_the_prices_were_frozen_in_time(stage: Stage) -> None:
    to_trading(stage)
    stage.tick(stage.deadline(1) + HOUR + SECOND)
    assert stage.cycle(1).state == CycleState.CLOSED
    assert not Fill.objects.exists()
    assert set(OrderRow.objects.values_list("state", "reason")) == {("expired", trading.WINDOW_OVER)}
    assert turn_of(stage, 1, "btc-hold").trade_reason == trading.WINDOW_OVER


def test_a_turn_interrupted_in_the_window_is_finished_from_its_record_after_it(stage: Stage) -> None:
    cycle = to_trading(stage)
    trading.trade_cycle(cycle.id, stage.clock, Power(3, RuntimeError("power cut")))
    executed = OrderRow.objects.filter(state="filled").count()
    stage.tick(stage.deadline(1) + HOUR + SECOND)
    assert stage.cycle(1).state == CycleState.CLOSED
    assert executed == 3
    assert OrderRow.objects.filter(state="filled").count() == Journal.objects.filter(kind="fill").count() == executed
    assert not OrderRow.objects.filter(state="new").exists()


class Stalled(Power):
    """A broker that hangs in its first order until another process has ended the cycle."""

    def __init__(self, stage: Stage, cycle_id: int) -> None:
        super().__init__(100, RuntimeError())
        self.stage, self.cycle_id = stage, cycle_id

    def place(self, order: Order) -> Execution:
        if not self.placed:
            self.stage.now = self.stage.deadline(1) + 3 * HOUR
            settling.end_trading(self.cycle_id, self.stage.now)
            ticking.advance(self.cycle_id, self.stage.clock)
        return super().place(order)


def test_a_worker_that_wakes_up_after_its_turn_was_set_aside_places_nothing_more(stage: Stage) -> None:
    cycle = to_trading(stage)
    turn = turn_of(stage, 1, "equal-weight")
    others = Turn.objects.filter(cycle=cycle, state=TurnState.DECIDED).exclude(id=turn.id)
    others.update(lease_until=stage.now + 9 * HOUR, token=uuid.uuid4())
    trading.trade_cycle(cycle.id, stage.clock, Stalled(stage, cycle.id))
    orders = OrderRow.objects.filter(portfolio=turn.entry.portfolio)
    assert turn_of(stage, 1, "equal-weight").state == TurnState.QUARANTINED
    assert orders.count() == 1  # the one it was in when it fell asleep
    assert orders.get().state == "expired"
    assert Journal.objects.filter(portfolio=turn.entry.portfolio).count() == 1


def test_a_turn_set_aside_says_what_had_been_executed_and_is_posted_nowhere(stage: Stage) -> None:
    cycle = to_trading(stage)
    trading.trade_cycle(cycle.id, stage.clock, Power(2, RuntimeError("a bug")))
    stage.now = stage.deadline(1) + 2 * HOUR + SECOND
    settling.end_trading(cycle.id, stage.now)
    half_done = [
        turn
        for turn in Turn.objects.filter(cycle=cycle, state=TurnState.QUARANTINED)
        if Fill.objects.filter(order__portfolio=turn.entry.portfolio).exists()
    ]
    assert half_done
    for turn in half_done:
        assert "not posted" in turn.trade_reason
        assert Journal.objects.filter(portfolio=turn.entry.portfolio).count() == 1
    assert not OrderRow.objects.filter(state="new").exists()


def test_a_turn_set_aside_is_valued_at_the_prices_everybody_is_valued_at(stage: Stage) -> None:
    stage.play_cycle(1)
    for at in (boundary(stage.season.rule_book, 2), boundary(stage.season.rule_book, 2) + SECOND):
        stage.tick(at)
    stage.now = stage.deadline(2)
    cycle = stage.cycle(2)
    asking.end_asking(cycle.id, stage.now, trading.planned_trade_time)
    trading.freeze_trade_prices(cycle.id, stage.now, ticking.candles_of(stage.season.rule_book))
    turn, token = turn_of(stage, 2, "btc-hold"), uuid.uuid4()
    Turn.objects.filter(id=turn.id).update(token=token, lease_until=stage.now + HOUR)
    assert settling.quarantine(turn.id, token, "it does not add up", stage.now)
    stage.tick(stage.now)

    prices = frozen_trade_prices(stage.cycle(2)).prices
    worth = value_of(book_of(turn.entry.portfolio_id), prices, stage.season.symbol_book, "USDT")
    standing = Standing.objects.get(cycle=cycle, entry__slug="btc-hold")
    assert standing.value == worth
    assert standing.value != Standing.objects.get(cycle__number=1, entry__slug="btc-hold").value
