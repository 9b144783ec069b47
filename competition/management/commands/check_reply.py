"""Read raw replies as a season would, and print what would have counted: one JSON line per reply."""

import json
import math
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from pydantic import ValidationError

from agents.core.answers import Answer
from agents.core.reply import REPLY_BYTES_MAX
from agents.core.text import storable
from competition.core.engine import judge
from competition.models import Season
from portfolio.core.decisions import Bounds, Verdict, decision_content

LINE_BYTES_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """A reply to check: the number of its line, the answer, and whatever else the line says about it."""

    line: int
    answer: Answer
    others: dict[str, Any] = field(default_factory=dict)


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Reads raw replies by the rules of a season and prints one JSON line each: outcome (hold, rebalance or "
        "rejected), decision, violations, and what was peeled off. Every reply is held against a book that holds the "
        "season's start capital in cash, with all symbols of the universe tradable; so turnover is counted from cash. "
        "The exit status is 0 when everything could be read from the input, whatever the outcomes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--season", required=True, metavar="SLUG", help="the season whose rules count")
        parser.add_argument(
            "--jsonl",
            type=Path,
            metavar="FILE",
            help="one JSON object per line with the reply in the field raw, and optionally truncated: true; other "
            "fields are echoed, those named like a field of the result inside given. "
            "Without it, standard input is one reply",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        bounds = _bounds_of(options["season"])
        try:
            for sample in _from_file(options["jsonl"]) if options["jsonl"] else [_from_stdin(sys.stdin.buffer)]:
                self.stdout.write(json.dumps(_result(sample, judge(sample.answer, bounds))))
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever read us has seen enough; what is still buffered must not fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bounds_of(slug: str) -> Bounds:
    try:
        rules = Season.objects.get(slug=slug).rule_book
    except Season.DoesNotExist:
        there_are = ", ".join(Season.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no season {slug!r}. There are: {there_are}.") from None
    except ValidationError as error:
        raise CommandError(f"The rules of season {slug!r} cannot be used: {error.errors()[0]['msg']}.") from None
    return Bounds(rules.limits, frozenset(rules.universe), rules.quote, held={})


def _result(sample: Sample, verdict: Verdict) -> dict[str, Any]:
    found = {
        "line": sample.line,
        "outcome": verdict.kind.value,
        "decision": decision_content(verdict.decision) if verdict.decision else None,
        "violations": [asdict(violation) for violation in verdict.violations],
        "unwrapped": list(verdict.unwrapped),
    }
    echoed = {name: value for name, value in sample.others.items() if name not in found and name != "given"}
    given = {name: value for name, value in sample.others.items() if name not in echoed}
    return {**echoed, **found, **({"given": given} if given else {})}


def _from_stdin(stream: BinaryIO) -> Sample:
    """All of standard input as one reply; of one that is too long only as much as shows that it is."""
    content = stream.read(REPLY_BYTES_MAX + 1)
    try:
        text = content.decode("utf-8", "replace" if len(content) > REPLY_BYTES_MAX else "strict")
    except UnicodeDecodeError as error:
        raise CommandError(f"Standard input is not UTF-8 text: byte {error.start} cannot be read.") from None
    return Sample(1, Answer(storable(text)))


def _from_file(path: Path) -> Iterator[Sample]:
    try:
        with path.open("rb") as stream:
            number = 0
            while content := stream.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(content) > LINE_BYTES_MAX:
                    raise CommandError(f"{path}, line {number}: longer than {LINE_BYTES_MAX} bytes.")
                if content.strip():
                    yield _sample(content, f"{path}, line {number}", number)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def _sample(content: bytes, where: str, number: int) -> Sample:
    try:
        line = json.loads(content, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise CommandError(f"{where}: not JSON: {reason}.") from None
    if not isinstance(line, dict) or not isinstance(line.get("raw"), str):
        raise CommandError(f'{where}: no reply; write an object with the reply as text in the field "raw".')
    truncated = line.pop("truncated", False)
    if not isinstance(truncated, bool):
        raise CommandError(f"{where}: truncated is neither true nor false.")
    return Sample(number, Answer(storable(line.pop("raw")), truncated), line)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number
