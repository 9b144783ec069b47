"""Putting a season together for play in memory: from what a user asks for to rules, symbols, contestants, candles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from agents.core.deciders import decider
from agents.core.roster import Profile, house
from competition.core.play import Contestant, PlayedCycle, PlayedSeason, play
from competition.core.rules import WEEK_S, Rules
from competition.core.schedule import asking_ends, boundary, market_time
from competition.services.markets import candles_of
from market.core.candles import TIMEFRAME_S, Candles
from market.core.canonical import plain
from market.core.snapshot import HISTORY
from market.queries import coverage, listed_symbols, loaded


class NotPlayable(ValueError):
    """The season asked for cannot be played; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user may choose of a season. `first` and `last` are boundaries, both played."""

    slug: str
    source: Literal["stored", "synthetic"]
    symbols: tuple[str, ...]
    first: datetime
    last: datetime
    seed: int
    options: dict[str, Any]


def rules_for(wish: Wish) -> Rules:
    """A season of whole weeks, first to last boundary; raises `NotPlayable` or pydantic's `ValidationError`."""
    if wish.last < wish.first:
        raise NotPlayable(f"--to {wish.last:%Y-%m-%d} is before --from {wish.first:%Y-%m-%d}; swap them.")
    return Rules(
        universe=wish.symbols,
        market_source=wish.source,
        market_seed=wish.seed,
        market_starts_at=wish.first,
        starts_at=wish.first,
        cycles=(wish.last - wish.first) // timedelta(seconds=WEEK_S) + 1,
        **wish.options,
    )


def contestants_for(profiles: Sequence[Profile]) -> list[Contestant]:
    """The profiles as contestants, numbered in their order."""
    return [
        Contestant(profile.slug, number, decider(profile.model, profile.parameters))
        for number, profile in enumerate(profiles, start=1)
    ]


def play_rules(
    slug: str, rules: Rules, seed: int, on_cycle: Callable[[PlayedCycle], None] = lambda cycle: None
) -> PlayedSeason:
    """Play a season of the house's contestants over the market its rules name.

    Raises `UnknownSymbol`, and `NotPlayable` when stored candles do not reach over the whole season.
    """
    symbols = listed_symbols(rules.universe)
    if rules.market_source == "stored":
        _check_coverage(rules)
    return play(slug, rules, symbols, contestants_for(house(seed, rules.universe)), _whole_season(rules), on_cycle)


def last_instant(rules: Rules) -> datetime:
    """The newest market instant a season needs prices at: the trades of its last cycle."""
    return market_time(rules, asking_ends(rules, boundary(rules, rules.cycles)))


def _whole_season(rules: Rules) -> Candles:
    """All candles of the season, read once."""
    series = candles_of(rules)(rules.universe, rules.market_starts_at - HISTORY, last_instant(rules))
    return loaded(series)


def _check_coverage(rules: Rules) -> None:
    """Every symbol must be known from the first snapshot to the last trade; what is missing is named with its dates."""
    needed_last, candle = last_instant(rules), timedelta(seconds=TIMEFRAME_S[rules.timeframe])
    problems = []
    for name in rules.universe:
        stored = coverage(name, rules.timeframe)
        if stored is None:
            problems.append(f"{name} has no {rules.timeframe} candles at all")
        elif stored.first_open >= rules.market_starts_at or stored.last_open + candle < needed_last:
            problems.append(f"{name} has candles only from {stored.first_open:%Y-%m-%d} to {stored.last_open:%Y-%m-%d}")
    if problems:
        wanted = f"{rules.market_starts_at:%Y-%m-%d} to {needed_last:%Y-%m-%d}"
        raise NotPlayable(
            f"This season needs candles from {wanted}: {'; '.join(problems)}. "
            "Load them with `manage.py import_candles FILE…`, or play with --source synthetic."
        )


def summary(played: PlayedSeason, rules: Rules) -> dict[str, Any]:
    """A played season as plain JSON values: the board with decimals as text, and the hash over all postings."""
    return {
        "season": played.slug,
        "rules_sha256": rules.sha256,
        "cycles": len(played.cycles),
        "held_cycles": [cycle.number for cycle in played.cycles if not cycle.turns],
        "turns": sum(len(cycle.turns) for cycle in played.cycles),
        "journals": sum(len(journals) for journals in played.journals.values()),
        "postings_sha256": played.postings_sha256(),
        "standings": [
            {
                "rank": row.rank,
                "entry": row.entry,
                "net_asset_value": plain(row.value),
                "net_return": plain(row.net_return),
                "excess_return": None if row.excess_return is None else plain(row.excess_return),
                "max_drawdown": plain(row.max_drawdown),
                "turnover": plain(row.turnover),
                "fees": plain(row.fees),
                "ai_cost": plain(row.ai_cost),
                "coverage": plain(row.coverage),
                "unranked": row.unranked,
            }
            for row in played.standings
        ],
    }


def capital_of(text: str) -> Decimal:
    """Start capital from what a user typed; raises `NotPlayable`."""
    try:
        capital = Decimal(text)
    except ArithmeticError:
        raise NotPlayable(f"--capital {text!r} is not a number; write it as 10000 or 10000.50.") from None
    if not capital.is_finite() or capital <= 0:
        raise NotPlayable(f"--capital {text} leaves nothing to invest; it must be above zero.")
    return capital
