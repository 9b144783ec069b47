"""Many rows changed by one statement come out as they would one by one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Attempt, AttemptOutcome, Brief
from market.bulk_rows import update_rows

AT = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def attempts(db: None) -> list[Attempt]:
    agent = Agent.objects.create(slug="a", name="A", kind="single", model="offline/steady")
    brief = Brief.objects.create(agent=agent, sha256="0" * 64, content={}, created_at=AT)
    return Attempt.objects.bulk_create(
        Attempt(brief=brief, number=number, run_token=uuid4(), started_at=AT, lease_until=AT) for number in range(1, 4)
    )


def test_every_kind_of_value_is_written_by_one_statement(attempts: list[Attempt]) -> None:
    answered, silent, untouched = attempts
    answered.outcome, answered.ended_at = AttemptOutcome.ANSWERED, AT + timedelta(seconds=1)
    answered.reply, answered.truncated, answered.cost_usd = "{'\"\\ é 🚀}", True, Decimal("0.000000001")
    answered.deliberation, answered.objections = {"roles": [1, None, "x"]}, [{"rule": "r", "detail": "%s"}]
    silent.outcome, silent.ended_at, silent.reason = AttemptOutcome.NO_ANSWER, AT, "nobody"
    fields = ["outcome", "ended_at", "reply", "truncated", "deliberation", "objections", "reason", "cost_usd"]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        update_rows([answered, silent], fields)
    assert len(captured) == 1
    stored = {row.number: row for row in Attempt.objects.all()}
    for row in (answered, silent):
        assert {name: getattr(stored[row.number], name) for name in fields} == {
            name: getattr(row, name) for name in fields
        }
    assert stored[3].outcome == untouched.outcome == AttemptOutcome.PENDING


def test_nothing_to_write_is_no_statement(db: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        update_rows([], ["outcome"])
    assert not captured
