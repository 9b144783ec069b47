"""Agents over many windows and seeds: a backtest each, sent to all workers there are, and a table of what came out."""

import json
import sys
import time
import uuid
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError
from tqdm import tqdm

from competition.backtest_models import Sweep
from competition.management.backtest_flags import add_common_flags, common_of, told_with_flags
from competition.services.backtest_requests import BacktestRefused
from competition.services.backtest_runs import run_backtest
from competition.services.sweeps import (
    SweepLine,
    SweepRefused,
    ask_for_sweep,
    is_played,
    lines_of_sweep,
    waiting_in,
)
from competition.tasks import play_backtest

LOOK_EVERY_S = 0.2
QUEUE_ANSWERS_S = 5.0
PATIENCE_S = 60.0  # for the first sign of a worker


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Plays agents x windows x seeds as backtests, on any number of workers, and prints a table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--agent", action="append", required=True, dest="agents", help="slug; give it again for more"
        )
        parser.add_argument("--window", action="append", required=True, metavar="FROM:TO", help="2021-01-04:2022-01-03")
        parser.add_argument("--seeds", default="1", help="whole numbers, comma-separated; default: %(default)s")
        add_common_flags(parser)
        parser.add_argument("--here", action="store_true", help="play in this process instead of sending to workers")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        windows = [_window(text) for text in options["window"]]
        if not options["here"]:
            _check_the_queue()
        try:
            sweep = ask_for_sweep(common_of(options), windows, _seeds(options["seeds"]), timezone.now())
        except BacktestRefused as refused:
            raise CommandError(told_with_flags(refused.problems)) from None
        except SweepRefused as refused:
            raise CommandError(str(refused)) from None
        _play(sweep, here=options["here"])
        lines = lines_of_sweep(sweep)
        if options["as_json"]:
            self.stdout.write(json.dumps({"sweep": sweep.key, "lines": [asdict(line) for line in lines]}, indent=2))
            return
        self.stdout.write(
            f"{'agent':<18}{'from':<12}{'to':<12}{'seed':>6}{'return':>12}{'drawdown':>10}{'Sharpe':>8}  state"
        )
        for line in lines:
            self.stdout.write(_told(line))
        self.stdout.write(f"\nsweep {sweep.key}")


def _check_the_queue() -> None:
    """Before anything is written: without a queue nobody would hear of it."""
    app = import_string("config.celery.app")  # tasks are sent by the app that was loaded last, and commands load none
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=QUEUE_ANSWERS_S)
    except OperationalError as error:
        raise CommandError(
            f"No queue answers at REDIS_URL ({error}); nothing was asked for. Start Redis and a worker (make demo does "
            "both), or play in this process with --here."
        ) from None


def _play(sweep: Sweep, *, here: bool) -> None:
    waiting = waiting_in(sweep)
    with tqdm(total=len(waiting), unit="backtest", file=sys.stderr, disable=None, leave=False) as bar:
        for key in waiting:
            if here:
                run_backtest(key, timezone.now, uuid.uuid4())
                bar.update()
            else:
                play_backtest.apply_async(kwargs={"key": key})
        if not here:
            _wait(sweep, len(waiting), bar)


def _wait(sweep: Sweep, total: int, bar: Any) -> None:
    """Until all have ended. When nobody plays any of them for a while, that is told, with what to do.

    A worker that died leaves its backtest running, with a lease that has run out: that is no sign of life.
    """
    seen_at, ended = time.monotonic(), 0
    while left := waiting_in(sweep):
        ended_since = total - len(left) - ended
        if ended_since or is_played(sweep, timezone.now()):
            seen_at = time.monotonic()
        ended += ended_since
        bar.update(ended_since)
        if time.monotonic() - seen_at > PATIENCE_S:
            raise CommandError(
                f"No worker has played any of {len(left)} backtests for {PATIENCE_S:.0f} s. They stay in the queue; "
                "start a worker (celery --app config.celery worker --queues backtest), or play them with --here."
            )
        time.sleep(LOOK_EVERY_S)


def _told(line: SweepLine) -> str:
    head = f"{line.agent:<18}{line.first:<12}{line.last:<12}{line.seed:>6}"
    if line.metrics is None:
        return f"{head}{'–':>12}{'–':>10}{'–':>8}  {line.state} {line.error}"
    deepest, sharpe = line.metrics["max_drawdown"], line.metrics["sharpe"]
    return (
        f"{head}{line.metrics['total_return']:>+12.1%}{-deepest['depth'] if deepest else 0:>+10.1%}"
        f"{'–' if sharpe is None else format(sharpe, '.2f'):>8}  {line.state}"
    )


def _window(text: str) -> tuple[str, str]:
    first, separator, last = text.partition(":")
    if not separator or not first or not last:
        raise CommandError(f"--window {text!r} is no window; write it as 2021-01-04:2022-01-03.")
    return first, last


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise CommandError(f"--seeds {text!r} are no whole numbers; write them as 1,2,3.") from None
