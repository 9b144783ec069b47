"""Asking breaks off anywhere: what was paid for is kept, nobody pays for another, and no failure is called another."""

from datetime import datetime, timedelta
from itertools import count

import pytest
from django.db import connection
from pytest_django import Settings

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import Usage
from agents.models import Attempt, Call, Reservation
from competition.core.states import CycleState
from competition.services import asking_round
from tests.live.stage import Stage, in_process, turn_of
from tests.live.test_spending import ALL_IN, Killed, record_of

SECOND = timedelta(seconds=1)
REFUSES = """
CREATE FUNCTION refuse_in_this_test() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not now' USING ERRCODE = '{code}';
END $$;
CREATE TRIGGER refuse_in_this_test BEFORE INSERT ON {table} FOR EACH ROW WHEN ({when})
    EXECUTE FUNCTION refuse_in_this_test();
"""


def refuse(table: str, when: str, code: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(REFUSES.format(table=table, when=when, code=code))


def test_a_lock_that_is_never_given_while_one_is_asked_again_costs_nobody_else_a_reply(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_round, "RETRY_AFTER_S", (0.0,))

    async def ask(question: Question) -> Answer | NoAnswer:
        return Answer("no JSON") if question.agent == "garbled" else Answer(ALL_IN)

    stage.ask = ask
    stage.tick(stage.now)
    refuse("agents_attempt", "NEW.number > 1", "55P03")
    stage.tick(stage.now + SECOND)
    assert turn_of(stage, 1, "steady").verdict == "rebalance"
    assert Attempt.objects.get(brief__agent__slug="garbled").reply == "no JSON"
    stage.tick(stage.deadline(1))
    assert turn_of(stage, 1, "garbled").verdict == "rejected"


def test_a_reply_whose_calls_cannot_be_written_is_kept_counts_and_is_charged_in_full(stage: Stage) -> None:
    async def ask(question: Question) -> Answer | NoAnswer:
        if question.model.startswith("offline/"):
            return Answer(ALL_IN, calls=(record_of(question, stage.now, Usage(prompt=100, completion=50)),))
        return await in_process(question)

    stage.ask = ask
    stage.tick(stage.now)
    refuse("agents_call", "NEW.requested_model = 'offline/steady'", "XX000")
    stage.tick(stage.now + SECOND)
    attempt = Attempt.objects.get(brief__agent__slug="steady")
    assert (attempt.outcome, attempt.reply) == ("answered", ALL_IN)
    assert attempt.cost_usd == attempt.reservation.usd == attempt.reservation.usd_charged
    assert turn_of(stage, 1, "steady").verdict == "rebalance"
    assert Call.objects.filter(requested_model="offline/swinger").exists()
    assert not Reservation.objects.filter(settled_at=None).exists()


def test_whoever_was_asked_and_lost_by_us_is_silent_and_not_over_budget(stage: Stage, settings: Settings) -> None:
    settings.USD_PER_TURN_MAX = "0.03"  # room for one attempt, not for two

    async def killed(question: Question) -> Answer | NoAnswer:
        raise Killed

    stage.tick(stage.now)
    stage.ask = killed
    with pytest.raises(BaseExceptionGroup):
        stage.tick(stage.now + SECOND)
    stage.ask = in_process
    stage.tick(stage.now + timedelta(minutes=21))
    stage.tick(stage.deadline(1))
    turn = turn_of(stage, 1, "steady")
    assert turn.over_budget
    assert (turn.verdict, stage.cycle(1).state) == ("silent", CycleState.CLOSED)


@pytest.mark.parametrize("late_s", [30, 1300])
def test_nobody_is_waited_for_beyond_the_lease_however_late_the_asking_begins(stage: Stage, late_s: int) -> None:
    """Else an asker that was held up would wait on while another asks the same."""
    stage.tick(stage.now)
    begins, looks, heard = stage.now, count(), dict[str, float]()

    def clock() -> datetime:
        return begins + timedelta(seconds=late_s if next(looks) > 1 else 0)  # once the turns are leased

    async def ask(question: Question) -> NoAnswer:
        heard[question.run_token] = question.seconds
        return NoAnswer("said nothing")

    stage.ask = ask
    asking_round.ask_cycle(stage.cycle(1).id, clock, stage.runner)
    asked = Attempt.objects.exclude(outcome="answered")
    assert asked
    for attempt in asked:
        left_s = (attempt.lease_until - clock()).total_seconds()
        assert heard.get(str(attempt.run_token)) == (left_s if left_s > 0 else None)
        assert attempt.reason == ("said nothing" if left_s > 0 else asking_round.TOO_LATE_TO_ASK)
