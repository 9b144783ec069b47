"""Play many short seasons on a made-up clock with everything going wrong, and say whether anything did not hold."""

import json
import logging
import math
import secrets
import time
from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from competition.core.reliability import RunKind, RunResult
from competition.services.reliability import keep_run

SEEDS = 2**31
NUMBER_MAX, PROCESSES_MAX = 1_000_000, 64
SIMULATOR = "tests.simulation"
NOT_SHIPPED = (
    "The simulator is part of the tests, which an image does not carry: run this in a checkout, after `make setup`."
)


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Plays short seasons on the steps of the site and a scratch database, by seeded dice: workers killed, frozen, "
        "told lies, a hostile exchange, hostile models. The result is kept; exits with 1 when anything did not hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--schedules", type=int, default=50, help="how many; default: 50")
        parser.add_argument("--seed", type=int, help="the first of their seeds; default: any")
        parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many; default: never")
        every = "play each seed, or the first N, twice, and compare what is told"
        parser.add_argument("--twice", type=int, nargs="?", const=NUMBER_MAX, default=0, metavar="N", help=every)
        parser.add_argument("--processes", type=int, default=1, help="how many play side by side; default: 1")
        parser.add_argument("--json", action="store_true", help="the result as JSON, progress to standard error")

    def handle(self, *args: Any, **options: Any) -> None:
        first, number = options["seed"], options["schedules"]
        if first is None:
            first = secrets.randbelow(SEEDS)
        if not 0 < number <= NUMBER_MAX:
            raise CommandError(f"--schedules must be from 1 to {NUMBER_MAX}, not {number}.")
        if not 0 <= first < SEEDS:
            raise CommandError(f"--seed must be from 0 to {SEEDS - 1}, not {first}.")
        if not 0 < options["processes"] <= PROCESSES_MAX:
            raise CommandError(f"--processes must be from 1 to {PROCESSES_MAX}, not {options['processes']}.")
        if options["twice"] < 0:
            raise CommandError(f"--twice must be 0 or above, not {options['twice']}.")
        if not options["minutes"] > 0:
            raise CommandError(f"--minutes must be above 0, not {options['minutes']:g}.")
        told, result = self._play(first, number, options)
        keep_run(result)
        self.stdout.write(_json(told, result) if options["json"] else _text(told, result))
        if result.findings:
            raise CommandError(f"{len(result.findings)} violations.")

    def _play(self, first: int, number: int, options: dict[str, Any]) -> tuple[Any, RunResult]:
        simulator, not_allowed = _simulator()
        progress, began, ends = self.stderr.write, timezone.now(), time.monotonic() + 60 * options["minutes"]

        def tell(told: Any, played: Any) -> None:
            if played.violation:
                progress(played.violation)
            if told.schedules % 10 == 0:
                progress(f"{told.schedules} of {number} schedules, {len(told.violations)} violations")

        logging.disable(logging.CRITICAL)  # of what is broken on purpose
        try:
            told = simulator.rehearse(
                simulator.Piece(first, number, options["twice"]),
                tell,
                processes=options["processes"],
                stop=lambda: time.monotonic() > ends,
            )
        except not_allowed as why:
            raise CommandError(str(why)) from None
        finally:
            logging.disable(logging.NOTSET)
        findings = [story.splitlines()[0] for story in told.violations]
        findings += [f"seed {seed} told two stories" for seed in told.differing]
        counts = {"schedules": told.schedules, "crash points": len(told.points())}
        if told.retold:
            counts["seeds that told the same story twice"] = told.retold - len(told.differing)
        return told, RunResult(
            *(RunKind.SIMULATION, first, began, timezone.now(), counts, told.faults(), tuple(findings)),
            seeds_count=max(told.schedules, 1),
        )


def _simulator() -> tuple[Any, type[Exception]]:
    """The simulator, and what it raises when it may not play here. By name: the product imports no test."""
    try:
        return import_module(f"{SIMULATOR}.rehearsal"), import_module(f"{SIMULATOR}.scratch").NotAllowed
    except ImportError:
        raise CommandError(NOT_SHIPPED) from None


def _text(told: Any, result: RunResult) -> str:
    lines = [f"Seeds from {result.seed} on, {(result.ended_at - result.started_at).total_seconds():.0f} s."]
    for title, numbers in (("Played", result.counts), ("Broken", result.faults), ("Crash points hit", told.points())):
        lines += [f"{title}:", *(f"{number:>8,}  {name}" for name, number in numbers.items())]
    return "\n".join([*lines, *result.findings, f"{len(result.findings)} violations."])


def _json(told: Any, result: RunResult) -> str:
    return json.dumps(
        {
            "seed": result.seed,
            "seconds": round((result.ended_at - result.started_at).total_seconds()),
            "counts": result.counts,
            "faults": result.faults,
            "crash_points": told.points(),
            "violations": list(result.findings),
        },
        indent=2,
    )
