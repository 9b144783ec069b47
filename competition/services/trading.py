"""Trading and settling. One later price snapshot for all; then each turn is carried out and posted on its own.

A turn that was interrupted is run again from the record: same book, same prices, same plan, same order ids, and the
orders that have ended are not placed again. What does not add up is quarantined: the book stays as it was, in public.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.utils import InterfaceError, OperationalError

from competition.core.engine import Overdrawn, TurnRecord, trade_turn
from competition.core.play import needed_but_missing, no_snapshot, no_trades, take_snapshot
from competition.core.rules import Rules
from competition.core.schedule import effective, market_time, trading_ends
from competition.core.states import CycleState, TurnState, check_transition
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
from market.core.candles import Candles
from market.core.canonical import plain
from market.core.snapshot import Snapshot, snapshot_of
from market.services import store_snapshot
from portfolio.core.book import Book, BrokenLedger, MissingPrice
from portfolio.core.brokers import Broker, OutcomeUnknown
from portfolio.models import Portfolio
from portfolio.queries import book_of
from portfolio.services import RecordingBroker, post, value_at

logger = logging.getLogger(__name__)

_SETTLED_FIELDS = (
    *("state", "value_before", "value_after", "traded", "fees", "skipped", "trade_reason", "settled_at"),
    *("token", "lease_until"),
)
# (snapshot to trade at, season's setting) -> who fills
BrokerFor = Callable[[Snapshot, Setting], Broker]


class Mismatch(BrokenLedger):
    """The ledger does not hold what the turn's record says it should; the turn is quarantined."""


def planned_trade_time(rules: Rules, cycle: Cycle, now: datetime) -> datetime:
    """Market instant of the trade prices: the deadline when we are on time, else the present."""
    return market_time(rules, effective(cycle.deadline_at, now, rules.on_time_s))


def freeze_trade_prices(cycle_id: int, now: datetime, candles: Candles) -> bool:
    """Take the one snapshot all entries trade at; past the trade window without one, trading is void for all."""
    cycle = Cycle.objects.select_related("season").get(id=cycle_id)
    if cycle.state != CycleState.TRADING or cycle.trade_snapshot_id or cycle.trade_as_of is None:
        return False
    setting = setting_of(cycle.season)
    if now > trading_ends(setting.rules, cycle.deadline_at):
        return _void_trading(cycle.id, now)
    snapshot = take_snapshot(candles, cycle.trade_as_of, setting.symbols, setting.rules, newer_than=cycle.as_of)
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
    reason = cycle.reason or "nobody was running during the trade window"
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


def trade_cycle(cycle_id: int, clock: Callable[[], datetime], broker_for: BrokerFor) -> bool:
    """Carry out every decided turn that nobody is working on; True when all turns of the cycle are terminal."""
    cycle = Cycle.objects.select_related("season", "trade_snapshot").get(id=cycle_id)
    if cycle.state != CycleState.TRADING or cycle.trade_snapshot is None:
        return False
    stored = cycle.trade_snapshot
    snapshot = snapshot_of(stored.content, stored.as_of, stored.sha256)
    setting = setting_of(cycle.season)
    broker = broker_for(snapshot, setting)
    open_turns = cycle.turns.filter(state=TurnState.DECIDED).order_by("entry__number")
    for turn_id in open_turns.values_list("id", flat=True):
        _trade(turn_id, cycle, setting, snapshot, broker, clock)
    return _end_trading(cycle.id, clock())


def _trade(
    turn_id: int,
    cycle: Cycle,
    setting: Setting,
    snapshot: Snapshot,
    broker: Broker,
    clock: Callable[[], datetime],
) -> None:
    token = uuid.uuid4()
    now = clock()
    lease_until = now + timedelta(seconds=setting.rules.turn_lease_s)
    free = Turn.objects.filter(id=turn_id, state=TurnState.DECIDED).exclude(lease_until__gt=now)
    if not free.update(token=token, lease_until=lease_until):
        return  # another process is at it
    turn = Turn.objects.select_related("entry__portfolio").get(id=turn_id)
    portfolio = turn.entry.portfolio
    recording = RecordingBroker(broker, portfolio, cycle.number)
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
        )
        settle(turn.id, token, cycle.number, snapshot.as_of, record, clock())
    except OutcomeUnknown as unknown:
        logger.warning("%s waits for the outcome of an order: %s", turn, unknown)
        _let_go(turn.id, token)
    except (BrokenLedger, MissingPrice, Overdrawn) as mismatch:
        logger.exception("%s is quarantined", turn)
        quarantine(turn.id, token, str(mismatch), clock())
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out by itself
    except Exception:
        logger.exception("%s could not be carried out; it is tried again until the trade window ends", turn)
        _let_go(turn.id, token)


