"""A stage for live seasons: virtual time, a hand-written runner at the edge, and the real services in between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.deciders import decider
from agents.core.roster import Profile, house
from agents.models import Attempt
from agents.runner_client import Admit, Ask, at_once
from competition.core.rules import Rules
from competition.core.schedule import boundary
from competition.models import Cycle, Season, Standing, Turn
from competition.services import asking_round, executing, ticking
from competition.services.seasons import draft_season, open_season
from portfolio.models import Fill, Journal, Order, Valuation
from portfolio.testnet_desk import Connect

START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT")
SEED = 3
HOUSE = house(SEED, SYMBOLS)
# Who holds cash, who trades once, who trades each week, models whose replies are fine, and one whose replies are not.
FEW = tuple(
    profile
    for profile in HOUSE
    if profile.slug in ("all-cash", "btc-hold", "equal-weight", "steady", "swinger", "garbled")
)


def weekly_rules(**changes: object) -> Rules:
    """Four synthetic weeks at the pace of the wall clock."""
    given: dict[str, object] = {
        "universe": SYMBOLS,
        "market_source": "synthetic",
        "market_seed": SEED,
        "market_starts_at": START,
        "starts_at": START,
        "cycles": 4,
    }
    return Rules.model_validate({**given, **changes})


async def in_process(question: Question) -> Answer | NoAnswer:
    """What the runner would say, without a network in between; who is late never answers."""
    return decider(question.model, question.parameters)(question.brief, question.objections)


def no_exchange() -> None:
    """What a process without keys has."""


@dataclass
class Stage:
    """A season on stage. `ask` may be replaced by a test that wants other replies."""

    season: Season
    now: datetime
    ask: Callable[[Question], Awaitable[Answer | NoAnswer]] = in_process
    connect: Connect = no_exchange
    dispatched: list[str] = field(default_factory=list)

    @classmethod
    def set(cls, rules: Rules | None = None, profiles: tuple[Profile, ...] = HOUSE, slug: str = "stage") -> "Stage":
        rules = rules or weekly_rules()
        season = draft_season(slug, "On stage", rules, profiles)
        return cls(open_season(season.id, rules.starts_at), rules.starts_at)

    def clock(self) -> datetime:
        return self.now

    @asynccontextmanager
    async def runner(self) -> AsyncIterator[Ask]:
        async def ask(question: Question, admit: Admit = at_once) -> Answer | NoAnswer:
            return await self.ask(question)

        yield ask

    def dispatch(self, step: str, cycle_id: int) -> None:
        """Take the step at once, in this process; other seasons are left to their own stages."""
        if not self.season.cycles.filter(id=cycle_id).exists():
            return
        self.dispatched.append(step)
        if step == ticking.ASK:
            asking_round.ask_cycle(cycle_id, self.clock, self.runner)
        elif step == ticking.EXECUTE:
            executing.execute(cycle_id, self.clock, self.connect)
        else:
            ticking.advance(cycle_id, self.clock, self.connect)

    def tick(self, at: datetime | None = None) -> None:
        self.now = at or self.now
        ticking.tick(self.now, self.dispatch)

    def play_cycle(self, number: int) -> Cycle:
        """Tick through one cycle as beat would: at the boundary, while asking, at the deadline."""
        due = boundary(self.season.rule_book, number)
        for at in (due, due + timedelta(milliseconds=1), self.deadline(number)):
            self.tick(at)
        return self.cycle(number)

    def play_season(self) -> None:
        for number in range(1, self.season.rule_book.cycles + 1):
            self.play_cycle(number)
        self.tick(boundary(self.season.rule_book, self.season.rule_book.cycles) + timedelta(hours=2))

    def deadline(self, number: int) -> datetime:
        rules = self.season.rule_book
        return boundary(rules, number) + timedelta(seconds=rules.ask_s)

    def cycle(self, number: int) -> Cycle:
        return self.season.cycles.get(number=number)


def facts(stage: Stage) -> dict[str, int]:
    """How many rows of every kind of fact a season has."""
    of_portfolio = {"portfolio__entry__season": stage.season}
    rows = {
        "cycles": Cycle.objects.filter(season=stage.season),
        "turns": Turn.objects.filter(cycle__season=stage.season),
        "attempts": Attempt.objects.filter(brief__turn__cycle__season=stage.season),
        "orders": Order.objects.filter(**of_portfolio),
        "fills": Fill.objects.filter(order__portfolio__entry__season=stage.season),
        "journals": Journal.objects.filter(**of_portfolio),
        "valuations": Valuation.objects.filter(**of_portfolio),
        "standings": Standing.objects.filter(cycle__season=stage.season),
    }
    return {name: query.count() for name, query in rows.items()}


def turn_of(stage: Stage, number: int, entry: str) -> Turn:
    return Turn.objects.get(cycle__season=stage.season, cycle__number=number, entry__slug=entry)
