"""Orders at the exchange beside the life of a cycle: proofs of execution, and what is found out after it closed.

With fills by reference the ledger is written on paper, and each of its orders is carried out on the testnet as well,
which never delays a cycle and changes nothing in it. With the venue's fills the turn itself places its orders; here
those whose outcome was not known in time are asked for, without end.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from competition.core.rules import Rules
from competition.core.schedule import trading_ends
from competition.core.states import CycleState, SeasonState, TurnState
from competition.models import Cycle, Season, Turn
from competition.services.cycles import cycle_of
from competition.services.revising import settle_late
from competition.services.venue_account import is_here
from competition.services.venue_turns import TurnsAtVenue
from portfolio.attempts import tell
from portfolio.core.brokers import OutcomeUnknown
from portfolio.core.order_attempts import LIVE, PASSING_REFUSALS, AttemptState
from portfolio.core.orders import OrderState
from portfolio.core.terms import VENUE, Terms
from portfolio.exchange_models import OrderAttempt
from portfolio.models import Order
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.services import record_execution
from portfolio.testnet_desk import Connect, TestnetDesk

logger = logging.getLogger(__name__)
USUAL_FILLS: str = Rules.model_fields["fills"].default  # of rules that were frozen before they had a word for it
UNKNOWN_FOR = timedelta(hours=6)  # beyond which somebody is told


def due_executions() -> list[int]:
    """Cycles of which something is open at the exchange, by id; nothing for seasons that are on paper."""
    return [
        cycle_id
        for season_id, fills in _AT_THE_EXCHANGE.rows()
        for cycle_id, _ in _OPEN_CYCLES[fills or USUAL_FILLS].rows(season=season_id)
    ]


def _at_the_exchange() -> QuerySet[Season, Any]:
    seasons = Season.objects.exclude(state=SeasonState.DRAFT.value).filter(rules__execution="testnet")
    return seasons.order_by("id").values_list("id", "rules__fills")


def _open_cycles(fills: str) -> QuerySet[Cycle, Any]:
    """By id, those of the season that is `Given`."""
    numbers = _open_orders(Given("season"), fills).values_list("cycle_number", flat=True).distinct()
    waiting = Q(number__in=numbers) | Q(turns__state=TurnState.PROVISIONAL.value)
    cycles = Cycle.objects.filter(waiting, season=Given("season")).exclude(trade_snapshot=None)
    if fills == "venue":  # while a cycle trades, its turns place their orders themselves
        cycles = cycles.exclude(state=CycleState.TRADING.value)
    return cycles.distinct().order_by("number").values_list("id", "number")


_AT_THE_EXCHANGE = Prepared(_at_the_exchange)
_OPEN_CYCLES = {fills: Prepared(partial(_open_cycles, fills)) for fills in ("venue", "reference")}


def open_orders(season: Season) -> QuerySet[Order]:
    """Orders that have not come to their end at the exchange."""
    return _open_orders(season.id, season.rule_book.fills)


def _open_orders(season_id: int | Given, fills: str) -> QuerySet[Order]:
    orders = Order.objects.filter(portfolio__entry__season=season_id)
    if fills == "venue":
        return orders.filter(state=OrderState.NEW.value)
    passing = Q(state=AttemptState.REFUSED.value, refusal__in=[kind.value for kind in PASSING_REFUSALS])
    goes_on = Q(state__in=[*LIVE, AttemptState.NOT_PLACED]) | passing
    ended = OrderAttempt.objects.filter(~goes_on, order=OuterRef("pk"))
    return orders.filter(~Exists(ended), state__in=[OrderState.FILLED.value, OrderState.PARTIAL.value])


def _open_orders_of_a_week(fills: str) -> QuerySet[Order]:
    return _open_orders(Given("season"), fills).filter(cycle_number=Given("number")).order_by("id")


_OPEN_ORDERS = {fills: PreparedObjects(partial(_open_orders_of_a_week, fills)) for fills in ("venue", "reference")}
_PROVISIONAL = Prepared(
    lambda: (
        Turn.objects.filter(cycle=Given("cycle"), state=TurnState.PROVISIONAL.value).order_by("id").values_list("id")
    )
)
_UNKNOWN_SINCE = PreparedObjects(
    lambda: OrderAttempt.objects.filter(order=Given("order"), state__in=LIVE, claimed_at__lt=Given("since")).order_by(
        "id"
    )[:1]
)


def execute(cycle_id: int, clock: Callable[[], datetime], connect: Connect) -> int:
    """Take every open order of a cycle as far as it goes now, and settle what has become known; how many are open."""
    cycle = cycle_of(cycle_id)
    rules = cycle.season.rule_book
    if rules.execution != "testnet" or (rules.fills == "venue" and cycle.state == CycleState.TRADING):
        return 0
    waiting = 0
    with desk_of(cycle, clock, connect) as desk:
        for row in _OPEN_ORDERS[rules.fills].all(season=cycle.season_id, number=cycle.number):
            waiting += not _pursue(row, desk, clock)
    for (turn_id,) in _PROVISIONAL.rows(cycle=cycle.id):
        settle_late(turn_id, clock())
    return waiting


def desk_of(cycle: Cycle, clock: Callable[[], datetime], connect: Connect) -> TestnetDesk:
    """Who carries out the orders of a cycle; nobody, where the season's exchange is not the one spoken to."""
    rules = cycle.season.rule_book
    return TestnetDesk(connect if is_here(rules) else _nobody, terms_of(rules, cycle), TurnsAtVenue(), clock)


def begins_to_trade(cycle: Cycle) -> bool:
    """Whether a turn of this cycle has not planned its orders yet, or would not have any."""
    return bool(_WITHOUT_A_PLAN.rows(cycle=cycle.id, number=cycle.number))


def _without_a_plan() -> QuerySet[Turn, Any]:
    planned = Order.objects.filter(portfolio__entry=OuterRef("entry"), cycle_number=Given("number"))
    decided = Turn.objects.filter(cycle=Given("cycle"), state=TurnState.DECIDED.value)
    return decided.filter(~Exists(planned)).values_list("id")[:1]


_WITHOUT_A_PLAN = Prepared(_without_a_plan)


def _nobody() -> None:
    return None


def terms_of(rules: Rules, cycle: Cycle) -> Terms:
    """How orders of a cycle are carried out; those that are only proof take whatever price there is."""
    slippage_bps = rules.slippage_bps if rules.fills == "venue" else None
    return Terms(trading_ends(rules, cycle.deadline_at), cycle.season.symbol_book, slippage_bps)


def _pursue(row: Order, desk: TestnetDesk, clock: Callable[[], datetime]) -> bool:
    """Whether an order has come to its end; what the ledger waits for is recorded with it."""
    _tell_if_long(row, clock())
    try:
        execution = desk.pursue(row)
    except OutcomeUnknown as unknown:
        logger.info("%s: %s", row.client_order_id, unknown)
        return False
    if row.state == OrderState.NEW:
        record_execution(row, execution, VENUE)
    return True


def _tell_if_long(row: Order, now: datetime) -> None:
    oldest = _UNKNOWN_SINCE.first(order=row.id, since=now - UNKNOWN_FOR)
    if oldest is not None:
        tell("unresolved", oldest.client_order_id, "the outcome of this order has not been known for six hours", now)
