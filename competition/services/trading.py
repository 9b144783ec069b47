"""Trading and settling. One later price snapshot for all; then each turn is carried out and posted on its own.

A turn that was interrupted is run again from the record: same book, same prices, same plan, same order ids, and the
orders that have ended are not placed again. What does not add up is quarantined: the book stays as it was, in public.
"""

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.utils import InterfaceError, OperationalError

from competition.core.engine import Overdrawn, trade_turn
from competition.core.play import needed_but_missing, no_snapshot, no_trades, take_snapshot
from competition.core.rules import Rules
from competition.core.schedule import effective, market_time, trading_ends
from competition.core.states import CycleState, TurnState
from competition.models import Cycle, Turn
from competition.services.cycles import (
    Setting,
    books_by_portfolio,
    locked,
    move,
    say_why_waiting,
    seat_of,
    setting_of,
)
from competition.services.settling import end_trading, frozen_trade_prices, quarantine, settle
from market.core.candles import Candles
from market.core.readings import Readings
from market.core.snapshot import Snapshot
from market.services import store_snapshot
from portfolio.attempts import worst_of
from portfolio.core.book import BrokenLedger, MissingPrice
from portfolio.core.brokers import Broker, ClosedBroker, OutcomeUnknown
from portfolio.core.waiting import NOTHING_WAITS, Waiting
from portfolio.models import Order
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.queries import book_of
from portfolio.services import LeaseLost, RecordingBroker
from portfolio.testnet_desk import ClosedTestnetBroker

logger = logging.getLogger(__name__)

WINDOW_OVER = "the trade window had ended"
_CYCLE = PreparedObjects(lambda: Cycle.objects.select_related("season", "trade_snapshot").filter(id=Given("id")))
_OPEN_TURNS = Prepared(
    lambda: (
        Turn.objects.filter(cycle=Given("cycle"), state=TurnState.DECIDED).order_by("entry__number").values_list("id")
    )
)
_TURN = PreparedObjects(lambda: Turn.objects.select_related("entry__portfolio", "cycle__season").filter(id=Given("id")))
_PROVISIONAL_BEFORE = Prepared(
    lambda: Turn.objects.filter(
        entry=Given("entry"), state=TurnState.PROVISIONAL, cycle__number__lt=Given("number")
    ).values_list("unresolved", "cycle__number")
)
# (snapshot to trade at, season's setting) -> who fills
BrokerFor = Callable[[Snapshot, Setting], Broker]
NewToken = Callable[[], uuid.UUID]


def planned_trade_time(rules: Rules, cycle: Cycle, now: datetime) -> datetime:
    """Market instant of the trade prices: the deadline when we are on time, else the present."""
    return market_time(rules, effective(cycle.deadline_at, now, rules.on_time_s))


def freeze_trade_prices(cycle_id: int, now: datetime, candles: Candles, readings: Readings | None = None) -> bool:
    """Take the one snapshot all entries trade at; past the trade window without one, trading is void for all."""
    cycle = Cycle.objects.select_related("season").get(id=cycle_id)
    if cycle.state != CycleState.TRADING or cycle.trade_snapshot_id or cycle.trade_as_of is None:
        return False
    if now > trading_ends(cycle.season.rule_book, cycle.deadline_at):
        return _void_trading(cycle.id, now)
    setting = setting_of(cycle.season)
    snapshot = take_snapshot(candles, cycle.trade_as_of, setting.symbols, setting.rules, cycle.as_of, readings)
    books = list(books_by_portfolio(setting.entries()).values())
    missing = needed_but_missing(snapshot, books, setting.symbols)
    if missing:
        say_why_waiting(cycle, no_snapshot(missing))
        return False
    return _store_trade_snapshot(cycle.id, snapshot)


@transaction.atomic
def _store_trade_snapshot(cycle_id: int, snapshot: Snapshot) -> bool:
    cycle = locked(cycle_id, CycleState.TRADING)
    if cycle is None or cycle.trade_snapshot_id:
        return False
    cycle.trade_snapshot = store_snapshot(snapshot)
    cycle.reason = ""
    cycle.save()
    return True


@transaction.atomic
def _void_trading(cycle_id: int, now: datetime) -> bool:
    """Settle every turn without orders and without a valuation: there was no price to trade or value at."""
    cycle = locked(cycle_id, CycleState.TRADING)
    if cycle is None or cycle.trade_snapshot_id:
        return False
    reason = cycle.reason or "no prices were frozen during the trade window"
    cycle.turns.filter(state=TurnState.DECIDED).update(
        state=TurnState.SETTLED,
        trade_reason=no_trades(reason)[:500],
        settled_at=now,
        token=None,
        lease_until=None,
    )
    cycle.reason = no_trades(reason)[:500]
    move(cycle, CycleState.CLOSING)
    return True


