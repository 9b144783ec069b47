"""Fills that were found after their cycle had closed: posted, valued again, and the boards written once more.

Nothing is edited: a later revision takes the place of an earlier one, which stays on record. It is done between cycles
only, so that no brief and no plan is made on a book that changes under it.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from competition.core.ranking import rank
from competition.core.schedule import last_due
from competition.core.states import SeasonState, TurnState, check_transition
from competition.models import Cycle, Revision, Season, Standing, Turn
from competition.services.closing import results_of, standing_rows
from competition.services.cycles import setting_of
from competition.services.settling import frozen_trade_prices
from market.core.symbols import Symbol
from portfolio.core.book import Book, fill_journal, fold, value_of
from portfolio.core.orders import FINAL_ORDER_STATES
from portfolio.models import Order, Valuation
from portfolio.services import post

logger = logging.getLogger(__name__)


def settle_late(turn_id: int, now: datetime) -> bool:
    """Settle a provisional turn whose orders have all ended; False while one has not, or while a cycle is under way."""
    season_id = Turn.objects.values_list("cycle__season", flat=True).get(id=turn_id)
    with transaction.atomic():
        season = Season.objects.select_for_update().get(id=season_id)
        if _is_busy(season, now):
            return False
        rows = Turn.objects.select_for_update(of=("self",)).select_related("entry__portfolio", "cycle__season")
        turn = rows.get(id=turn_id)
        orders = list(Order.objects.filter(client_order_id__in=turn.unresolved).order_by("id"))
        if turn.state != TurnState.PROVISIONAL or any(order.state not in FINAL_ORDER_STATES for order in orders):
            return False
        _settle(season, turn, orders, now)
    logger.warning("%s is settled after all: %s", turn, turn.trade_reason or "filled")
    return True


def _is_busy(season: Season, now: datetime) -> bool:
    """Whether a cycle is under way, or due: its briefs and its plans need a book that stands still."""
    if season.cycles.unfinished().exists():
        return True
    newest = season.cycles.aggregate(newest=Max("number"))["newest"] or 0
    return season.state == SeasonState.OPEN and last_due(season.rule_book, now) > newest


def _settle(season: Season, turn: Turn, orders: Sequence[Order], now: datetime) -> None:
    setting = setting_of(season)
    fills = [fill.value() for order in orders for fill in order.fills.order_by("id")]
    journals = [fill_journal(fill, setting.symbols[fill.symbol]) for fill in fills]
    if journals:
        post(turn.entry.portfolio, journals)
    closed = list(season.cycles.closed().filter(number__gte=turn.cycle.number).order_by("number"))
    change = fold(journals)
    for cycle in closed if journals else ():
        _value_again(turn, cycle, change, setting.symbols, setting.rules.quote)
    prices = frozen_trade_prices(turn.cycle).prices
    fees: dict[str, Decimal] = {}
    for fill in fills:
        fees[fill.fee_asset] = fees.get(fill.fee_asset, Decimal(0)) + fill.fee
    check_transition(TurnState(turn.state), TurnState.SETTLED)
    turn.state = TurnState.SETTLED
    turn.value_after = (turn.value_after or Decimal(0)) + value_of(change, prices, setting.symbols, setting.rules.quote)
    turn.traded += sum((fill.quote_amount for fill in fills), Decimal(0))
    paid = Book({asset: fee for asset, fee in fees.items() if fee})
    turn.fees += value_of(paid, prices, setting.symbols, setting.rules.quote)
    turn.trade_reason = "; ".join(dict.fromkeys(_told(order) for order in orders))[:500]
    turn.settled_at = now
    turn.save(update_fields=["state", "value_after", "traded", "fees", "trade_reason", "settled_at"])
    for cycle in closed:
        _write_board_again(cycle, f"{turn.entry.slug}, week {turn.cycle.number}: {turn.trade_reason}", now)


def _told(order: Order) -> str:
    return f"{order.side} {order.symbol} became known later: {order.state}" + (
        f", {order.reason}" if order.reason else ""
    )


def _value_again(turn: Turn, cycle: Cycle, change: Book, symbols: Mapping[str, Symbol], quote: str) -> None:
    """The valuation of a closed cycle with what came late, at the prices of that cycle."""
    portfolio = turn.entry.portfolio
    before = Valuation.objects.filter(portfolio=portfolio, cycle_number=cycle.number).order_by("-revision").first()
    if before is None:
        return  # it had no prices to be valued at
    worth = value_of(change, frozen_trade_prices(cycle).prices, symbols, quote)
    Valuation.objects.create(
        portfolio=portfolio,
        cycle_number=cycle.number,
        at=before.at,
        value=before.value + worth,
        revision=before.revision + 1,
    )


def _write_board_again(cycle: Cycle, reason: str, now: datetime) -> None:
    newest = cycle.revisions.aggregate(newest=Max("number"))["newest"] or 1
    board = rank(results_of(cycle.season, cycle.number), cycle.season.rule_book)
    rows = standing_rows(cycle, board)
    for row in rows:
        row.revision = newest + 1
    Revision.objects.create(cycle=cycle, number=newest + 1, at=now, reason=reason[:500])
    Standing.objects.bulk_create(rows)
