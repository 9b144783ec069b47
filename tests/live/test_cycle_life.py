"""The failure column of a cycle's life: whatever stands still or goes missing, the cycle ends and says why."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.roster import Profile
from agents.models import Attempt
from competition.core.schedule import boundary
from competition.core.states import CycleState, SeasonState, TurnState
from competition.models import Standing
from competition.services import asking, cycles, leasing, ticking, trading
from market.core.candles import Series, empty_series
from portfolio.models import Journal, Valuation
from portfolio.models import Order as OrderRow
from tests.live.stage import FEW, Stage, facts, in_process, turn_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


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
    once = Stage.set(profiles=FEW, slug="once")
    once.play_cycle(1)
    for at in (timedelta(seconds=1), timedelta(seconds=60), HOUR, HOUR + SECOND):
        for _ in range(5):
            stage.tick(boundary(stage.season.rule_book, 1) + at)
    cycle = stage.cycle(1)
    for _ in range(5):
        stage.dispatch(ticking.ADVANCE, cycle.id)
        stage.dispatch(ticking.ASK, cycle.id)
    assert facts(stage) == facts(once)
    assert facts(once)["turns"] == len(FEW)
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
    assert silent == {"steady", "swinger", "garbled"}
    assert turn_of(stage, 1, "steady").verdict_reason == "the runner could not be asked: ConnectionRefusedError"
    assert not OrderRow.objects.filter(portfolio__entry__slug__in=silent).exists()
    assert turn_of(stage, 1, "equal-weight").verdict == "rebalance"


def test_a_rule_on_indicators_decides_in_the_house_and_trades(own_database: str) -> None:
    cross = Profile("cross", "Cross", "baseline", "rule/ema-cross", {"fast": 3, "slow": 8})
    stage = Stage.set(profiles=(cross,))
    stage.ask = nobody_answers
    stage.play_cycle(1)
    turn = turn_of(stage, 1, "cross")
    assert (turn.state, turn.verdict) == (TurnState.SETTLED, "rebalance")
    assert OrderRow.objects.filter(portfolio=turn.entry.portfolio).exists()


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


def leased(stage: Stage, entry: str, at: timedelta) -> leasing.Lease:
    """Open cycle 1 and lease one entry's turn at an instant of the asking phase."""
    rules = stage.season.rule_book
    if not stage.season.cycles.exists():
        cycles.open_due(stage.season.id, rules.starts_at)
        ticking.advance(stage.cycle(1).id, stage.clock)
    ids = [turn_of(stage, 1, entry).id]
    (lease,) = leasing.lease_turns(question_round(stage), ids, rules.starts_at + at, uuid.uuid4)
    return lease


def question_round(stage: Stage) -> leasing.Round:
    asked = leasing.round_of(stage.cycle(1).id, stage.now)
    assert asked is not None
    return asked


HOLD = Answer('{"action": "hold"}')
ALL_IN = Answer('{"action": "rebalance", "allocations": {"BTCUSDT": 1}}')
BROKEN = Answer('{"action": "rebalance", "allocations": {"BTCUSDT": 7}}')


def test_an_answer_after_the_deadline_is_kept_and_changes_nothing(stage: Stage) -> None:
    lease = leased(stage, "steady", timedelta(minutes=50))
    asking.accept(question_round(stage), [(lease, ALL_IN)], stage.deadline(1))
    attempt = Attempt.objects.get(id=lease.attempt_id)
    assert (attempt.outcome, attempt.reply) == ("late", ALL_IN.text)
    stage.tick(stage.deadline(1))
    assert turn_of(stage, 1, "steady").verdict == "silent"
    assert not OrderRow.objects.filter(portfolio__entry__slug="steady").exists()


def test_an_answer_under_a_lease_that_moved_on_is_kept_and_changes_nothing(stage: Stage) -> None:
    first = leased(stage, "steady", timedelta(0))
    second = leased(stage, "steady", timedelta(minutes=21))
    asking.accept(question_round(stage), [(first, ALL_IN)], stage.now + timedelta(minutes=22))
    asking.accept(question_round(stage), [(second, HOLD)], stage.now + timedelta(minutes=23))
    assert turn_of(stage, 1, "steady").verdict == "hold"
    assert [a.outcome for a in Attempt.objects.order_by("number")] == ["late", "answered"]


def test_of_two_answers_to_the_same_question_the_first_counts(stage: Stage) -> None:
    lease = leased(stage, "steady", timedelta(0))
    asking.accept(question_round(stage), [(lease, HOLD)], stage.now + SECOND)
    asking.accept(question_round(stage), [(lease, ALL_IN)], stage.now + 2 * SECOND)
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
    assert len(heard) == 6  # three models, asked and asked again once
    assert set(heard[3:]) == {tuple(violation["rule"] for violation in turn.violations)}


def test_text_no_database_can_hold_is_still_stored_and_judged(stage: Stage) -> None:
    lease = leased(stage, "steady", timedelta(0))
    asking.accept(question_round(stage), [(lease, Answer('{"action": "hold"}\x00\ud800'))], stage.now + SECOND)
    assert Attempt.objects.get().reply == '{"action": "hold"}\ufffd\ufffd\ufffd\ufffd'