def trade_cycle(
    cycle_id: int, clock: Callable[[], datetime], broker_for: BrokerFor, new_token: NewToken = uuid.uuid4
) -> bool:
    """Carry out every decided turn that nobody is working on; True when all turns of the cycle are terminal.

    After the trade window nothing is placed any more: a turn that was interrupted is finished from its record, and
    whatever was not executed has expired. After twice the window turns are set aside untried, lest one that keeps
    killing whoever carries it out holds up the season for ever.
    """
    cycle = _CYCLE.get(id=cycle_id)
    if cycle.state != CycleState.TRADING or cycle.trade_snapshot is None:
        return False
    setting = setting_of(cycle.season)
    snapshot = frozen_trade_prices(cycle)
    window_ends = trading_ends(setting.rules, cycle.deadline_at)
    if clock() > window_ends + timedelta(seconds=setting.rules.trade_window_s):
        return end_trading(cycle.id, clock())
    broker = broker_for(snapshot, setting)
    if clock() > window_ends:
        broker = closed_broker(setting.rules, clock)
    for (turn_id,) in _OPEN_TURNS.rows(cycle=cycle.id):
        _trade(turn_id, cycle, setting, snapshot, broker, clock, new_token())
    return end_trading(cycle.id, clock())


def closed_broker(rules: Rules, clock: Callable[[], datetime]) -> Broker:
    """After the trade window: nothing is placed, and what an exchange has not answered for is not known yet."""
    if rules.fills == "venue":
        return ClosedTestnetBroker(WINDOW_OVER, clock)
    return ClosedBroker("paper", WINDOW_OVER)


def waiting_of(turn: Turn, rules: Rules) -> Waiting:
    """What provisional turns of this entry hold up. It stays the same while a cycle runs, since none settles then."""
    if rules.fills != "venue":
        return NOTHING_WAITS
    before = _PROVISIONAL_BEFORE.rows(entry=turn.entry_id, number=turn.cycle.number)
    if not before:
        return NOTHING_WAITS
    numbers = {order_id: number for ids, number in before for order_id in ids}
    orders = Order.objects.filter(client_order_id__in=numbers).order_by("id")
    reasons, reserved = dict[str, str](), defaultdict[str, Decimal](Decimal)
    symbols = turn.cycle.season.symbol_book
    for order in orders:
        week = numbers[order.client_order_id]
        reasons[order.symbol] = f"frozen: the outcome of an order of week {week} is not known"
        asset, amount = worst_of(order, symbols[order.symbol])
        reserved[asset] += amount
    return Waiting(reasons, reserved)


def _trade(
    turn_id: int,
    cycle: Cycle,
    setting: Setting,
    snapshot: Snapshot,
    broker: Broker,
    clock: Callable[[], datetime],
    token: uuid.UUID,
) -> None:
    now = clock()
    lease_until = now + timedelta(seconds=setting.rules.turn_lease_s)
    free = Turn.objects.filter(id=turn_id, state=TurnState.DECIDED).exclude(lease_until__gt=now)
    if not free.update(token=token, lease_until=lease_until):
        return  # another process is at it
    turn = _TURN.get(id=turn_id)
    portfolio = turn.entry.portfolio
    keep = partial(_keep_lease, turn.id, token, timedelta(seconds=setting.rules.turn_lease_s), clock)
    recording = RecordingBroker(broker, portfolio, cycle.number, keep)
    try:
        record = trade_turn(
            seat_of(turn.entry, cycle.number, setting.rules),
            book_of(portfolio.id),
            snapshot.as_of,
            snapshot.prices,
            setting.symbols,
            setting.rules,
            turn.verdict_value(),
            recording,
            waiting_of(turn, setting.rules),
        )
        settle(turn.id, token, cycle.number, snapshot.as_of, record, clock())
    except OutcomeUnknown as unknown:
        logger.warning("%s waits for the outcome of an order: %s", turn, unknown)
        _let_go(turn.id, token)
    except LeaseLost:
        logger.warning("%s was taken over by another process", turn)
    except (BrokenLedger, MissingPrice, Overdrawn) as mismatch:
        logger.exception("%s is quarantined", turn)
        quarantine(turn.id, token, str(mismatch), clock())
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out by itself
    except Exception:
        logger.exception("%s could not be carried out; it is tried again until the trade window ends", turn)
        _let_go(turn.id, token)


def _keep_lease(turn_id: int, token: uuid.UUID, lease: timedelta, clock: Callable[[], datetime]) -> bool:
    """Renew the lease of a turn that is still this token's; False when it is not."""
    mine = Turn.objects.filter(id=turn_id, token=token, state=TurnState.DECIDED)
    return bool(mine.update(lease_until=clock() + lease))


def _let_go(turn_id: int, token: uuid.UUID) -> None:
    """Give a lease back, so that the next tick can try again."""
    Turn.objects.filter(id=turn_id, token=token).update(token=None, lease_until=None)
