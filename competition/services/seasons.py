"""Seasons are drafted, entered, opened and closed here. Opening freezes the rules and funds every portfolio."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from agents.core.roster import Profile
from agents.models import Agent
from competition.core.play import portfolio_key
from competition.core.rules import Rules
from competition.core.states import TERMINAL_CYCLES, SeasonState, check_transition
from competition.models import Cycle, Entry, Season
from competition.services.markets import why_not_opened
from market.core.symbols import symbols_content
from market.queries import listed_symbols
from portfolio.core.book import funding_journal
from portfolio.models import Portfolio
from portfolio.services import post, value_at


class SeasonRefused(ValueError):
    """The season cannot be made or opened as asked; the message says what to change."""


def agent_for(profile: Profile) -> Agent:
    """The newest version of this agent; a new version when the profile differs from the last one."""
    last = Agent.objects.filter(slug=profile.slug).order_by("-version").first()
    wanted = (profile.name, profile.kind, profile.model, dict(profile.parameters))
    if last and (last.name, last.kind, last.model, last.parameters) == wanted:
        return last
    return Agent.objects.create(
        slug=profile.slug,
        version=last.version + 1 if last else 1,
        name=profile.name,
        kind=profile.kind,
        model=profile.model,
        parameters=dict(profile.parameters),
    )


@transaction.atomic
def draft_season(slug: str, name: str, rules: Rules, profiles: Iterable[Profile]) -> Season:
    """A season that can still be changed, with its entries. Raises `UnknownSymbol` or `SeasonRefused`."""
    foreign = [symbol.name for symbol in listed_symbols(rules.universe).values() if symbol.quote != rules.quote]
    if foreign:
        raise SeasonRefused(f"{', '.join(foreign)} cannot be bought with {rules.quote}; choose symbols that can.")
    if Season.objects.filter(slug=slug).exists():
        raise SeasonRefused(f"There is a season {slug!r} already; choose another slug.")
    season = Season.objects.create(slug=slug, name=name, rules=rules.document())
    for profile in profiles:
        enter(season, agent_for(profile))
    return season


def enter(season: Season, agent: Agent) -> Entry:
    """Let an agent take part; only while the season is a draft."""
    if season.state != SeasonState.DRAFT:
        raise SeasonRefused(f"Season {season.slug} is {season.state}: entries are taken only while it is a draft.")
    portfolio = Portfolio.objects.create(key=portfolio_key(season.slug, agent.slug), quote=season.rule_book.quote)
    number = season.entries.count() + 1
    return Entry.objects.create(season=season, agent=agent, portfolio=portfolio, slug=agent.slug, number=number)


@transaction.atomic
def open_season(season_id: int, now: datetime) -> Season:
    """Freeze the rules, hashed, and the symbols with their filters, and post every entry's start capital."""
    season = Season.objects.select_for_update().get(id=season_id)
    check_transition(SeasonState(season.state), SeasonState.OPEN)
    entries = list(season.entries.select_related("portfolio"))
    if not entries:
        raise SeasonRefused(f"Season {season.slug} has no entries; enter at least one agent before opening it.")
    rules = season.rule_book
    if reasons := list(why_not_opened(rules, now)):
        raise SeasonRefused(f"Season {season.slug} cannot be opened now. {' '.join(reasons)}")
    season.rules_sha256 = rules.sha256
    season.symbols = symbols_content(season.symbol_book.values())
    season.state = SeasonState.OPEN
    season.opened_at = now
    season.save()
    capital = funding_journal(rules.capital, rules.quote, rules.market_starts_at)
    for entry in entries:
        post(entry.portfolio, [capital])
        value_at(entry.portfolio, 0, rules.market_starts_at, rules.capital)
    return season


@transaction.atomic
def close_season(season_id: int, now: datetime, reason: str) -> bool:
    """Close a season whose cycles are all terminal; False when some are not, or when it is closed already."""
    season = Season.objects.select_for_update().get(id=season_id)
    if season.state != SeasonState.OPEN or season.cycles.unfinished().exists():
        return False
    check_transition(SeasonState(season.state), SeasonState.CLOSED)
    season.state = SeasonState.CLOSED
    season.closed_at = now
    season.close_reason = reason
    season.save(update_fields=["state", "closed_at", "close_reason"])
    return True


def is_over(rules: Rules, newest: Cycle | None) -> bool:
    """Whether the newest cycle is the last of the calendar, and has ended."""
    return newest is not None and newest.number == rules.cycles and newest.state in TERMINAL_CYCLES
