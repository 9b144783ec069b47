"""The auditor finds nothing in a sound record, and every fault that is planted under what the database forbids."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import CallRecord, Message, Usage
from agents.models import Call, Reservation
from competition.services.auditing import report_of
from tests.databases import fresh_copy
from tests.live.stage import Stage, in_process


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
        started_at=DUE,
        latency_ms=1200,
    )
    return dataclasses.replace(said, calls=(record,))


def test_try(stage: Stage) -> None:
    global DUE
    DUE = stage.now
    stage.ask = with_calls
    stage.play_cycle(1)
    stage.play_cycle(2)
    print(Call.objects.count(), Reservation.objects.count(), stage.season.turns if hasattr(stage.season, "turns") else "")
    report = report_of([stage.season], stage.now)
    for f in report.findings: print(f.check, f)
    assert not report.findings
