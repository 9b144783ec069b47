"""Seasons made through the services that make real ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.test import Client

from agents.core.answers import Answer
from agents.core.brief import Brief
from agents.core.roster import Profile, house
from competition.core.play import Contestant, PlayedSeason, play
from competition.core.rules import Rules
from competition.models import Cycle, Season
from competition.services.cycles import brief_cycle, open_due
from competition.services.loading import save_played_season
from competition.services.markets import candles_of
from competition.services.playing import contestants_for
from competition.services.seasons import draft_season, open_season
from market.queries import listed_symbols

START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT")
SCRIPT, TURNED, HIDDEN = "<script>alert('x')</script>", "\u202e", "\u200b"
HARM = f"{SCRIPT} {TURNED}backwards {HIDDEN}hidden"
VANDAL = Profile("vandal", f"Van{SCRIPT}dal", "single", "offline/vandal")


@dataclass(frozen=True)
class Played:
    season: Season
    slug: str
    weeks: int

    def get(self, path: str = "", **headers: str) -> str:
        """The body of a page below the season's address, which must be there."""
        response = Client().get(f"/s/{self.slug}/{path}", headers=headers)
        assert response.status_code == 200, (path, response.status_code)
        return response.content.decode()


def rules_of(weeks: int, **changes: object) -> Rules:
    """Synthetic weeks at the pace of the wall clock."""
    given = {
        "universe": SYMBOLS,
        "market_source": "synthetic",
        "market_starts_at": START,
        "starts_at": START,
        "cycles": weeks,
    }
    return Rules.model_validate({**given, **changes})


def vandalise(brief: Brief, objections: Sequence[object]) -> Answer:
    """A valid hold with a harmful reason, a broken rule with a harmful name, and something that is no reply."""
    match brief.content["cycle"] % 3:
        case 0:
            return Answer(json.dumps({"action": "hold", "rationale": HARM}, ensure_ascii=False))
        case 1:
            allocations = {f"{HARM}USDT": 0.5}
            return Answer(json.dumps({"action": "rebalance", "allocations": allocations}, ensure_ascii=False))
    return Answer(HARM)


_courses: dict[str, PlayedSeason] = {}  # what one file has played the next need not play again


def play_season(slug: str, weeks: int, entries: int | None = None, more: Sequence[Profile] = ()) -> Played:
    """A finished season of the house's first `entries` (or all of them), the vandal, and `more` that do as it does."""
    rules = rules_of(weeks)
    profiles = house(7, rules.universe)[:entries]
    vandals = (VANDAL, *more)
    season = draft_season(slug, f"The {slug} season", rules, (*profiles, *vandals))
    if (key := repr((slug, weeks, profiles, vandals))) not in _courses:
        at = enumerate(vandals, start=len(profiles) + 1)
        contestants = [*contestants_for(profiles), *(Contestant(one.slug, number, vandalise) for number, one in at)]
        _courses[key] = play(slug, rules, listed_symbols(rules.universe), contestants, candles_of(rules))
    return Played(save_played_season(season, _courses[key], "the calendar has ended"), slug, weeks)


def running_season(slug: str = "running", starts_at: datetime = START) -> Season:
    """A season of four weeks that has just opened; nobody has been asked."""
    rules = rules_of(4, starts_at=starts_at)
    return open_season(draft_season(slug, "The running season", rules, house(7, rules.universe)).id, starts_at)


def asking(season: Season) -> Cycle:
    """The first cycle of a running season, with every brief out and no reply in."""
    cycle = open_due(season.id, START)[0]
    assert brief_cycle(cycle.id, START + timedelta(seconds=1), candles_of(season.rule_book))
    cycle.refresh_from_db()
    return cycle
