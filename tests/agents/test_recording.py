"""Calls are kept as they were, cleaned and bounded, and charged what the budget is then charged."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.budget import held_for, reserve, settle
from agents.core.budgeting import PricedCall, Scope, allowance_for
from agents.core.calls import CallRecord, ErrorClass, Message, Usage
from agents.core.charging import Charged, ChargedBy, charges
from agents.core.parameters import AgentParameters
from agents.core.pricing import NOTHING, Worst
from agents.models import Attempt, Call, Charge, Price
from agents.prices import card_of
from agents.recording import Recorded, record_calls
from market.core.canonical import sha256_of
from tests.agents.money import CAPS, MODEL, NOW, a_record, an_attempt, card, planned, worst

PLAN = (planned(),)  # 1,000 prompt and 500 reply tokens at most: 0.003 USD a try
BOUND = worst(1_500, "0.003")
KEY = "sk-planted-0123456789abcdef"


def charged(*records: CallRecord, held: Worst = BOUND + BOUND, plan: tuple[PricedCall, ...] = PLAN) -> list[Charged]:
    return list(charges(records, plan, {MODEL: card()}, held))


# Charging, without a database


def test_a_call_is_charged_what_its_provider_reports() -> None:
    (found,) = charged(a_record(usage=Usage(prompt=100, completion=50, reasoning=40, cached=60)))
    # 40 prompt tokens at 1, 60 cached at 0.1, 50 of reply (reasoning among them) at 4 USD per million
    assert (found.by, found.amount, found.doubt) == (ChargedBy.USAGE, worst(150, "0.000246"), "")


@pytest.mark.parametrize(
    ("usage", "doubted"),
    [
        (None, False),
        (Usage(prompt=0, completion=0), True),
        (Usage(prompt=0, completion=50), True),
        (Usage(prompt=100, completion=0), True),
        (Usage(prompt=100, completion=50, reasoning=51), True),
        (Usage(prompt=100, completion=50, cached=101), True),
        (Usage(prompt=1_400, completion=101), True),
        (Usage(prompt=1, completion=1_000), True),
        (Usage(prompt=2**31 - 1, completion=1), True),
    ],
)
def test_usage_that_is_missing_or_cannot_be_is_charged_as_the_worst_case(usage: Usage | None, doubted: bool) -> None:
    (found,) = charged(a_record(usage=usage))
    assert (found.by, found.amount, bool(found.doubt)) == (ChargedBy.WORST, BOUND, doubted)


def test_a_failed_try_is_charged_too_and_an_unsent_one_is_not() -> None:
    failed = a_record(prompt=None, reply="", error_class=ErrorClass.SERVER_ERROR)
    killed = a_record(prompt=None, reply="", error_class=ErrorClass.KILLED, number=2)
    unsent = a_record(prompt=None, reply="", error_class=ErrorClass.OVER_ALLOWANCE, number=3)
    assert [found.amount for found in charged(failed, killed, unsent)] == [BOUND, BOUND, NOTHING]


@pytest.mark.parametrize("error_class", [ErrorClass.KEY_REFUSED, ErrorClass.MODEL_UNKNOWN, ErrorClass.CONNECTION])
def test_what_never_left_the_runner_costs_nothing(error_class: ErrorClass) -> None:
    (found,) = charged(a_record(prompt=None, reply="", error_class=error_class, was_sent=False))
    assert (found.by, found.amount) == (ChargedBy.NOTHING, NOTHING)


@pytest.mark.parametrize(
    "sign",
    [
        {"reply": "Something"},
        {"usage": Usage(prompt=1_000, completion=500)},
        {"usage_raw": {"prompt_tokens": 1}},
        {"status": 500},
        {"error_class": None},
    ],
)
def test_a_call_that_shows_signs_of_a_model_is_charged_whatever_is_said_of_sending_it(sign: dict[str, Any]) -> None:
    silent = {"prompt": None, "reply": "", "error_class": ErrorClass.CONNECTION, "was_sent": False}
    (found,) = charged(a_record(**{**silent, **sign}))
    assert found.amount == BOUND


def test_a_rate_limit_is_free_unless_something_was_said_after_all() -> None:
    limited = {"prompt": None, "reply": "", "error_class": ErrorClass.RATE_LIMITED, "status": 429}
    free, used = charged(a_record(**limited), a_record(**{**limited, "usage_raw": {"total_tokens": 9}}, number=2))
    assert (free.amount, used.amount) == (NOTHING, BOUND)


def test_who_asks_what_nobody_planned_is_charged_all_that_is_left() -> None:
    usual, other_model, other_role = a_record(), a_record(requested_model="openai/dearer"), a_record(role="poet")
    first, second, third = charged(usual, other_model, other_role)
    assert (first.amount + second.amount, third.amount) == (BOUND + BOUND, NOTHING)
    assert "nobody planned to ask openai/dearer" in second.doubt
    assert third.doubt


def test_the_last_try_is_charged_no_more_than_is_left_and_says_so() -> None:
    _, second = charged(a_record(prompt=None, reply=""), a_record(prompt=900, completion=400), held=BOUND + worst(10))
    assert (second.amount, second.doubt) == (
        worst(10),
        "decider, try 1: it used more than was left of what had been set aside",
    )


def test_a_role_that_may_be_asked_twice_is_bound_by_the_larger_of_the_two() -> None:
    for plan in ((planned(prompt=100), planned(prompt=1_000)), (planned(prompt=1_000), planned(prompt=100))):
        (found,) = charged(a_record(prompt=None), plan=plan)
        assert found.amount == BOUND


def test_a_foreign_agents_own_calls_cost_us_nothing() -> None:
    (found,) = charged(a_record(requested_model="anyone/anything"), held=NOTHING, plan=())
    assert (found.by, found.amount, found.card, found.doubt) == (ChargedBy.NOTHING, NOTHING, None, "")


tokens = st.integers(0, 2_000)
usages = st.none() | st.builds(Usage, prompt=tokens, completion=tokens, reasoning=tokens, cached=tokens)
records = st.builds(
    a_record,
    usage=usages,
    number=st.integers(1, 3),
    role=st.sampled_from(["decider", "decider", "decider", "poet"]),
    requested_model=st.sampled_from([MODEL, MODEL, MODEL, "openai/other"]),
    error_class=st.none() | st.sampled_from(ErrorClass),
)


@given(st.lists(records, max_size=8), st.integers(0, 5))
def test_whatever_is_reported_no_more_is_charged_than_was_set_aside(reported: list[CallRecord], tries: int) -> None:
    held = sum((BOUND for _ in range(tries)), NOTHING)
    total = sum((found.amount for found in charged(*reported, held=held)), NOTHING)
    assert total.fits_in(held)


def test_rows_and_core_mean_the_same_by_a_charge() -> None:
    assert [by.value for by in ChargedBy] == Charge.values


# Rows


def a_price() -> Price:
    return Price.objects.create(
        model=MODEL,
        valid_from=NOW,
        prompt_usd=Decimal(1),
        completion_usd=Decimal(4),
        cached_usd=Decimal("0.1"),
        source="a test",
    )


def without_key(text: str) -> str:
    return text.replace(KEY, "[key removed]")


def kept(*reported: CallRecord, attempt: Attempt | None = None, held: Worst = BOUND + BOUND) -> Recorded:
    cards = {MODEL: card_of(a_price())}
    plan = (PricedCall("decider", cards[MODEL], 1_000, 500),)
    return record_calls(attempt or an_attempt(), reported, plan, cards, held, without_key)


@pytest.mark.django_db
def test_every_try_becomes_a_row_in_the_order_in_which_they_began() -> None:
    later, sooner = a_record(number=2, started_at=NOW + timedelta(seconds=5)), a_record(prompt=None)
    kept(later, sooner)
    rows = list(Call.objects.order_by("position"))
    assert [(row.position, row.number, row.charge) for row in rows] == [(1, 1, "worst"), (2, 2, "usage")]
    assert (rows[1].prompt_tokens, rows[1].completion_tokens, rows[1].usd) == (100, 50, Decimal("0.0003"))
    assert rows[1].price == Price.objects.get(model=MODEL)
    assert rows[1].returned_model == "gpt-5-2026-01-01"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "reported",
    [
        [a_record()],
        [a_record(prompt=None), a_record(number=2)],
        [a_record(prompt=10_000), a_record(number=2, error_class=ErrorClass.KILLED, usage=None)],
        [a_record(role="poet"), a_record()],
        [],
    ],
)
def test_calls_and_reservation_are_charged_the_same(reported: list[CallRecord]) -> None:
    attempt = an_attempt()
    allowed = allowance_for(MODEL, AgentParameters(), [PlannedDecider()], {MODEL: card()}, CAPS)
    assert isinstance(allowed, Worst)
    row = reserve(attempt, [Scope("day", None, None)], allowed, NOW)
    recorded = kept(*reported, attempt=attempt, held=held_for(attempt))
    settlement = settle(row, recorded.charged, NOW)
    assert not settlement.overdrawn
    of_calls = Worst(
        tokens=sum(call.tokens_charged for call in Call.objects.all()),
        usd=sum((call.usd for call in Call.objects.all()), Decimal(0)),
    )
    row.refresh_from_db()
    assert of_calls == recorded.charged == Worst(tokens=row.tokens_charged, usd=row.usd_charged)


class PlannedDecider:
    role, tier, prompt_tokens_max, completion_tokens_max = "decider", "desk", 1_000, 500


@pytest.mark.django_db
def test_a_planted_key_is_in_no_field_of_the_row() -> None:
    record = a_record(
        reply=f"my key is {KEY}",
        messages=(Message(role="user", content=f"use {KEY}"),),
        returned_model=KEY,
        finish_reason=KEY,
        error_detail=f"401 for {KEY}",
        provider_request_id=KEY,
        usage_raw={KEY: [KEY, {"deep": KEY}]},
        parameters={"api_key": KEY},
    )
    kept(record)
    assert KEY not in str(Call.objects.values().get())
    assert "[key removed]" in Call.objects.get().reply


@pytest.mark.django_db
def test_a_key_across_the_cut_leaves_no_half_behind() -> None:
    kept(a_record(reply="x" * (65_536 - 10) + KEY))
    reply = Call.objects.get().reply
    assert len(reply) == 65_536
    assert "sk-planted" not in reply


@pytest.mark.django_db
def test_both_hashes_can_be_computed_again_from_the_row() -> None:
    odd = {"temperature": 0.7, "big": 1e22, "zero": -0.0, "nan": float("nan"), "huge": 10**5_000 % 2**300, "n": None}
    kept(a_record(reply="Grüße \ud800 \x00", parameters=odd, request_sha256="f" * 64))
    row = Call.objects.get()
    request = {"model": row.requested_model, "messages": row.messages, "parameters": row.parameters}
    assert row.request_sha256 == sha256_of(request)
    assert row.reply_sha256 == sha256(row.reply.encode()).hexdigest()
    assert "\x00" not in row.reply


def nested(depth: int) -> dict[str, Any]:
    return {"in": nested(depth - 1)} if depth else {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field", "stored"),
    [
        ({"usage_raw": {"a": "x" * 9_000}}, "usage_raw", None),
        ({"usage_raw": {str(n): n for n in range(2_000)}}, "usage_raw", {"left out": "25780 characters"}),
        ({"usage_raw": nested(200)}, "usage_raw", None),
        ({"usage_raw": {"nul\x00": "\x00"}}, "usage_raw", {"nul\ufffd": "\ufffd"}),
        ({"status": 2**40}, "status", None),
        ({"status": 429}, "status", 429),
        ({"latency_ms": 2**40}, "latency_ms", 2**31 - 1),
        ({"role": "de\x00cider"}, "role", "de\ufffdcider"),
        ({"started_at": datetime(1, 1, 1, tzinfo=UTC)}, "started_at", NOW),
        ({"started_at": NOW.replace(tzinfo=None)}, "started_at", NOW),
    ],
)
def test_what_a_database_would_choke_on_is_kept_in_another_way(
    changes: dict[str, Any], field: str, stored: object
) -> None:
    kept(a_record(**changes))
    found = getattr(Call.objects.get(), field)
    assert len(str(found)) < 9_000
    assert stored is None or found == stored


@pytest.mark.django_db
def test_more_calls_than_any_agent_makes_are_cut_off_and_told() -> None:
    recorded = kept(*[a_record(number=1) for _ in range(101)])
    assert Call.objects.count() == 100
    assert "101 calls were reported; the first 100 are kept" in recorded.doubts
