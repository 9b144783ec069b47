"""The auditor finds nothing in a sound record, and every fault that is planted past what the database forbids."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import CallRecord, Message, Usage
from agents.core.roster import house
from agents.models import Attempt, Call
from competition.core.findings import WORDS, Finding, Invariant
from competition.core.schedule import boundary
from competition.core.states import CycleState
from competition.models import Audit, Season
from competition.services import auditing
from competition.services.auditing_texts import nothing_stored_has_the_shape_of_a_key
from competition.tasks import audit as nightly
from tests.databases import connected_to, fresh_copy
from tests.live.planted import PLANTS, Plant, planted, sql
from tests.live.stage import SEED, START, SYMBOLS, Stage, in_process, weekly_rules

REGISTRIES = (
    auditing.LEDGER_CHECKS,
    auditing.ENTRY_CHECKS,
    auditing.SEASON_CHECKS,
    auditing.ROW_CHECKS,
    auditing.RECORD_CHECKS,
)
INVARIANT_OF = {check.__name__: invariant for registry in REGISTRIES for invariant, check in registry}
# One of each shape that `agents.core.redaction` takes for a key.
KEYS = (
    "sk-proj-abcdefghijklmnop1234",
    "Incorrect API key provided: sk-abcd1****************wxyz.",
    "AIzaSyA0123456789abcdefghijklmnopqrs",
    "gsk_0123456789abcdefghij",
    "xai-0123456789abcdefghij",
    "hf_0123456789abcdefghij",
    "pplx-0123456789abcdefghij",
    "r8_0123456789abcdefghij",
    "AKIAABCDEFGHIJKLMNOP",
    "Authorization: Bearer eyJhbGciOi.J9.abc123def456",
    "Authorization: basic dXNlcjpwYXNzd29yZDE=",
    "https://host/v1?alt=json&key=whatever1&x=2",
    "https://host/v1?api_key=whatever1",
    "https://host/v1?api-key=whatever1",
    "https://host/v1?access_token=whatever1",
)
OF_EVERY_KIND = ("all-cash", "btc-hold", "random", "steady", "swinger", "garbled", "latecomer", "refuser")
NOW = boundary(weekly_rules(), 3) + timedelta(seconds=1)


async def with_calls(question: Question) -> Answer | NoAnswer:
    """What the runner would say, with an account of the one call behind it for whoever asks a model."""
    said = await in_process(question)
    if not question.cards:
        return said
    record = CallRecord(
        role="single",
        number=1,
        requested_model=question.model,
        messages=(Message(role="user", content="What now?"),),
        reply=said.text if isinstance(said, Answer) else "",
        usage=Usage(prompt=1000, completion=500, cached=200),
        finish_reason="stop",
        started_at=START,
        latency_ms=1200,
    )
    return replace(said, calls=(record,))


@pytest.fixture(scope="module")
def sound(migrated_template: str, django_db_blocker) -> Iterator[str]:
    """A database in which an entry of each kind has played two weeks, with calls, and the third has opened."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template) as name:
        stage = Stage.set(profiles=tuple(one for one in house(SEED, SYMBOLS) if one.slug in OF_EVERY_KIND))
        stage.ask = with_calls
        for number in (1, 2):
            stage.play_cycle(number)
        stage.tick(boundary(stage.season.rule_book, 3))
        assert Call.objects.exists()
        assert stage.cycle(3).state == CycleState.ASKING
        connections.close_all()
        yield name


@pytest.fixture
def record(sound: str) -> Iterator[None]:
    """That database in a transaction, of which nothing is left."""
    with connected_to(sound), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def committed(sound: str) -> Iterator[None]:
    """A copy of that database, for a test in which an audit has a transaction of its own."""
    with fresh_copy(sound):
        yield


def found(now: datetime = NOW) -> set[str]:
    report = auditing.report_of(Season.objects.all(), now)
    assert report.count == sum(report.counts.values())
    return {finding.check for finding in report.findings}


def test_a_sound_record_gives_no_finding(record: None) -> None:
    assert found() == set()


def test_whoever_was_asked_and_silent_before_the_money_ran_out_is_silent(record: None) -> None:
    planted("UPDATE competition_turn SET over_budget = 'its day is spent' WHERE verdict = 'silent'")(NOW)
    assert found() == set()


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.check)
def test_a_planted_fault_is_found_by_its_check_and_no_other(record: None, plant: Plant) -> None:
    plant.does(NOW)
    assert found() == {plant.check, *plant.also}


def test_a_cycle_that_stands_still_is_found(record: None) -> None:
    assert found(NOW + timedelta(days=4)) == {"no_cycle_stands_still"}


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {plant.check for plant in PLANTS} | {"no_cycle_stands_still"} == {*INVARIANT_OF, "it_can_be_read"}


def test_every_invariant_has_a_check_and_words() -> None:
    assert set(INVARIANT_OF.values()) == set(Invariant) == set(WORDS)


