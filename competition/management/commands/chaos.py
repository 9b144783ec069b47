"""Break a whole site of its own, process by process, and say whether anything was lost, doubled or left undone."""

import json
import math
import secrets
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.utils import DatabaseError

from competition.models import ReliabilityRun
from competition.services.reliability import keep_run

MINUTES_MAX = 24 * 60
SEEDS = 2**31


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Starts web, tickers, beat, workers, runner, exchange double, PostgreSQL and Redis in a folder of their own, "
        "kills and freezes them at random while weeks of fifteen seconds are played, and then checks the whole record. "
        "The result is kept for the public page; exits with 1 when anything did not hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=1.0, help="how long faults fall; default: 1")
        parser.add_argument("--seed", type=int, help="which faults fall in which order; default: any")
        parser.add_argument("--json", action="store_true", help="the result as JSON, the story to standard error")
        parser.add_argument(
            "--leave-unknown",
            action="store_true",
            help="do not wait the twelve minutes after which the outcome of every order is known",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        minutes, seed = options["minutes"], options["seed"]
        if not 0 < minutes <= MINUTES_MAX or not math.isfinite(minutes):
            raise CommandError(f"--minutes must be above 0 and at most {MINUTES_MAX}, not {minutes:g}.")
        if seed is None:
            seed = secrets.randbelow(SEEDS)
        if not 0 <= seed < SEEDS:
            raise CommandError(f"--seed must be from 0 to {SEEDS - 1}, not {seed}.")
        _check_it_can_be_kept()
        connection.close()  # it may be hours until the result is written
        kept = self._run(minutes, seed, options)
        self.stdout.write(_json(kept) if options["json"] else _text(kept))
        if kept.violations:
            raise CommandError(f"{kept.violations} violations.")

    def _run(self, minutes: float, seed: int, options: dict[str, Any]) -> ReliabilityRun:
        story = self.stderr if options["json"] else self.stdout
        try:
            from config.chaos.start import NotPlayed, Wanted, run
            from config.engines import data_folder

            wanted = Wanted(minutes, seed, wait_for_orders=not options["leave_unknown"])
            try:
                return keep_run(run(wanted, data_folder(settings.DATA), story.write))
            except NotPlayed as why:
                raise CommandError(str(why)) from None
        except ImproperlyConfigured as why:  # without engines of its own
            raise CommandError(str(why)) from None


def _check_it_can_be_kept() -> None:
    """Before it is played and not after, when it would be lost."""
    try:
        ReliabilityRun.objects.exists()
    except DatabaseError as error:
        raise CommandError(f"The result could not be kept: {str(error).strip()}\nRun manage.py migrate.") from None


def _text(kept: ReliabilityRun) -> str:
    lines = ["", f"Seed {kept.seed}, {(kept.ended_at - kept.started_at).total_seconds():.0f} s in all."]
    for title, numbers in (("Played", kept.counts), ("Broken", kept.faults)):
        lines += [f"{title}:", *(f"{number:>8,}  {name}" for name, number in numbers.items())]
    lines += ["Violations:" if kept.findings else "No violation.", *(f"  {one}" for one in kept.findings)]
    return "\n".join(lines)


def _json(kept: ReliabilityRun) -> str:
    told = {name: getattr(kept, name) for name in ("kind", "version", "commit", "seed", "counts", "faults")}
    instants = {"started_at": kept.started_at.isoformat(), "ended_at": kept.ended_at.isoformat()}
    return json.dumps({**told, **instants, "violations": kept.violations, "findings": kept.findings}, indent=2)
