"""One poisoned reply, one locked row, one edited listing, one kill at a bad moment: the season goes on."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from agents.core.answers import Answer, NoAnswer, Question
from competition.core.states import CycleState
from competition.models import Season
from competition.services import asking, cycles, demo, ticking, trading
from market.models import ListedSymbol
from portfolio.models import Order
from tests.live.stage import FEW, Stage, in_process, turn_of

SECOND = timedelta(seconds=1)
POISON = (
    r'{"action": "hold", "\u0000": 1}',
    r'{"action": "rebalance", "allocations": {"A\u0000B": "x"}}',
    r'{"action": "hold", "\ud800": 1}',
)


@pytest.mark.parametrize("reply", POISON)
def test_a_reply_that_no_database_can_keep_ends_nobodys_season(stage: Stage, reply: str) -> None:
    async def ask(question: Question) -> Answer | NoAnswer:
        return Answer(reply) if question.model == "offline/steady" else await in_process(question)

    stage.ask = ask
    stage.play_cycle(1)
    assert stage.cycle(1).state == CycleState.CLOSED
    assert turn_of(stage, 1, "steady").verdict == "rejected"
    assert turn_of(stage, 1, "swinger").verdict in ("rebalance", "hold")


def test_thousands_of_broken_rules_are_kept_as_a_few_and_a_number(stage: Stage) -> None:
    names = ", ".join(f'"X{number}": 9' for number in range(4_000))

    async def ask(question: Question) -> Answer | NoAnswer:
        if question.model == "offline/steady":
            return Answer(f'{{"action": "rebalance", "allocations": {{{names}}}}}')
        return await in_process(question)

    stage.ask = ask
    stage.play_cycle(1)
    turn = turn_of(stage, 1, "steady")
    assert turn.verdict == "rejected"
    assert len(turn.violations) <= 51


def test_a_listing_edited_in_mid_week_changes_nothing_in_an_open_season(stage: Stage) -> None:
    undisturbed = Stage.set(profiles=FEW, slug="undisturbed")
    undisturbed.play_cycle(1)
    stage.tick(stage.now)
    stage.tick(stage.now + SECOND)
    ListedSymbol.objects.filter(name="ETHUSDT").update(step=Decimal("0.5"), min_quantity=Decimal("0.5"))
    stage.tick(stage.deadline(1))
    assert turn_of(stage, 1, "equal-weight").value_after == turn_of(undisturbed, 1, "equal-weight").value_after


def test_a_listed_symbol_can_be_neither_deleted_nor_renamed(own_database: str) -> None:
    with pytest.raises(IntegrityError):
        ListedSymbol.objects.filter(name="ADAUSDT").delete()
    with pytest.raises(IntegrityError):
        ListedSymbol.objects.filter(name="ADAUSDT").update(name="AAAUSDT", base="AAA")


def test_a_process_that_hangs_on_one_season_does_not_hold_up_the_others(stage: Stage) -> None:
    other = Stage.set(profiles=FEW, slug="other")
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as hanging:
        hanging.execute("SELECT * FROM competition_season WHERE slug = 'stage' FOR UPDATE")
        looked = threading.Event()

        def look() -> None:
            ticking.tick(other.now, lambda step, cycle_id: None)
            connection.close()
            looked.set()

        thread = threading.Thread(target=look)
        thread.start()
        assert looked.wait(30)
        thread.join()
        assert other.season.cycles.filter(number=1).exists()
        assert not stage.season.cycles.exists()


class Killed(BaseException):
    """As kill -9 does: nothing after it runs."""


def ends_at(table: str, end: BaseException) -> Callable[..., object]:
    """Breaks off with `end` at the first row for `table`."""

    def wrapper(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith(f'INSERT INTO "{table}"'):
            raise end
        return execute(sql, *rest)

    return wrapper


def test_a_step_that_breaks_is_told_as_such_and_not_as_nobody_running(stage: Stage) -> None:
    cycles.open_due(stage.season.id, stage.now)
    cycle = stage.cycle(1)
    with connection.execute_wrapper(ends_at("agents_brief", RuntimeError("a bug"))), pytest.raises(RuntimeError):
        ticking.advance(cycle.id, stage.clock)
    assert stage.cycle(1).state == CycleState.BRIEFING
    assert cycles.brief_cycle(cycle.id, cycle.deadline_at, ticking.candles_of(stage.season.rule_book))
    cycle.refresh_from_db()
    assert (cycle.state, cycle.reason) == (CycleState.HELD, "the briefing step broke off: RuntimeError")


def test_a_note_that_comes_late_is_not_written_onto_a_cycle_that_went_on(stage: Stage) -> None:
    stage.tick(stage.now)
    stage.tick(stage.now + SECOND)
    stage.now = stage.deadline(1)
    stale = stage.cycle(1)
    asking.end_asking(stale.id, stage.now, trading.planned_trade_time)
    stale.refresh_from_db()
    trading.freeze_trade_prices(stale.id, stage.now, ticking.candles_of(stage.season.rule_book))
    cycles.say_why_waiting(stale, "no usable snapshot")
    ticking.advance(stale.id, stage.clock)
    assert stage.cycle(1).reason == ""
    assert Order.objects.exists()


def test_a_demo_killed_while_it_is_loaded_is_loaded_the_next_time(own_database: str) -> None:
    """The next time is killed too, each time further on, until the last leaves it whole."""
    for table in ("competition_entry", "competition_cycle", "competition_standing"):
        with connection.execute_wrapper(ends_at(table, Killed())), pytest.raises(Killed):
            demo.load_finished(timezone.now(), lambda cycle: None)
        assert not Season.objects.exists(), table
    assert demo.load_finished(timezone.now(), lambda cycle: None)
    assert Season.objects.get(slug="demo-finished").state == "closed"
