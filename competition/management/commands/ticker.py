"""The second ticker: does the same as beat and the workers, with nothing but the database. Redis may be gone."""

import logging
import math
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.utils import InterfaceError, OperationalError
from django.utils import timezone

from competition.services import analyses, asking_round, errands, executing, ticking
from competition.services.venue_account import account_if_any

logger = logging.getLogger(__name__)
STEP_THREADS, ASK_THREADS = 2, 8  # asking waits for models; nobody else may have to wait with it


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Ticks forever, and takes every step itself; stop it with SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=settings.TICK_EVERY_S, metavar="SECONDS")
        parser.add_argument("--name", default="second ticker", help="under which it shows on the status page")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["every"] < math.inf:
            raise CommandError(f"--every must be a number of seconds above zero, not {options['every']:g}.")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with (
            ThreadPoolExecutor(STEP_THREADS, thread_name_prefix="step") as taking,
            ThreadPoolExecutor(ASK_THREADS, thread_name_prefix="ask") as asking,
        ):
            pools = dict.fromkeys((ticking.ADVANCE, ticking.EXECUTE, ticking.ERRAND), taking)
            pools |= dict.fromkeys((ticking.ASK, ticking.ANALYSE), asking)
            steps = Steps(pools)
            while not stop.is_set():
                outlive_database_outage(partial(look, options["name"], steps.dispatch))
                stop.wait(options["every"])


class Steps:
    """Runs dispatched steps on threads, each step of a cycle at most once at a time in this process."""

    def __init__(self, pools: Mapping[str, ThreadPoolExecutor]) -> None:
        self._pools = pools
        self._lock = threading.Lock()
        self._running: set[tuple[str, int]] = set()

    def dispatch(self, step: str, cycle_id: int) -> None:
        with self._lock:
            if (step, cycle_id) in self._running:
                return
            self._running.add((step, cycle_id))
        self._pools[step].submit(self._run, step, cycle_id)

    def _run(self, step: str, cycle_id: int) -> None:
        try:
            outlive_database_outage(partial(take_step, step, cycle_id, self.dispatch))
        except Exception:
            logger.exception("step %s of cycle %s failed; the next tick tries again", step, cycle_id)
        finally:
            connections.close_all()
            with self._lock:
                self._running.discard((step, cycle_id))


def look(name: str, dispatch: ticking.Dispatch) -> None:
    """One tick with its heartbeat."""
    now = timezone.now()
    ticking.heartbeat(name, now)
    ticking.tick(now, dispatch)


def take_step(step: str, cycle_id: int, dispatch: ticking.Dispatch) -> None:
    """Take a step here and now."""
    if step == ticking.ASK:
        asking_round.ask_now(cycle_id)
    elif step == ticking.ANALYSE:
        analyses.analyse_now(cycle_id)
    elif step == ticking.ERRAND:
        errands.run(cycle_id, timezone.now, dispatch, holds_keys=False)
    elif step == ticking.EXECUTE:
        executing.execute(cycle_id, timezone.now, account_if_any)
    else:
        ticking.advance(cycle_id, timezone.now)


def outlive_database_outage(work: Callable[[], None]) -> None:
    """Run `work`; a database that is away is waited out, since the next tick finds everything where it was."""
    try:
        work()
    except (OperationalError, InterfaceError) as outage:
        logger.warning("the database is away, trying again at the next tick: %s", str(outage).strip())
        connections.close_all()
