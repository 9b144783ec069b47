"""The season that is played under faults: a week of fifteen seconds, every order of it sent to a double as well."""

import math
from datetime import datetime, timedelta
from decimal import Decimal

from agents.core.roster import Profile, house
from competition.core.rules import Rules
from competition.models import Season
from competition.services.demo import last_monday
from competition.services.seasons import draft_season, open_season

SLUG, CYCLE_S, STARTS_IN = "chaos", 15, timedelta(seconds=2)
CALM_CYCLES = 1  # that begin when the faults are over
UNIVERSE = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CAPITAL = Decimal(5_000)  # of all together no more than the account at the double begins with
# The benchmark, those who act often, and some of the ways to fail.
PLAYING = (
    *("btc-hold", "sixty-forty", "momentum", "risk-parity", "random"),
    *("steady", "swinger", "garbled", "latecomer", "refuser"),
)


def cycles_in(minutes: float) -> int:
    """How many weeks begin in so many minutes, and in the calm behind them."""
    return math.ceil(minutes * 60 / CYCLE_S) + CALM_CYCLES


def rules_of(seed: int, cycles: int, now: datetime) -> Rules:
    return Rules(
        universe=UNIVERSE,
        market_source="synthetic",
        market_seed=seed % 1_000 + 1,
        market_starts_at=last_monday(now),
        starts_at=now + STARTS_IN,
        cycles=cycles,
        capital=CAPITAL,
        cycle_s=CYCLE_S,
        ask_s=4,
        attempt_s=2,
        on_time_s=1,
        late_s=2,
        trade_window_s=8,  # sending each order takes a loaded machine a third of a second
        turn_lease_s=1,
        execution="testnet",
        exchange="double",
    )


def open_one(seed: int, cycles: int, now: datetime) -> Season:
    """A new season that starts in a moment."""
    season = draft_season(SLUG, "Under faults", rules_of(seed, cycles, now), contestants(seed))
    return open_season(season.id, now)


def contestants(seed: int) -> tuple[Profile, ...]:
    return tuple(one for one in house(seed, UNIVERSE) if one.slug in PLAYING)
