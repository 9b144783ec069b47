"""The failure column of a cycle's life: whatever stands still or goes missing, the cycle ends and says why."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db.utils import OperationalError

from agents.core.answers import Answer, NoAnswer, Question
from agents.models import Attempt
from competition.core.schedule import boundary
from competition.core.states import CycleState, SeasonState, TurnState
from competition.models import Cycle, Standing, Turn
from competition.services import asking, cycles, ticking, trading
from competition.services.cycles import Setting
from market.core.candles import Series, empty_series
from market.core.snapshot import Snapshot
from portfolio.core.brokers import Broker, OutcomeUnknown, PaperBroker
from portfolio.core.orders import Execution, Order
from portfolio.models import Fill, Journal, Portfolio, Valuation
from portfolio.models import Order as OrderRow
from tests.live.stage import Stage, in_process

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def facts(stage: Stage) -> dict[str, int]:
    """How many rows of every kind of fact a season has."""
    of_portfolio = {"portfolio__entry__season": stage.season}
    rows = {
        "cycles": Cycle.objects.filter(season=stage.season),
        "turns": Turn.objects.filter(cycle__season=stage.season),
        "attempts": Attempt.objects.filter(brief__turn__cycle__season=stage.season),
        "orders": OrderRow.objects.filter(**of_portfolio),
        "fills": Fill.objects.filter(order__portfolio__entry__season=stage.season),
        "journals": Journal.objects.filter(**of_portfolio),
        "valuations": Valuation.objects.filter(**of_portfolio),
        "standings": Standing.objects.filter(cycle__season=stage.season),
    }
    return {name: query.count() for name, query in rows.items()}


def turn_of(stage: Stage, number: int, entry: str) -> Turn:
    return Turn.objects.get(cycle__season=stage.season, cycle__number=number, entry__slug=entry)


async def nobody_answers(question: Question) -> Answer | NoAnswer:
    return NoAnswer("the runner could not be asked: ConnectionRefusedError")


# -- The calendar ---------------------------------------------------------------------------------


def test_nothing_opens_before_the_first_boundary(stage: Stage) -> None:
    stage.tick(stage.season.rule_book.starts_at - SECOND)
    assert stage.season.cycles.count() == 0


def test_a_season_closes_itself_after_its_last_cycle(stage: Stage) -> None:
    stage.play_season()
    stage.season.refresh_from_db()
    assert [cycle.state for cycle in stage.season.cycles.order_by("number")] == [CycleState.CLOSED] * 4
    assert (stage.season.state, stage.season.close_reason) == (SeasonState.CLOSED, "the calendar has ended")


def test_a_boundary_passed_within_the_late_window_is_opened_late_with_the_prices_of_then(stage: Stage) -> None:
    late = boundary(stage.season.rule_book, 1) + DAY
    stage.tick(late)
    cycle = stage.cycle(1)
    assert cycle.is_late
    assert (cycle.as_of, cycle.opened_at) == (late, late)
    assert cycle.snapshot is not None
    assert cycle.snapshot.as_of == late  # never the boundary's date over newer prices
    assert cycle.deadline_at == late + HOUR


def test_a_boundary_beyond_the_late_window_is_missed_in_public_and_the_next_one_runs(stage: Stage) -> None:
    stage.play_cycle(1)
    stage.now = boundary(stage.season.rule_book, 3)
    stage.tick(stage.now + SECOND)
    assert [c.state for c in stage.season.cycles.order_by("number")] == ["closed", "missed", "asking"]
    assert "nobody was running" in stage.cycle(2).reason
    assert not stage.cycle(3).is_late


def test_repeating_every_tick_and_every_step_five_times_changes_nothing(stage: Stage) -> None:
    once = Stage.set(slug="once")
    once.play_cycle(1)
    for at in (timedelta(seconds=1), timedelta(seconds=60), HOUR, HOUR + SECOND):
        for _ in range(5):
            stage.tick(boundary(stage.season.rule_book, 1) + at)
    cycle = stage.cycle(1)
    for _ in range(5):
        stage.dispatch(ticking.ADVANCE, cycle.id)
        stage.dispatch(ticking.ASK, cycle.id)
    assert facts(stage) == facts(once)
    assert facts(once)["turns"] == 13
    assert cycle.state == CycleState.CLOSED


# -- The market is not there ----------------------------------------------------------------------


def no_candles(symbols: Sequence[str], first: datetime, last: datetime) -> dict[str, Series]:
    return {symbol: empty_series(symbol, "1h") for symbol in symbols}


def test_without_a_snapshot_the_cycle_waits_and_then_holds_for_everybody(stage: Stage) -> None:
    rules = stage.season.rule_book
    cycles.open_due(stage.season.id, rules.starts_at)
    cycle = stage.cycle(1)
    assert not cycles.brief_cycle(cycle.id, rules.starts_at, no_candles)
    cycle.refresh_from_db()
    assert (cycle.state, cycle.reason[:18]) == (CycleState.BRIEFING, "no usable snapshot")

    assert cycles.brief_cycle(cycle.id, cycle.deadline_at, no_candles)
    cycle.refresh_from_db()
    assert cycle.state == CycleState.HELD
    assert "BTCUSDT: no closed candle" in cycle.reason
    assert not cycle.turns.exists()
    assert stage.play_cycle(2).state == CycleState.CLOSED


def test_without_trade_prices_nothing_is_traded_and_the_cycle_still_closes(stage: Stage) -> None:
    stage.play_cycle(1)
    journals = Journal.objects.count()
    due = boundary(stage.season.rule_book, 2)
    stage.tick(due + SECOND)
    stage.tick(due + timedelta(seconds=60))
    cycle = stage.cycle(2)
    asking.end_asking(cycle.id, cycle.deadline_at, trading.planned_trade_time)
    assert not trading.freeze_trade_prices(cycle.id, cycle.deadline_at, no_candles)

    stage.tick(cycle.deadline_at + 2 * HOUR)
    cycle.refresh_from_db()
    assert (cycle.state, cycle.reason[:29]) == (CycleState.CLOSED, "no trades: no usable snapshot")
    assert Journal.objects.count() == journals
    assert not Valuation.objects.filter(cycle_number=2).exists()
    assert {turn.trade_reason for turn in cycle.turns.all()} == {cycle.reason}


# -- Nobody asks, nobody answers ------------------------------------------------------------------


def test_when_nobody_ran_during_the_asking_phase_everyone_is_silent_and_nothing_is_traded(stage: Stage) -> None:
    due = boundary(stage.season.rule_book, 1)
    cycles.open_due(stage.season.id, due)
    stage.dispatch(ticking.ADVANCE, stage.cycle(1).id)
    stage.tick(stage.deadline(1))
    assert {turn.verdict for turn in stage.cycle(1).turns.all()} == {"silent"}
    assert "never asked" in turn_of(stage, 1, "steady").verdict_reason
    assert OrderRow.objects.count() == 0
    assert set(Standing.objects.values_list("coverage", flat=True)) == {Decimal(0)}


def test_a_dead_runner_silences_the_models_and_leaves_the_baselines_alone(stage: Stage) -> None:
    stage.ask = nobody_answers
    stage.play_cycle(1)
    silent = set(stage.cycle(1).turns.filter(verdict="silent").values_list("entry__slug", flat=True))
    assert silent == {"steady", "swinger", "garbled", "latecomer", "greedy", "refuser"}
    assert turn_of(stage, 1, "steady").verdict_reason == "the runner could not be asked: ConnectionRefusedError"
    assert not OrderRow.objects.filter(portfolio__entry__slug__in=silent).exists()
    assert turn_of(stage, 1, "equal-weight").verdict == "rebalance"


def test_an_unanswered_turn_is_offered_again_when_its_lease_ends_and_at_most_so_often(stage: Stage) -> None:
    rules = stage.season.rule_book
    stage.ask = nobody_answers
    stage.tick(rules.starts_at)
    for minute in range(59):
        stage.tick(rules.starts_at + timedelta(minutes=minute))
    attempts = Attempt.objects.filter(brief__turn__entry__slug="steady").order_by("number")
    starts = [attempt.started_at - rules.starts_at for attempt in attempts]
    assert starts == [timedelta(0), timedelta(minutes=20), timedelta(minutes=40)]


def test_a_runner_that_comes_back_within_the_phase_is_heard(stage: Stage) -> None:
    rules = stage.season.rule_book
    stage.ask = nobody_answers
    stage.tick(rules.starts_at)
    stage.tick(rules.starts_at + SECOND)
    stage.ask = in_process
    stage.tick(rules.starts_at + timedelta(minutes=21))
    assert turn_of(stage, 1, "steady").verdict == "rebalance"


# -- Which answer counts --------------------------------------------------------------------------


def leased(stage: Stage, entry: str, at: timedelta) -> asking.Lease:
    """Open cycle 1 and lease one entry's turn at an instant of the asking phase."""
    rules = stage.season.rule_book
    if not stage.season.cycles.exists():
        cycles.open_due(stage.season.id, rules.starts_at)
        ticking.advance(stage.cycle(1).id, stage.clock)
    lease = asking.lease_turn(question_round(stage), turn_of(stage, 1, entry).id, rules.starts_at + at, uuid.uuid4())
    assert lease is not None
    return lease


