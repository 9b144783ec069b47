"""What the status page tells of the last audit of everything."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from competition.core.findings import WORDS, Finding, Invariant
from competition.models import Audit

pytestmark = pytest.mark.django_db

ALTERED = Finding(Invariant.UNCHANGED, "chain_is_unbroken", "winter/steady", "journal 2 <b>does not have</b> its hash")


def kept(*findings: Finding, season: str = "", more: int = 0, age: timedelta = timedelta(hours=1)) -> Audit:
    """An audit of this age that found these, and `more` of the first one's invariant that were not kept."""
    faults = [finding for finding in findings if not finding.known]
    counts = {name.value: sum(one.invariant is name for one in faults) for name in Invariant}
    if more:
        counts[faults[0].invariant.value] += more
    return Audit.objects.create(
        at=timezone.now() - age,
        seconds=12,
        season=season,
        findings_count=len(faults) + more,
        known_count=len(findings) - len(faults),
        counts=counts,
        findings=[finding.content() for finding in findings],
    )


def status(client: Client) -> str:
    response: Any = client.get("/status/")
    assert response.status_code == 200
    return response.content.decode()


def test_before_the_first_audit_the_page_says_how_to_get_one(client: Client) -> None:
    assert "has not been audited yet" in status(client)


def test_a_sound_record_is_told_with_every_invariant(client: Client) -> None:
    kept()
    body = status(client)
    assert "no fault." in body
    assert body.count("Holds") == len(WORDS)
    assert "All is well." in body


def test_a_fault_is_in_the_headline_the_table_and_in_words_that_are_escaped(client: Client) -> None:
    kept(ALTERED)
    body = status(client)
    assert "The last audit of the record found one fault." in body
    assert body.count("Broken") == 1
    assert "winter/steady: journal 2 &lt;b&gt;does not have" in body


def test_an_audit_that_no_night_followed_is_said_to_be_overdue(client: Client) -> None:
    kept()
    assert "overdue" not in status(client)
    kept(age=timedelta(hours=27))
    assert "It is overdue" in status(client)


def test_of_many_faults_the_number_is_of_all(client: Client) -> None:
    kept(*[ALTERED] * 30, more=970)
    body = status(client)
    assert "found 1,000 faults" in body
    assert body.count("winter/steady: journal 2") == 10


def test_a_known_exception_is_told_and_is_no_fault(client: Client) -> None:
    kept(Finding(Invariant.FILLS_POSTED, "known_exceptions", "winter/steady", "not posted", known=True))
    body = status(client)
    assert "1 fill of turns set aside is posted nowhere" in body
    assert "All is well." in body


def test_an_audit_of_one_season_is_not_taken_for_one_of_everything(client: Client) -> None:
    kept(ALTERED, season="winter")
    assert "has not been audited yet" in status(client)
