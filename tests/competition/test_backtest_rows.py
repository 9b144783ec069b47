"""Backtests as rows: one for the same question, taken under a lease, ended once, kept away from every board."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from competition.core.states import BacktestState, UndeclaredTransition
from competition.models import Backtest, BacktestRun
from competition.services import backtests
from competition.services.backtest_reads import newest, result_of, status_of, waiting_count
from competition.services.backtests import Asker, NoLongerOurs, cancel, claim, due, fail, finish, resume, tell_progress
from tests.competition.backtested import DATA, NOW, a_result, parameters

pytestmark = pytest.mark.django_db

MINE, OTHERS = UUID(int=1), UUID(int=2)
LATER = NOW + backtests.LEASE + timedelta(seconds=1)


def asked(**changes: Any) -> Backtest:
    return backtests.request_backtest(parameters(**changes), DATA, "no_model", Asker("command"), NOW)[0]


def taken(token: UUID = MINE) -> Backtest:
    held = claim(asked().key, token, NOW)
    assert held is not None
    return held


def state_of(backtest: Backtest) -> str:
    return Backtest.objects.get(id=backtest.id).state


def test_the_same_question_over_the_same_data_is_one_backtest_and_answered_at_once_when_done() -> None:
    held = taken()
    finish(held, [a_result()], {"candles": 2}, 0.5, NOW)
    again, is_work_left = backtests.request_backtest(parameters(), DATA, "no_model", Asker("page"), LATER)
    assert (again.id, is_work_left, again.requested_via) == (held.id, False, "command")
    found = result_of(held.key, NOW)
    assert found is not None
    (run,) = found.agents
    assert (run.metrics, list(run.curve.values), run.trades) == (
        {"total_return": 0.1},
        [10_000.0, 10_001.5],
        a_result().trades,
    )
    assert run.decisions == a_result().decisions


def test_other_parameters_or_other_data_are_another_backtest() -> None:
    first = asked()
    assert asked(seed=2).id != first.id
    other, _ = backtests.request_backtest(parameters(), {**DATA, "engine": 2}, "no_model", Asker("page"), NOW)
    assert other.id != first.id


def test_a_lease_keeps_others_away_until_it_runs_out() -> None:
    held = taken()
    assert claim(held.key, OTHERS, NOW) is None
    assert due(NOW) == []
    assert due(LATER) == [held.key]
    taken_over = claim(held.key, OTHERS, LATER)
    assert taken_over is not None
    with pytest.raises(NoLongerOurs):
        tell_progress(held, 1, 2, LATER)
    with pytest.raises(NoLongerOurs):
        finish(held, [a_result()], {}, 1.0, LATER)
    assert BacktestRun.objects.count() == 0
    finish(taken_over, [a_result()], {}, 1.0, LATER)
    assert state_of(held) == "done"


def test_progress_keeps_the_lease_and_tells_what_is_left() -> None:
    held = taken()
    tell_progress(held, 1, 4, NOW + timedelta(seconds=10))
    status = status_of(held.key, NOW + timedelta(seconds=10))
    assert status is not None
    assert (status.progress_done, status.progress_total, status.left) == (1, 4, timedelta(seconds=30))
    assert due(LATER) == []


def test_what_is_cancelled_stops_its_worker_and_can_be_asked_for_again() -> None:
    held = taken()
    cancel(held.key, NOW)
    with pytest.raises(NoLongerOurs):
        tell_progress(held, 1, 2, NOW)
    assert asked().id == held.id
    assert due(NOW) == [held.key]
    with pytest.raises(UndeclaredTransition):
        resume(held.key, NOW)  # it waits already


def test_a_failure_says_why_and_what_is_done_stays_done() -> None:
    held = taken()
    fail(held, "no candles", NOW)
    status = status_of(held.key, NOW)
    assert status is not None
    assert (status.state, status.error) == (BacktestState.FAILED, "no candles")
    resume(held.key, NOW)
    again = claim(held.key, OTHERS, NOW)
    assert again is not None
    finish(again, [a_result()], {}, 1.0, NOW)
    with pytest.raises(UndeclaredTransition):
        cancel(held.key, NOW)


def test_what_kills_every_worker_fails_in_the_end() -> None:
    key, now = asked().key, NOW
    for number in range(1, backtests.ATTEMPTS_MAX + 1):
        assert claim(key, UUID(int=number), now) is not None
        now += backtests.LEASE + timedelta(seconds=1)
    assert claim(key, OTHERS, now) is None
    status = status_of(key, now)
    assert status is not None
    assert (status.state, status.error) == (BacktestState.FAILED, backtests.CUT_OFF)


def test_the_queue_is_counted_by_who_asks() -> None:
    asked()
    backtests.request_backtest(parameters(seed=2), DATA, "no_model", Asker("page", client="a"), NOW)
    assert (waiting_count(), waiting_count("a"), waiting_count("b")) == (2, 1, 0)
    assert [status.requested_via for status in newest(5, NOW)] == ["page", "command"]


@pytest.mark.parametrize(
    "wrong",
    [{"state": "running"}, {"state": "failed", "finished_at": NOW}, {"state": "done"}, {"progress_done": 1}],
)
def test_the_database_refuses_a_row_that_contradicts_itself(wrong: dict[str, Any]) -> None:
    backtest = asked()
    with pytest.raises(IntegrityError), transaction.atomic():
        Backtest.objects.filter(id=backtest.id).update(**wrong)
