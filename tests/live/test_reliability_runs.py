"""What a run that tried to break the site found is kept as it was found."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from competition.core.reliability import RunKind, RunResult
from competition.services.reliability import keep_run, own_version

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
SOAK = RunResult(
    RunKind.CHAOS, 7, MIDNIGHT, MIDNIGHT + timedelta(minutes=10), {"cycles ended": 96}, {"processes killed": 41}
)


def test_a_run_is_kept_with_the_version_and_the_commit_it_was_of() -> None:
    kept = keep_run(SOAK)
    kept.refresh_from_db()
    assert (kept.kind, kept.seed, kept.counts, kept.faults) == ("chaos", 7, SOAK.counts, SOAK.faults)
    assert kept.version == own_version()
    assert (kept.violations, kept.findings) == (0, [])


def test_of_many_violations_the_number_is_of_all() -> None:
    kept = keep_run(replace(SOAK, findings=tuple(f"journal {n} does not sum to zero" for n in range(80))))
    assert (kept.violations, len(kept.findings)) == (80, 50)


@pytest.mark.parametrize("change", ["UPDATE {} SET violations = 0", "DELETE FROM {}", "TRUNCATE {}"])
def test_it_can_be_neither_edited_nor_deleted(change: str) -> None:
    kept = keep_run(replace(SOAK, findings=("an order was executed twice",)))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(change.format("competition_reliabilityrun"))
    kept.refresh_from_db()
    assert kept.violations == 1


@pytest.mark.parametrize("number", [-1, 1.5, True, "many"])
def test_what_is_no_whole_number_is_not_counted(number: object) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        keep_run(replace(SOAK, faults={"processes killed": number}))  # type: ignore[dict-item]


def test_a_run_does_not_end_before_it_starts() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        keep_run(replace(SOAK, ended_at=MIDNIGHT - timedelta(seconds=1)))
