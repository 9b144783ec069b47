"""Settling: what a turn did is posted whole, checked a second way, or set aside in public; then trading ends."""

import logging
import uuid
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from competition.core.engine import TurnRecord
from competition.core.schedule import trading_ends
from competition.core.states import CycleState, TurnState, check_transition
from competition.models import Cycle, Turn
from competition.services.cycles import locked, move, setting_of
from market.core.canonical import plain
from market.core.snapshot import Snapshot, snapshot_of
from portfolio.core.book import Book, BrokenLedger, MissingPrice, value_of
from portfolio.models import Portfolio
from portfolio.prepared import Given, PreparedObjects
from portfolio.queries import book_of
from portfolio.services import end_open_orders, post, value_at

logger = logging.getLogger(__name__)

_SETTLED_FIELDS = (
    *("state", "value_before", "value_after", "traded", "fees", "skipped", "trade_reason", "unresolved", "settled_at"),
    *("token", "lease_until"),
)
_TURN = PreparedObjects(
    lambda: Turn.objects.select_for_update(of=("self",)).select_related("entry__portfolio").filter(id=Given("id"))
)


class Mismatch(BrokenLedger):
    """The ledger does not hold what the turn's record says it should; the turn is quarantined."""


@transaction.atomic
def settle(turn_id: int, token: uuid.UUID, number: int, at: datetime, record: TurnRecord, now: datetime) -> bool:
    """Post a turn's journals and its valuation, and check the book a second way before the commit.

    A turn with an order whose outcome is not known is provisional until `revising` settles it.

    False when the turn is no longer this token's. Raises `Mismatch`, which undoes all of it, when the ledger did not
    hold the book the record starts from or does not hold the one it ends with.
    """
    turn = _TURN.get(id=turn_id)
    if turn.state != TurnState.DECIDED or turn.token != token:
        return False
    portfolio = turn.entry.portfolio
    _check_book(portfolio, record.book_before, "before")
    if record.journals:
        post(portfolio, record.journals)
    _check_book(portfolio, record.book_after, "after")
    value_at(portfolio, number, at, record.value_after)
    ended = TurnState.PROVISIONAL if record.unresolved else TurnState.SETTLED
    check_transition(TurnState(turn.state), ended)
    turn.state = ended
    turn.unresolved = [order.client_order_id for order in record.unresolved]
    turn.value_before, turn.value_after = record.value_before, record.value_after
    turn.traded, turn.fees = record.traded, record.fees
    turn.skipped = skipped_content(record)
    turn.trade_reason = trade_reason(record)
    turn.settled_at = None if record.unresolved else now
    turn.token = turn.lease_until = None
    turn.save(update_fields=_SETTLED_FIELDS)
    return True


def skipped_content(record: TurnRecord) -> list[dict[str, str]]:
    """What was wanted and not ordered, as plain JSON values."""
    return [{**skip._asdict(), "side": skip.side.value, "quantity": plain(skip.quantity)} for skip in record.skipped]


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
    """Set a turn aside that is this token's; False when it is not."""
    turn = _turns_to_end().get(id=turn_id)
    if turn.state != TurnState.DECIDED or turn.token != token:
        return False
    _set_aside(turn, reason, now)
    return True


def _turns_to_end() -> QuerySet[Turn]:
    rows = Turn.objects.select_for_update(of=("self",))
    return rows.select_related("entry__portfolio", "cycle__season", "cycle__trade_snapshot")


def _set_aside(turn: Turn, reason: str, now: datetime) -> None:
    """End a locked turn without posting anything of it: the previous book stands, is valued, and the reason is public.

    What had been executed of it is on record and said in the reason; it is nobody's until somebody has looked at it.
    """
    cycle, portfolio = turn.cycle, turn.entry.portfolio
    check_transition(TurnState(turn.state), TurnState.QUARANTINED)
    executed = end_open_orders(portfolio, cycle.number, "the turn was set aside")
    if executed:
        reason = f"{executed} executed order{'s' if executed > 1 else ''} not posted: {reason}"
    turn.state = TurnState.QUARANTINED
    turn.trade_reason = reason[:500]
    turn.settled_at = now
    turn.token = turn.lease_until = None
    turn.save(update_fields=_SETTLED_FIELDS)
    if cycle.trade_snapshot:
        _value_standing_book(portfolio, cycle)


def _value_standing_book(portfolio: Portfolio, cycle: Cycle) -> None:
    """Being set aside is no shelter from the market: the book that stands is worth what it is worth now."""
    snapshot, setting = frozen_trade_prices(cycle), setting_of(cycle.season)
    try:
        worth = value_of(book_of(portfolio.id), snapshot.prices, setting.symbols, setting.rules.quote)
    except MissingPrice as missing:
        logger.warning("%s has no value in cycle %s: %s", portfolio.key, cycle.number, missing)
        return
    value_at(portfolio, cycle.number, snapshot.as_of, worth)


def frozen_trade_prices(cycle: Cycle) -> Snapshot:
    """The snapshot all entries of this cycle trade at; raises `ValueError` while there is none."""
    stored = cycle.trade_snapshot
    if stored is None:
        raise ValueError(f"{cycle} has no trade prices yet")
    return snapshot_of(stored.content, stored.as_of, stored.sha256)


@transaction.atomic
def end_trading(cycle_id: int, now: datetime) -> bool:
    """Go on when all turns are terminal; after the trade window those that are not are set aside, so that it ends."""
    cycle = locked(cycle_id, CycleState.TRADING)
    if cycle is None or cycle.trade_snapshot_id is None:
        return False
    unsettled = cycle.turns.filter(state=TurnState.DECIDED)
    if now > trading_ends(cycle.season.rule_book, cycle.deadline_at):
        free = unsettled.exclude(lease_until__gt=now).order_by("id").values_list("id", flat=True)
        for turn in _turns_to_end().filter(id__in=list(free)):
            _set_aside(turn, "could not be settled before the trade window ended", now)
    if unsettled.exists():
        return False
    move(cycle, CycleState.CLOSING)
    return True
