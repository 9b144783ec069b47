"""The feed: one run a minute that keeps followed series and readings current, by one process at a time.

Whatever interrupts a run, what was stored stays and the next one goes on from there. A source that fails is left alone
for longer each time, or for as long as it says; the others go on. Nothing stands in for a source that does not answer.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db import connection

from market.asking import Around, Asking
from market.binance import SETTLED_AFTER, Binance
from market.core.answers import ExchangeError, RegionBlocked, StayAway
from market.core.backoff import Backoff
from market.following import Follow, follow_series
from market.futures import Futures
from market.models import DataSource
from market.reading import forget_old, read_futures, read_spot

logger = logging.getLogger(__name__)

SPOT, FUTURES = "spot", "futures"
SLEEP_MAX_S = 60.0  # whoever is told to wait for longer ends the run, and a later one asks
WITHIN_A_RUN = Backoff(first_s=1.0, most_s=5.0, tries=3)
BETWEEN_RUNS = Backoff(first_s=30.0, most_s=300.0)
REGION_BLOCKED_FOR = timedelta(minutes=10)
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('market feed', 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('market feed', 0))"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did: requests and weight by source, what came of them, and a sentence for each trouble."""

    requests: dict[str, int]
    weight: dict[str, int]
    candles: int = 0
    readings: int = 0
    troubles: tuple[str, ...] = ()


def refresh(follows: Sequence[Follow], double: str = "", around: Around | None = None) -> Run | None:
    """Ask the exchange, or the double at this address, for what the followed series and their symbols lack.

    None when another process is at it. `ForbiddenHost` for a double that is not on this machine.
    """
    around = around or Around()
    patient = replace(around, sleep=_patient(around.sleep))
    with _the_only_one() as mine:
        return _refresh(follows, double, patient) if mine else None


def _refresh(follows: Sequence[Follow], double: str, around: Around) -> Run:
    symbols = list(dict.fromkeys(one.symbol for one in follows))

    def clock() -> datetime:
        return datetime.fromtimestamp(around.clock(), UTC)

    run = Run({}, {})
    with (
        Binance(double, around=around, backoff=WITHIN_A_RUN) as spot,
        Futures(double, around=around, backoff=WITHIN_A_RUN) as futures,
    ):

        def ask_spot(source: DataSource) -> Run:
            source.clock_offset_ms = spot.clock_offset_ms()
            closed_by = clock() + timedelta(milliseconds=source.clock_offset_ms) - SETTLED_AFTER
            candles = follow_series(spot, follows, closed_by, clock())
            return replace(run, candles=candles, readings=read_spot(spot, symbols, clock))

        def ask_futures(source: DataSource) -> Run:
            return replace(run, readings=run.readings + read_futures(futures, symbols, clock))

        run = _asked(SPOT, run, ask_spot, spot.asking, around, is_double=bool(double))
        run = _asked(FUTURES, run, ask_futures, futures.asking, around, is_double=bool(double))
    forget_old(symbols, clock())
    return run


def _asked(
    name: str, run: Run, ask: Callable[[DataSource], Run], asking: Asking, around: Around, *, is_double: bool
) -> Run:
    """The run with what came of asking one source; its row says how it went."""
    now = datetime.fromtimestamp(around.clock(), UTC)
    source = DataSource.objects.filter(name=name).first() or DataSource(name=name)
    if source.ask_again_at and now < source.ask_again_at:
        return replace(run, troubles=(*run.troubles, f"{name}: {source.trouble}"))
    source.asked_at, source.is_double = now, is_double
    try:
        run = ask(source)
        source.answered_at, source.failures, source.trouble, source.ask_again_at = now, 0, "", None
    except ExchangeError as error:
        logger.warning("%s: %s", name, error)
        source.failures += 1
        source.trouble, source.trouble_at = str(error)[:500], now
        source.ask_again_at = now + _pause(error, source.failures, around.jitter())
        run = replace(run, troubles=(*run.troubles, f"{name}: {error}"))
    source.requests, source.weight_used, source.weight_limit = asking.requests, asking.weight_used, asking.weight_limit
    source.save()
    return replace(
        run, requests={**run.requests, name: asking.requests}, weight={**run.weight, name: asking.weight_spent}
    )


def _pause(error: ExchangeError, failures: int, jitter: float) -> timedelta:
    """How long a source is left alone after a run that failed, the `failures`-th in a row."""
    if isinstance(error, StayAway):
        return timedelta(seconds=error.seconds)
    if isinstance(error, RegionBlocked):
        return REGION_BLOCKED_FOR
    return timedelta(seconds=BETWEEN_RUNS.pause_s(failures, jitter))


def _patient(sleep: Callable[[float], None]) -> Callable[[float], None]:
    def sleep_a_little(seconds: float) -> None:
        if seconds > SLEEP_MAX_S:
            raise StayAway(seconds)
        sleep(seconds)

    return sleep_a_little


@contextmanager
def _the_only_one() -> Iterator[bool]:
    """Whether this process may run now. The lock belongs to the connection: it is gone with a process that dies."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute(_UNLOCK)
