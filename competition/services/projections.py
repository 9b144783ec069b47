"""What a season will cost, before it opens: every entry's planned calls at today's prices, for every cycle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from agents.core.brief import BoardLine, Place, build_brief
from agents.core.budgeting import Caps, PlannedCall, Projection, Refused, makes_calls_of_ours, priced, projected_cost
from agents.core.parameters import AgentParameters
from agents.prices import cards_for, models_asked, parameters_of
from competition.core.play import neutral_id, take_snapshot
from competition.core.rules import Rules
from competition.models import Entry, Season
from market.core.specimen import specimen_readings
from market.queries import listed_symbols
from market.synthetic import synthetic_candles
from portfolio.core.book import Book

# (kind, brief, objections, last reply, parameters) -> every call that one attempt can make
Plan = Callable[[str, Mapping[str, Any], Sequence[Any], str, AgentParameters], Sequence[PlannedCall]]


@dataclass(frozen=True, slots=True)
class EntryCost:
    """What one entry will cost in the whole season; `problem` when it cannot be said, and then it cannot be asked.

    `is_unpriced`: the problem is that a price is missing.
    """

    entry: str
    cost: Projection
    problem: str = ""
    is_unpriced: bool = False


@dataclass(frozen=True, slots=True)
class SeasonCost:
    """The entries that ask models, and what all of them cost together. `is_simulated`: some prices are made up."""

    entries: tuple[EntryCost, ...]
    is_simulated: bool

    @property
    def total(self) -> Projection:
        return sum((entry.cost for entry in self.entries), NO_COST)

    @property
    def problems(self) -> tuple[EntryCost, ...]:
        return tuple(entry for entry in self.entries if entry.problem)


NO_COST = Projection(Decimal(0), Decimal(0))


def season_cost(season: Season, plan: Plan, caps: Caps, now: datetime) -> SeasonCost:
    """Project a season's cost at the prices of `now`, with a brief as long as those its entries will get."""
    rules = season.rule_book
    entries = list(season.entries.select_related("agent").order_by("number"))
    brief = specimen_brief(rules, len(entries))
    asked = [entry for entry in entries if makes_calls_of_ours(entry.agent.model)]
    costs = tuple(_entry_cost(entry, rules, brief, plan, caps, now) for entry in asked)
    return SeasonCost(costs, any(entry.agent.is_simulated for entry in asked))


def _entry_cost(
    entry: Entry, rules: Rules, brief: Mapping[str, Any], plan: Plan, caps: Caps, now: datetime
) -> EntryCost:
    agent = entry.agent
    try:
        parameters = parameters_of(agent)
    except ValidationError as error:
        return EntryCost(entry.slug, NO_COST, f"{error.error_count()} of its parameters cannot be used")
    planned = plan(agent.kind, brief, (), "", parameters)
    calls = priced(planned, agent.model, parameters, cards_for(models_asked([agent]), now))
    if isinstance(calls, Refused):
        return EntryCost(entry.slug, NO_COST, calls.reason, is_unpriced=True)
    attempts = rules.attempts_max + rules.repairs_max
    return EntryCost(entry.slug, projected_cost(calls, parameters.tries_max, attempts, rules.cycles, caps))


def specimen_brief(rules: Rules, entries: int) -> dict[str, Any]:
    """A brief like those of this season, from a made-up market: only its length counts."""
    symbols = listed_symbols(rules.universe)
    as_of = rules.market_starts_at + timedelta(seconds=rules.market_cycle_s)
    readings = specimen_readings if rules.market_source == "binance" else None
    snapshot = take_snapshot(synthetic_candles(rules.market_seed), as_of, symbols, rules, readings=readings)
    book = Book({rules.quote: rules.capital, **{symbol.base: Decimal("0.12345678") for symbol in symbols.values()}})
    board = [BoardLine(neutral_id(number), number, Decimal("0.12345678")) for number in range(1, entries + 1)]
    place = Place(rules.cycles, rules.cycles, neutral_id(entries))
    return dict(build_brief(place, snapshot, book, symbols, board, rules.brief_summary).content)