def question_round(stage: Stage) -> asking.Round:
    asked = asking.round_of(stage.cycle(1).id)
    assert asked is not None
    return asked


HOLD = Answer('{"action": "hold"}')
ALL_IN = Answer('{"action": "rebalance", "allocations": {"BTCUSDT": 1}}')
BROKEN = Answer('{"action": "rebalance", "allocations": {"BTCUSDT": 7}}')


def test_an_answer_after_the_deadline_is_kept_and_changes_nothing(stage: Stage) -> None:
    lease = leased(stage, "steady", timedelta(minutes=50))
    asking.accept(question_round(stage), lease, ALL_IN, stage.deadline(1))
    attempt = Attempt.objects.get(id=lease.attempt_id)
    assert (attempt.outcome, attempt.reply) == ("late", ALL_IN.text)
    stage.tick(stage.deadline(1))
    assert turn_of(stage, 1, "steady").verdict == "silent"
    assert not OrderRow.objects.filter(portfolio__entry__slug="steady").exists()


def test_an_answer_under_a_lease_that_moved_on_is_kept_and_changes_nothing(stage: Stage) -> None:
    first = leased(stage, "steady", timedelta(0))
    second = leased(stage, "steady", timedelta(minutes=21))
    asking.accept(question_round(stage), first, ALL_IN, stage.now + timedelta(minutes=22))
    asking.accept(question_round(stage), second, HOLD, stage.now + timedelta(minutes=23))
    assert turn_of(stage, 1, "steady").verdict == "hold"
    assert [a.outcome for a in Attempt.objects.order_by("number")] == ["late", "answered"]


