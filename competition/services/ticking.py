"""The tick: ask the database what is due and move it one step. Anyone may tick, at any time, any number of times.

Messages are hints. A step that is dispatched twice, late or never changes nothing but latency, because every step
looks at the row before it acts, and the next tick dispatches again whatever is still due.
"""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime

from django.db.models import Max
from django.db.utils import InterfaceError, OperationalError

from competition.core import play
from competition.core.states import CycleState, SeasonState
from competition.models import Cycle, Errand, Heartbeat, Season
from competition.services import analyses, executing
from competition.services.asking import end_asking
from competition.services.closing import close_cycle
from competition.services.cycles import Setting, brief_cycle, cycle_of, is_due, newest_cycles, open_due, say_why_waiting
from competition.services.markets import candles_of, readings_of
from competition.services.recovering import book_found
from competition.services.seasons import close_season, is_over
from competition.services.trading import NewToken, freeze_trade_prices, planned_trade_time, trade_cycle
from competition.services.venue_account import account_if_any
from market.core.snapshot import Snapshot
from portfolio.core.brokers import Broker
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.testnet_desk import Connect

logger = logging.getLogger(__name__)

# (name of the step, id of its cycle, analysis or errand): hands the step to whoever shall do it
Dispatch = Callable[[str, int], None]
ADVANCE, ASK, ANALYSE, EXECUTE, ERRAND = "advance", "ask", "analyse", "execute", "errand"
# What every look asks, put together once: mostly nothing is due, and then this is all that it does.
_UNFINISHED = Prepared(
    lambda: Cycle.objects.unfinished().order_by("season", "number").values_list("id", "state", "deadline_at")
)
_OPEN_SEASONS = PreparedObjects(lambda: Season.objects.filter(state=SeasonState.OPEN).order_by("id"))
_ERRANDS = Prepared(lambda: Errand.objects.waiting(Given("now")).order_by("id").values_list("id"))
PASSING_SQLSTATES = {"40001", "40P01", "55P03", "57014"}


def tick(now: datetime, dispatch: Dispatch) -> int:
    """Open what is due, and dispatch the next step of every cycle that is not terminal. Returns how many."""
    seasons = _OPEN_SEASONS.all()
    newest = newest_cycles(seasons)
    for season in seasons:
        try:
            _open_or_close(season, newest.get(season.id), now)
        except (OperationalError, InterfaceError) as error:
            if not is_passing(error):
                raise  # the database is away: no season can be looked at
            logger.warning("season %s is locked by another process, the others go on", season.slug)
        except Exception:
            logger.exception("season %s could not be looked at; the others go on", season.slug)
    due = _UNFINISHED.rows()
    for cycle_id, state, deadline_at in due:
        waiting_for_replies = state == CycleState.ASKING and now < deadline_at
        dispatch(ASK if waiting_for_replies else ADVANCE, cycle_id)
    for analysis_id in analyses.waiting(now):
        dispatch(ANALYSE, analysis_id)
    dispatch_errands(now, dispatch)
    _book_found(now)
    executions = executing.due_executions()
    for cycle_id in executions:
        dispatch(EXECUTE, cycle_id)
    return len(due) + len(executions)


def _open_or_close(season: Season, newest: Cycle | None, now: datetime) -> None:
    """Mostly nothing is due, and then nothing is locked."""
    rules = season.rule_book
    if is_due(rules, newest, now):
        newest = next(reversed(open_due(season.id, now)), newest)
    if is_over(rules, newest):
        close_season(season.id, now, "the calendar has ended")


def _book_found(now: datetime) -> None:
    try:
        book_found(now)
    except (OperationalError, InterfaceError) as error:
        if not is_passing(error):
            raise
        logger.warning("what was found at the exchange is locked by another process")


def dispatch_errands(now: datetime, dispatch: Dispatch) -> None:
    """Hand out what operators asked for."""
    for (errand_id,) in _ERRANDS.rows(now=now):
        dispatch(ERRAND, errand_id)


def is_passing(error: Exception) -> bool:
    """Whether the database is there and only this piece of work has to wait: a lock, a deadlock, a statement's time."""
    return getattr(error.__cause__, "sqlstate", None) in PASSING_SQLSTATES


def advance(
    cycle_id: int,
    clock: Callable[[], datetime],
    connect: Connect = account_if_any,
    new_token: NewToken = uuid.uuid4,
) -> str:
    """Take a cycle as far as it can go now without waiting for replies; returns the state it is left in.

    A step that breaks says so on the cycle, so that its end does not blame anybody else, and is tried again.
    """
    while True:
        cycle = cycle_of(cycle_id)
        try:
            if not _step(cycle, clock, connect, new_token):
                return cycle.state
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            say_why_waiting(cycle, f"the {cycle.state} step broke off: {type(error).__name__}")
            raise


def _step(cycle: Cycle, clock: Callable[[], datetime], connect: Connect, new_token: NewToken) -> bool:
    """One step out of the state the cycle is in; False when there is nothing to do yet."""
    rules = cycle.season.rule_book
    match CycleState(cycle.state):
        case CycleState.BRIEFING:
            return brief_cycle(cycle.id, clock(), candles_of(rules), readings_of(rules))
        case CycleState.ASKING:
            return end_asking(cycle.id, clock(), planned_trade_time)
        case CycleState.TRADING:
            if cycle.trade_snapshot_id is None:
                return freeze_trade_prices(cycle.id, clock(), candles_of(rules), readings_of(rules))
            return _trade(cycle, clock, connect, new_token)
        case CycleState.CLOSING:
            return close_cycle(cycle.id, clock())
    return False


def _trade(cycle: Cycle, clock: Callable[[], datetime], connect: Connect, new_token: NewToken) -> bool:
    rules = cycle.season.rule_book
    if rules.fills == "reference":
        return trade_cycle(cycle.id, clock, paper_broker, new_token)
    with executing.desk_of(cycle, clock, connect) as desk:
        if executing.begins_to_trade(cycle):
            desk.look_around()
        return trade_cycle(cycle.id, clock, lambda snapshot, setting: desk, new_token)


def paper_broker(snapshot: Snapshot, setting: Setting) -> Broker:
    """The broker of seasons whose fills are the reference prices."""
    return play.paper_broker(snapshot, setting.symbols, setting.rules.costs)


def heartbeat(name: str, now: datetime) -> None:
    """Note that a process of this name is alive."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now})


def newest_heartbeats() -> dict[str, datetime]:
    """When each kind of process was last heard of, by name."""
    return dict(Heartbeat.objects.values_list("name").annotate(at=Max("at")).order_by("name"))
