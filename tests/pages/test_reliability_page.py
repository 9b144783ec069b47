"""The reliability page: everything on it is counted from rows, and says what of it was made up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from competition.core.reliability import RunKind, RunResult
from competition.models import Audit
from competition.services.reliability import keep_run
from tests.api.asking import data
from tests.pages.reading import Page
from tests.pages.seasons import Played

pytestmark = pytest.mark.django_db

NIGHT = datetime(2026, 11, 27, tzinfo=UTC)
SOAK = RunResult(
    RunKind.CHAOS,
    seed=7,
    started_at=NIGHT,
    ended_at=NIGHT + timedelta(minutes=30),
    counts={"cycles ended": 182},
    faults={"processes killed": 900, "processes frozen": 800},
)
SCHEDULES = replace(SOAK, kind=RunKind.SIMULATION, seeds_count=300, faults={"commits of unknown outcome": 50})


def shown(client: Client) -> str:
    response: Any = client.get("/reliability/")
    assert response.status_code == 200
    return response.content.decode()


def facts(body: str) -> dict[str, str]:
    page = Page(body)
    return dict(zip(page.texts("dt"), page.texts("dd"), strict=True))


def test_before_anything_was_tried_the_page_says_so(client: Client) -> None:
    body = shown(client)
    assert "Nothing has been tried yet." in body
    assert body.count("There was no such run here yet.") == len(RunKind)


def test_faults_of_all_runs_are_counted_together(client: Client) -> None:
    keep_run(SOAK)
    keep_run(replace(SOAK, seed=8, faults={"processes killed": 100}))
    keep_run(SCHEDULES)
    told = facts(shown(client))
    assert told["processes killed"] == "1000"
    assert "1850 in all runs together" in shown(client)
    assert data("reliability")["faults_total"] == 1850


def test_the_last_run_is_told_with_its_seeds_and_what_it_counted(client: Client) -> None:
    keep_run(SOAK)
    keep_run(SCHEDULES)
    body = shown(client)
    assert "7 to 306" in body
    assert facts(body)["cycles ended"] == "182"
    runs = {one["kind"]: one for one in data("reliability")["runs"]}
    assert runs["simulation"]["seeds"] == 300
    assert runs["chaos"]["last"]["counts"] == {"cycles ended": 182}
    assert runs["mutations"]["last"] is None


def test_a_violation_is_the_headline_until_a_later_run_of_its_kind_finds_none(client: Client) -> None:
    keep_run(replace(SOAK, findings=("order oo-1 was executed by 2 attempts <b>",)))
    body = shown(client)
    assert "Something did not hold." in body
    assert "executed by 2 attempts &lt;b&gt;" in body
    keep_run(replace(SOAK, seed=9))
    assert "Nothing lost, nothing twice, always finished." in shown(client)
    assert facts(shown(client))["Violations"] == "1", "it is still counted"


def test_a_faulty_audit_is_the_headline_too(client: Client) -> None:
    keep_run(SOAK)
    Audit.objects.create(at=timezone.now(), seconds=1, findings_count=2, counts={}, findings=[])
    body = shown(client)
    assert "The last word of the audit of the record was a violation." in body
    assert facts(body)["Audits of everything"] == "1, 1 with faults"


def test_weeks_and_coverage_are_those_on_record_and_what_is_made_up_says_so(played: Played, client: Client) -> None:
    body = shown(client)
    (sort,) = data("reliability")["played"]
    assert (sort["is_simulated"], sort["closed"], sort["missed"]) == (True, 6, 0)
    models = {row["model"]: row for row in data("reliability")["coverage"]}
    assert set(models) == {agent.model for agent in _models(played)}
    assert models["offline/refuser"]["valid"] == 0
    assert all(row["is_simulated"] for row in models.values())
    labels = Page(body).texts("span", class_="kind kind-simulated")
    assert len(labels) == len(RunKind) + len(models) + len(["weeks", "the head of a ledger"])


def _models(played: Played) -> list[Any]:
    return [entry.agent for entry in played.season.entries.exclude(agent__kind="baseline").select_related("agent")]


def test_the_head_of_a_ledger_moves_with_every_journal(played: Played, client: Client) -> None:
    (head,) = data("reliability")["ledger_heads"]
    assert head["portfolios"] == played.season.entries.count()
    assert head["sha256"] in shown(client)
    portfolio = played.season.entries.order_by("number")[0].portfolio
    newest = portfolio.journals.order_by("-sequence")[0]
    with transaction.atomic():
        again = {"key": "again", "kind": newest.kind, "at": NIGHT, "hash": "0" * 64}
        portfolio.journals.create(sequence=newest.sequence + 1, **again)
        (moved,) = data("reliability")["ledger_heads"]
        transaction.set_rollback(True)  # it has no postings, and the database would say so at the commit
    assert moved["journals"] == head["journals"] + 1
    assert moved["sha256"] != head["sha256"]


def test_it_takes_as_many_queries_however_much_there_is(
    played: Played, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for seed in range(20):
        keep_run(replace(SOAK, seed=seed))
    with django_assert_num_queries(10):
        client.get("/reliability/")


def test_the_page_is_found_from_every_page_and_from_the_audit(played: Played, client: Client) -> None:
    assert Page(played.get()).all("a", href="/reliability/")
