"""Records of calls fit into what may be sent: figures always stay, long texts give way to a note."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.calls import CallRecord, Message, Usage
from agents.core.records import DEPTH_MAX, clean, fit
from agents.core.redaction import NESTED_TOO_DEEPLY
from tests.notation import some


def record(number: int, message: str, reply: str = "ok") -> CallRecord:
    return CallRecord(
        role="single",
        number=number,
        requested_model="openai/x",
        messages=(Message(role="user", content=message),),
        reply=reply,
        usage=Usage(prompt=number, completion=1),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        latency_ms=5,
    )


def size(records: tuple[CallRecord, ...]) -> int:
    return sum(len(one.model_dump_json().encode()) + 1 for one in records)


def test_records_that_fit_stay_as_they_are() -> None:
    records = [record(1, "short"), record(2, "as well")]
    assert fit(records, 10_000) == tuple(records)


def test_of_the_largest_record_the_messages_go_first_with_their_size_and_hash() -> None:
    long = "x" * 5_000
    small, cut = fit([record(1, "small"), record(2, long)], 2_000)
    assert small == record(1, "small")
    assert cut.messages[0].content == f"[cut: 5000 bytes, sha256 {hashlib.sha256(long.encode()).hexdigest()}]"
    assert cut.reply == "ok"


def test_replies_go_when_messages_were_not_enough() -> None:
    (cut,) = fit([record(1, "x" * 5_000, "y" * 5_000)], 2_000)
    assert cut.reply.startswith("[cut: 5000 bytes, sha256 ")


@some
@given(sizes=st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 9_000)), min_size=1, max_size=8))
def test_no_record_and_no_figure_is_ever_lost(sizes: list[tuple[int, int]]) -> None:
    records = [record(at + 1, "m" * message, "é" * reply) for at, (message, reply) in enumerate(sizes)]
    kept = fit(records, 8_000)
    assert size(kept) <= 8_000
    assert [(one.number, one.usage, one.latency_ms) for one in kept] == [
        (one.number, one.usage, one.latency_ms) for one in records
    ]


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ({"A": ["a", 1, None, True, 0.5]}, {"a": ["a", 1, None, True, 0.5]}),
        (("A", b"raw"), ["a", "[bytes]"]),
        (float("nan"), "[float]"),
        ({1: {2}}, {"1": "[set]"}),
    ],
)
def test_a_value_becomes_plain_json_with_every_text_fixed(value: object, cleaned: object) -> None:
    assert clean(value, str.lower) == cleaned


def test_nesting_without_end_is_ended() -> None:
    deep: object = "bottom"
    for _ in range(DEPTH_MAX + 1):
        deep = [deep]
    assert NESTED_TOO_DEEPLY in str(clean(deep, str))
    assert clean(deep, str, DEPTH_MAX + 1) == deep
