"""What visitors may ask of the machine: backtests that spend nothing, small ones, one at a time, now and then.

Every limit is counted from rows, under one lock, so that it holds for any number of web processes and without Redis.
Staff have no such limits; what models may cost is kept to elsewhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection, transaction

from agents.core.baselines import OF_THE_HOUSE
from agents.models import SIMULATED_PREFIXES
from competition.backtest_models import Backtest, BacktestAsk
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.services.backtest_requests import BacktestRefused, BacktestWish, ask_for, parameters_from
from competition.services.backtests import UNFINISHED, Asker

CANDLES_MAX = 300_000
DECISIONS_MAX = 20_000  # of all agents together
AGENTS_MAX = 6
QUEUE_MAX = 10
ASKS_MAX, ASKS_WITHIN = 12, timedelta(hours=1)
_ONE_VISITOR_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('visitors ask for backtests', 0))"


class HasToWait(BacktestRefused):
    """It may be asked for, but not now: a limit on how much at once, or how often, is reached.

    `key` is that of the visitor's own backtest that is in the way, if it is one that is.
    """

    def __init__(self, sentence: str, key: str = "") -> None:
        super().__init__({"agents": sentence})
        self.sentence, self.key = sentence, key


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks from outside: an account, if any, and what tells strangers apart without saying who they are."""

    client: str
    user_id: int | None = None
    is_staff: bool = False
    via: str = "page"

    @property
    def asker(self) -> Asker:
        return Asker(self.via, self.user_id, "" if self.is_staff else self.client)

    def may_end(self, backtest: Backtest) -> bool:
        """Staff may end any; others what they asked for themselves."""
        mine = self.user_id is not None and backtest.requested_by_id == self.user_id
        return self.is_staff or mine or (bool(self.client) and backtest.client == self.client)


def spends_money(agent: AgentSpec) -> bool:
    """Whether asking this agent makes calls that somebody is paid for."""
    return not agent.model.startswith((*OF_THE_HOUSE, *SIMULATED_PREFIXES))


def checked(wish: BacktestWish, visitor: Visitor) -> BacktestParameters:
    """The parameters of this wish, if this visitor may ask for them at all. Raises `BacktestRefused`."""
    parameters = parameters_from(wish if visitor.is_staff else replace(wish, max_candles=CANDLES_MAX))
    if not visitor.is_staff and (problems := dict(_too_much(parameters))):
        raise BacktestRefused(problems)
    return parameters


@transaction.atomic
def ask_as(visitor: Visitor, wish: BacktestWish, now: datetime) -> tuple[Backtest, bool]:
    """The backtest of this wish, and whether there is anything left to do. Raises `BacktestRefused`; nothing is
    written then. What is known already, or under way, counts against no limit."""
    checked(wish, visitor)
    if visitor.is_staff:
        return ask_for(wish, visitor.asker, now)
    with connection.cursor() as cursor:
        cursor.execute(_ONE_VISITOR_AT_A_TIME)
    backtest, is_work_left = ask_for(wish, visitor.asker, now)
    if is_work_left and backtest.requested_at == now:  # it went into the queue for this visitor, and for nobody before
        if wait := _limits_reached(visitor.client, backtest, now):
            raise wait
        BacktestAsk.objects.create(client=visitor.client, backtest=backtest, at=now)
    return backtest, is_work_left


def _too_much(parameters: BacktestParameters) -> Iterator[tuple[str, str]]:
    """What of this only staff may ask for; the sentences say what to do instead."""
    if dear := [agent.name for agent in parameters.agents if spends_money(agent)]:
        yield (
            "agents",
            f"{', '.join(dear)} would cost money, so only staff may ask. Choose baselines, rules or scripts.",
        )
    elif len(parameters.agents) > AGENTS_MAX:
        yield (
            "agents",
            f"These are {len(parameters.agents)} agents; visitors may test {AGENTS_MAX} at once. Leave some out.",
        )
    window_ms = (parameters.last - parameters.first) // timedelta(milliseconds=1)
    decisions = len(parameters.agents) * (window_ms // parameters.every_ms)
    if decisions > DECISIONS_MAX:
        yield (
            "every",
            f"These are {decisions:,} decisions; visitors may ask for {DECISIONS_MAX:,}. Decide less often, "
            "choose fewer agents or a shorter period.",
        )


def _limits_reached(client: str, asked: Backtest, now: datetime) -> HasToWait | None:
    """Why this visitor has to wait, in a sentence that says for what; None when nothing is in the way."""
    return next(filter(None, (limit(client, asked, now) for limit in LIMITS)), None)


def _one_at_a_time(client: str, asked: Backtest, now: datetime) -> HasToWait | None:
    mine = Backtest.objects.filter(asks__client=client, state__in=UNFINISHED).exclude(id=asked.id)
    key = mine.order_by("-requested_at").values_list("key", flat=True).first()
    if not key:
        return None
    return HasToWait(f"You have one under way already ({key}). Wait for it, or cancel it on its page.", key)


def _now_and_then(client: str, asked: Backtest, now: datetime) -> HasToWait | None:
    recent = BacktestAsk.objects.filter(client=client, at__gt=now - ASKS_WITHIN).order_by("-at")
    oldest = recent.values_list("at", flat=True)[ASKS_MAX - 1 : ASKS_MAX].first()
    if oldest is None:
        return None
    minutes = max(1, -(-(oldest + ASKS_WITHIN - now) // timedelta(minutes=1)))
    left = f"{minutes} minute{'s' if minutes > 1 else ''}"
    return HasToWait(f"You have asked for {ASKS_MAX} within an hour. Come back in {left}.")


def _short_queue(client: str, asked: Backtest, now: datetime) -> HasToWait | None:
    waiting = Backtest.objects.filter(state__in=UNFINISHED).exclude(id=asked.id).count()
    if waiting < QUEUE_MAX:
        return None
    return HasToWait(
        f"{waiting} backtests are waiting, as many as fit. Try again in a few minutes; nothing was started."
    )


type Limit = Callable[[str, Backtest, datetime], HasToWait | None]
LIMITS: tuple[Limit, ...] = (_one_at_a_time, _now_and_then, _short_queue)
