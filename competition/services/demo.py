"""The demo's two seasons: one that is finished, and one that runs with a week that lasts a minute."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from agents.core.roster import demo_guests, house
from competition.core.play import PlayedCycle
from competition.core.rules import WEEK_S, Rules
from competition.core.schedule import last_due
from competition.core.states import SeasonState
from competition.models import Season
from competition.services.loading import save_played_season
from competition.services.playing import play_rules
from competition.services.seasons import close_season, draft_season, open_season
from competition.services.ticking import advance
from market.core.symbols import DEFAULT_SYMBOLS
from market.synthetic import synthetic_candles

FINISHED_SLUG, FINISHED_WEEKS = "demo-finished", 26
RUNNING_SLUG, RUNNING_CYCLES, RUNNING_CYCLE_S = "demo-running", 1440, 60
MISSED_BEFORE_RENEWAL = 60
STARTING_UP_S = 10
BENCHMARK_SYMBOL, UNEVENTFUL_BELOW, UNEVENTFUL_ABOVE = "BTCUSDT", Decimal("0.95"), Decimal("1.5")
SEED = 7
UNIVERSE = tuple(symbol.name for symbol in DEFAULT_SYMBOLS)


def last_monday(now: datetime) -> datetime:
    """The Monday 00:00 UTC at or before `now`."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def eventful_seed(first: int, starts_at: datetime) -> int:
    """The first seed from `first` on whose made-up half year is neither a crash nor a mania for bitcoin.

    A demo in which everything halves shows little but that; it is a chosen market, and says it is a made-up one.
    """
    weeks = timedelta(seconds=WEEK_S) * FINISHED_WEEKS
    for seed in range(first, first + 100):
        candles = synthetic_candles(seed)
        opening, ending = (
            candles((BENCHMARK_SYMBOL,), at, at)[BENCHMARK_SYMBOL].closes[-1] for at in (starts_at, starts_at + weeks)
        )
        if UNEVENTFUL_BELOW < ending / opening < UNEVENTFUL_ABOVE:
            return seed
    return first


def finished_rules(now: datetime) -> Rules:
    """26 weeks that ended with the last whole week."""
    starts_at = last_monday(now) - timedelta(seconds=WEEK_S) * FINISHED_WEEKS
    return Rules(
        universe=UNIVERSE,
        market_source="synthetic",
        market_seed=eventful_seed(SEED, starts_at),
        market_starts_at=starts_at,
        starts_at=starts_at,
        cycles=FINISHED_WEEKS,
    )


def running_rules(now: datetime, seed: int) -> Rules:
    """A day of one-minute weeks, each a week of the synthetic market, starting when the processes will be up."""
    market_starts_at = last_monday(now)
    return Rules(
        universe=UNIVERSE,
        market_source="synthetic",
        market_seed=eventful_seed(seed, market_starts_at),
        market_starts_at=market_starts_at,
        starts_at=now.replace(microsecond=0) + timedelta(seconds=STARTING_UP_S),
        cycles=RUNNING_CYCLES,
        cycle_s=RUNNING_CYCLE_S,
        ask_s=12,
        attempt_s=6,
        on_time_s=3,
        late_s=20,
        trade_window_s=20,
        turn_lease_s=5,
    )


def load_finished(now: datetime, on_cycle: Callable[[PlayedCycle], None]) -> Season | None:
    """Play and write the finished season, once; None when it is there already."""
    if Season.objects.filter(slug=FINISHED_SLUG).exists():
        return None
    rules = finished_rules(now)
    played = play_rules(FINISHED_SLUG, rules, SEED, on_cycle)
    with transaction.atomic():  # whoever is killed in between leaves no draft behind
        season = draft_season(FINISHED_SLUG, "Finished demo season", rules, house(SEED, UNIVERSE))
        return save_played_season(season, played, "the calendar has ended")


def ensure_running(now: datetime) -> tuple[Season, bool]:
    """The running season and whether it is new. One that stood still for over an hour is closed; the next follows."""
    last = Season.objects.filter(slug__startswith=RUNNING_SLUG).order_by("-id").first()
    if last and last.state == SeasonState.OPEN:
        behind = last_due(last.rule_book, now) - last.cycles.count()
        if behind <= MISSED_BEFORE_RENEWAL:
            return last, False
        for cycle_id in last.cycles.unfinished().values_list("id", flat=True):
            advance(cycle_id, lambda: now)  # its deadlines are long past, so it can be finished at once
        close_season(last.id, now, f"the demo was off for {behind} of its weeks; a new season follows")
    number = Season.objects.filter(slug__startswith=RUNNING_SLUG).count() + 1
    rules = running_rules(now, SEED + number)
    with transaction.atomic():
        name = f"Running demo season {number}"
        contestants = (*house(SEED, UNIVERSE), *demo_guests(SEED))
        season = draft_season(f"{RUNNING_SLUG}-{number}", name, rules, contestants)
        return open_season(season.id, now), True
