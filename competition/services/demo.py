"""The demo's seasons: a finished one, a running one whose week lasts a minute, and perhaps one at an exchange."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from agents.core.roster import Profile, demo_guests, house
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
# All entries together stay within what an account at the exchange double begins with.
EXCHANGE_SLUG, EXCHANGE_CAPITAL, BESIDE_THE_OTHER_S = "demo-exchange", Decimal(5_000), 30
FAILING_MODELS = frozenset({"garbled", "latecomer", "greedy", "refuser"})
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


def exchange_rules(now: datetime, seed: int) -> Rules:
    """As `running_rules`, half a week apart, with each order carried out at the exchange double as well."""
    rules = running_rules(now + timedelta(seconds=BESIDE_THE_OTHER_S), seed)
    return Rules(
        **{**rules.model_dump(), "execution": "testnet", "exchange": "double", "capital": EXCHANGE_CAPITAL},
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
    last = _going_on(RUNNING_SLUG, now)
    if last is not None:
        return last, False
    number = _next_number(RUNNING_SLUG)
    contestants = (*house(SEED, UNIVERSE), *demo_guests(SEED))
    rules = running_rules(now, SEED + number)
    return _open(f"{RUNNING_SLUG}-{number}", f"Running demo season {number}", rules, contestants, now), True


def ensure_exchange(now: datetime) -> tuple[Season, bool]:
    """The same of the season at the exchange double, which those play that do not fail."""
    last = _going_on(EXCHANGE_SLUG, now)
    if last is not None:
        return last, False
    number = _next_number(EXCHANGE_SLUG)
    contestants = [one for one in house(SEED, UNIVERSE) if one.slug not in FAILING_MODELS]
    rules = exchange_rules(now, SEED + number)
    name = f"Demo season {number} at a simulated exchange"
    return _open(f"{EXCHANGE_SLUG}-{number}", name, rules, contestants, now), True


def end_exchange(now: datetime) -> None:
    """Close the season at the exchange double when the demo starts without one; a cycle under way is ended first."""
    last = _newest(EXCHANGE_SLUG)
    if last is not None and last.state == SeasonState.OPEN:
        _end(last, now, "the demo was started without its exchange")


def _newest(slug: str) -> Season | None:
    return Season.objects.filter(slug__startswith=slug).order_by("-id").first()


def _next_number(slug: str) -> int:
    return Season.objects.filter(slug__startswith=slug).count() + 1


def _going_on(slug: str, now: datetime) -> Season | None:
    """The open season of this slug; one that stood still for too long is closed and does not go on."""
    last = _newest(slug)
    if last is None or last.state != SeasonState.OPEN:
        return None
    behind = last_due(last.rule_book, now) - last.cycles.count()
    if behind <= MISSED_BEFORE_RENEWAL:
        return last
    _end(last, now, f"the demo was off for {behind} of its weeks; a new season follows")
    return None


def _end(season: Season, now: datetime, reason: str) -> None:
    for cycle_id in season.cycles.unfinished().values_list("id", flat=True):
        advance(cycle_id, lambda: now)  # what is past its deadlines can be finished at once
    close_season(season.id, now, reason)


@transaction.atomic
def _open(slug: str, name: str, rules: Rules, contestants: Sequence[Profile], now: datetime) -> Season:
    season = draft_season(slug, name, rules, contestants)
    return open_season(season.id, now)