def test_of_two_answers_to_the_same_question_the_first_counts(stage: Stage) -> None:
    lease = leased(stage, "steady", timedelta(0))
    asking.accept(question_round(stage), lease, HOLD, stage.now + SECOND)
    asking.accept(question_round(stage), lease, ALL_IN, stage.now + 2 * SECOND)
    assert turn_of(stage, 1, "steady").verdict == "hold"
    assert Attempt.objects.get().reply == HOLD.text


def test_a_broken_reply_is_asked_again_with_what_was_wrong_and_only_so_often(stage: Stage) -> None:
    heard: list[tuple[str, ...]] = []

    async def stubborn(question: Question) -> Answer | NoAnswer:
        heard.append(tuple(objection.rule for objection in question.objections))
        return BROKEN

    stage.ask = stubborn
    stage.tick(stage.now)
    stage.tick(stage.now + SECOND)
    turn = turn_of(stage, 1, "steady")
    assert (turn.verdict, turn.state) == ("rejected", TurnState.DECIDED)
    assert {violation["rule"] for violation in turn.violations} == {
        "weights_are_fractions",
        "total_is_one",
        "weight_below_cap",
        "cash_above_floor",
        "turnover_below_cap",
    }
    assert len(heard) == 12  # six models, asked and asked again once
    assert set(heard[6:]) == {tuple(violation["rule"] for violation in turn.violations)}


def test_text_no_database_can_hold_is_still_stored_and_judged(stage: Stage) -> None:
    lease = leased(stage, "steady", timedelta(0))
    asking.accept(question_round(stage), lease, Answer('{"action": "hold"}\x00\ud800'), stage.now + SECOND)
    assert Attempt.objects.get().reply == '{"action": "hold"}\ufffd\ufffd\ufffd\ufffd'


# -- Trading breaks off ---------------------------------------------------------------------------


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


@pytest.mark.parametrize("orders", range(0, 20, 3))
def test_power_that_fails_between_orders_loses_none_and_repeats_none(stage: Stage, orders: int) -> None:
    undisturbed = Stage.set(slug="undisturbed")
    undisturbed.play_cycle(1)
    cycle = to_trading(stage)
    power = Power(orders, OperationalError("server closed the connection unexpectedly"))
    with pytest.raises(OperationalError):
        trading.trade_cycle(cycle.id, stage.clock, power)

    stage.tick(stage.deadline(1) + timedelta(seconds=61))  # the broken lease has run out
    assert stage.cycle(1).state == CycleState.CLOSED
    assert not set(power.placed) - set(OrderRow.objects.values_list("client_order_id", flat=True))
    assert OrderRow.objects.filter(client_order_id__in=power.placed, state="filled").count() == orders
    boards = [
        list(Standing.objects.filter(cycle__season=s.season).order_by("position").values_list("entry__slug", "value"))
        for s in (stage, undisturbed)
    ]
    assert boards[0] == boards[1]


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
    stage.now = stage.deadline(1) + HOUR + timedelta(minutes=2)
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
    shrunk = type(record.book_before)({"USDT": Decimal(9999)})
    wrong = type(record)(shrunk, *(getattr(record, name) for name in list(record.__slots__)[1:]))
    with pytest.raises(trading.Mismatch, match="before the turn"):
        trading.settle(turn.id, token, 1, stage.now, wrong, stage.now)
    assert Journal.objects.filter(portfolio__entry__slug="btc-hold").count() == 1
    assert trading.quarantine(turn.id, token, "mismatch", stage.now)
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
    assert not trading.settle(turn.id, uuid.uuid4(), 1, stage.now, record, stage.now)
    assert facts(stage) == before
