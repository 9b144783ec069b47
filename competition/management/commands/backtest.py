"""Play agents over candles that are over, through the one engine, and print what they came to."""

import json
import sys
import time
import uuid
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from agents.budget import caps_of
from competition.core.backtest_parameters import BacktestParameters
from competition.core.backtest_report import lines_of
from competition.core.states import BacktestState
from competition.management.backtest_flags import add_wish_flags, told_with_flags, wish_from
from competition.services.backtest_costs import cost_of
from competition.services.backtest_reads import BacktestResult, document_of, result_of, status_of
from competition.services.backtest_requests import BacktestRefused, ask_for
from competition.services.backtest_runs import OnProgress, run_backtest
from competition.services.backtests import Asker, cancel

LOOK_EVERY_S = 0.2


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Plays agents over stored or synthetic candles. What was played before over the same data is shown at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_wish_flags(parser)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backtest, is_work_left = ask_for(wish_from(options), Asker("command"), timezone.now())
        except BacktestRefused as refused:
            raise CommandError(told_with_flags(refused.problems)) from None
        if is_work_left:
            parameters = BacktestParameters.model_validate(backtest.parameters)
            if told := cost_of(parameters, caps_of(settings), timezone.now()).sentence():
                self.stderr.write(told)
            self._play(backtest.key)
        found = result_of(backtest.key, timezone.now())
        if found is None or found.status.state != BacktestState.DONE:
            raise CommandError(_why_not_done(backtest.key, found))
        if options["as_json"]:
            self.stdout.write(json.dumps(document_of(found), indent=2))
        else:
            self._print(found, is_new=is_work_left)

    def _play(self, key: str) -> None:
        with tqdm(unit="decision", file=sys.stderr, disable=None, leave=False) as bar:

            def watch(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                while not run_backtest(key, timezone.now, uuid.uuid4(), watch):
                    if not _is_played_elsewhere(key, watch):
                        break
                    time.sleep(LOOK_EVERY_S)
            except KeyboardInterrupt:
                cancel(key, timezone.now())
                raise CommandError(f"Backtest {key} is cancelled. The same command begins it again.") from None

    def _print(self, found: BacktestResult, *, is_new: bool) -> None:
        notes, status = found.notes, found.status
        self.stdout.write(
            f"{notes['candles']:,} candles, {notes['moments']:,} moments of decision from {notes['first_decision']} to "
            f"{notes['last_decision']}; filled at the {notes['fills']}"
        )
        if notes["holes_count"]:
            first = "{from} to {to}".format_map(notes["holes"][0])
            self.stdout.write(f"{notes['holes_count']} holes in the candles, not filled; the first from {first}")
        if status.parameters.source == "synthetic":
            self.stdout.write("The market is made up, out of a seed.")
        self.stdout.write(f"{status.label_text}\n")
        for line in lines_of(list(found.agents)):
            self.stdout.write(line)
        done = "played" if is_new else "played before"
        self.stdout.write(f"\nbacktest {status.key}, {done} in {status.seconds:.2f} s")
        for result in found.agents:
            self.stdout.write(f"postings sha256 of {result.agent}: {result.postings_sha256}")


def _is_played_elsewhere(key: str, watch: OnProgress) -> bool:
    """A worker may be quicker than the command that asked: what it plays is waited for like one's own."""
    status = status_of(key, timezone.now())
    if status is None or not status.is_under_way:
        return False
    if status.progress_total:
        watch(status.progress_done, status.progress_total)
    return True


def _why_not_done(key: str, found: BacktestResult | None) -> str:
    if found is None:
        return f"Backtest {key} is gone; ask again."
    if found.status.state == BacktestState.FAILED:
        return found.status.error
    return f"Backtest {key} was cancelled. The same command begins it again."