def test_a_key_of_every_shape_is_found_in_a_text_and_in_json(record: None) -> None:
    attempts = Attempt.objects.order_by("id").values_list("id", flat=True)[: len(KEYS)]
    for attempt, text in zip(attempts, KEYS, strict=True):
        sql("UPDATE agents_attempt SET reason = %s WHERE id = %s", text, attempt)
        sql("UPDATE agents_attempt SET deliberation = jsonb_build_object('said', jsonb_build_array(%s::text))"
            " WHERE id = %s", f"it said:\n{text}", attempt)  # fmt: skip
    expected = [f"{column} of attempt {attempt}" for attempt in attempts for column in ("reason", "deliberation")]
    assert [
        found.removesuffix(" has the shape of a key") for found in nothing_stored_has_the_shape_of_a_key()
    ] == expected


def test_what_was_executed_in_a_turn_set_aside_is_told_and_is_no_fault(record: None) -> None:
    """As quarantine leaves it: the fills stay on record, and nothing of them is posted, counted or valued."""
    (plant,) = (plant for plant in PLANTS if plant.check == "orders_follow_from_a_decision")
    plant.does(NOW)
    sql("INSERT INTO portfolio_fill (order_id, venue, symbol, trade_id, quantity, price, quote_amount, fee, fee_asset,"
        " at) SELECT portfolio_order.id, 'paper', symbol, 'x/1', 1, 1, 1, 0, 'USDT', trade_as_of FROM portfolio_order,"
        " competition_cycle WHERE competition_cycle.number = 1 AND portfolio_order.state = 'expired'")  # fmt: skip
    sql("UPDATE portfolio_order SET state = 'filled' WHERE state = 'expired'")
    sql("UPDATE competition_turn SET state = 'quarantined' WHERE id = (SELECT turn.id FROM competition_turn AS turn"
        " JOIN competition_entry AS entry ON entry.id = entry_id JOIN competition_cycle AS cycle ON cycle.id = cycle_id"
        " WHERE entry.slug = 'all-cash' AND cycle.number = 1)")  # fmt: skip
    report = auditing.report_of(Season.objects.all(), NOW)
    assert [finding.sentence for finding in report.known] == [
        "fill:BTCUSDT:x/1 of week 1 is not posted, because its turn was set aside"
    ]
    assert {finding.check for finding in report.findings} == {"orders_follow_from_a_decision"}


def test_a_seal_that_was_broken_is_missed_at_every_later_audit(committed: None) -> None:
    (plant,) = (plant for plant in PLANTS if plant.check == "ended_cycles_are_as_they_were_sealed")
    plant.does(NOW)
    assert [auditing.audit(lambda: NOW).findings_count for _ in range(3)] == [1, 1, 1]


def test_a_sound_week_moves_the_seal_on(committed: None) -> None:
    assert auditing.audit(lambda: NOW).seals["stage"]["cycles"] == 2


def test_of_many_findings_the_first_are_kept_and_all_are_counted() -> None:
    report = auditing.Report()
    for number in range(1000):
        report.add(Finding(Invariant.BOARD, "boards", "stage", f"fault {number}", known=number >= 700))
    assert (report.count, report.counts["I10"], report.known_count) == (700, 700, 300)
    assert [len(report.findings), len(report.known)] == [auditing.FINDINGS_KEPT] * 2
    assert report.findings[-1].sentence == f"fault {auditing.FINDINGS_KEPT - 1}"


def test_the_result_of_an_audit_cannot_be_edited(committed: None) -> None:
    kept = auditing.audit(lambda: NOW)
    with pytest.raises(DatabaseError, match="append-only"):
        Audit.objects.filter(id=kept.id).update(findings_count=0)


# -- The doors ------------------------------------------------------------------------------------


def test_the_command_prints_what_it_found_and_fails(committed: None) -> None:
    sql("UPDATE competition_season SET rules = jsonb_set(rules, '{on_time_s}', '121')")
    out = io.StringIO()
    with pytest.raises(CommandError, match="findings"):
        call_command("audit", "--season", "stage", stdout=out)
    assert "I12 stage: its rules no longer have the hash they were frozen under" in out.getvalue()
    assert Audit.objects.get().season == "stage"


def test_the_command_tells_json(committed: None) -> None:
    sql("UPDATE competition_season SET rules = jsonb_set(rules, '{on_time_s}', '121')")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("audit", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["counts"]["I12"] == 1
    assert "rules_are_those_it_was_opened_with" in [one["check"] for one in told["findings"]]


def test_the_command_names_the_seasons_there_are(committed: None) -> None:
    with pytest.raises(CommandError, match=r"no season 'nope'\. There are: stage"):
        call_command("audit", "--season", "nope")


def test_the_nightly_audit_keeps_its_result(committed: None) -> None:
    nightly()
    assert (Audit.objects.get().season, Audit.objects.get().counts["I6"]) == ("", 0)