def _let_go(turn_id: int, token: uuid.UUID) -> None:
    """Give a lease back, so that the next tick can try again."""
    Turn.objects.filter(id=turn_id, token=token).update(token=None, lease_until=None)


@transaction.atomic
def settle(turn_id: int, token: uuid.UUID, number: int, at: datetime, record: TurnRecord, now: datetime) -> bool:
    """Post a turn's journals and its valuation, and check the book a second way before the commit.

    False when the turn is no longer this token's. Raises `Mismatch`, which undoes all of it, when the ledger did not
    hold the book the record starts from or does not hold the one it ends with.
    """
    turn = Turn.objects.select_for_update(of=("self",)).select_related("entry__portfolio").get(id=turn_id)
    if turn.state != TurnState.DECIDED or turn.token != token:
        return False
    portfolio = turn.entry.portfolio
    _check_book(portfolio, record.book_before, "before")
    if record.journals:
        post(portfolio, record.journals)
    _check_book(portfolio, record.book_after, "after")
    value_at(portfolio, number, at, record.value_after)
    check_transition(TurnState(turn.state), TurnState.SETTLED)
    turn.state = TurnState.SETTLED
    turn.value_before, turn.value_after = record.value_before, record.value_after
    turn.traded, turn.fees = record.traded, record.fees
    turn.skipped = skipped_content(record)
    turn.trade_reason = trade_reason(record)
    turn.settled_at = now
    turn.token = turn.lease_until = None
    turn.save(update_fields=_SETTLED_FIELDS)
    return True


def skipped_content(record: TurnRecord) -> list[dict[str, str]]:
    """What was wanted and not ordered, as plain JSON values."""
    return [{**asdict(skip), "side": skip.side.value, "quantity": plain(skip.quantity)} for skip in record.skipped]


def trade_reason(record: TurnRecord) -> str:
    """Why orders ended otherwise than filled, in words; empty when none did."""
    reasons = (e.reason for e in record.executions if e.reason)
    return "; ".join(dict.fromkeys(reasons))[:500]


def _check_book(portfolio: Portfolio, expected: Book, when: str) -> None:
    held = book_of(portfolio.id)
    if dict(held.balances) != dict(expected.balances):
        raise Mismatch(f"{when} the turn {portfolio.key} holds {_text(held)}, expected {_text(expected)}")


def _text(book: Book) -> str:
    amounts: dict[str, Decimal] = dict(book.balances)
    return ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(amounts.items())) or "nothing"


@transaction.atomic
def quarantine(turn_id: int, token: uuid.UUID, reason: str, now: datetime) -> bool:
    """Set a turn aside: nothing of it is posted, the previous book stands, and the reason is public."""
    turn = Turn.objects.select_for_update().get(id=turn_id)
    if turn.state != TurnState.DECIDED or turn.token != token:
        return False
    check_transition(TurnState(turn.state), TurnState.QUARANTINED)
    turn.state = TurnState.QUARANTINED
    turn.trade_reason = reason[:500]
    turn.settled_at = now
    turn.token = turn.lease_until = None
    turn.save(update_fields=_SETTLED_FIELDS)
    return True


@transaction.atomic
def _end_trading(cycle_id: int, now: datetime) -> bool:
    """Go on when all turns are terminal; after the trade window those that are not are set aside, so that it ends."""
    cycle = locked(cycle_id, CycleState.TRADING)
    if cycle is None or cycle.trade_snapshot_id is None:
        return False
    unsettled = cycle.turns.filter(state=TurnState.DECIDED)
    if now > trading_ends(cycle.season.rule_book, cycle.deadline_at):
        unsettled.exclude(lease_until__gt=now).update(
            state=TurnState.QUARANTINED,
            trade_reason="could not be settled before the trade window ended",
            settled_at=now,
            token=None,
            lease_until=None,
        )
    if unsettled.exists():
        return False
    move(cycle, CycleState.CLOSING)
    return True
