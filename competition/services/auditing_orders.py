"""What was sent to an exchange, held against itself: one execution of an order, and none without its trades."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Max, QuerySet, Sum

from competition.models import Season
from portfolio.core.order_attempts import EXECUTED, LIVE, AttemptState, may_be_followed
from portfolio.core.orders import FINAL_ORDER_STATES
from portfolio.exchange_models import AttemptChange, ExchangeTrade, Incident, OrderAttempt
from portfolio.found_models import FoundOrder
from portfolio.models import Fill
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.queries import postings_of
from portfolio.restoring import correction_of

CHUNK = 500
TOLD_WITHIN = timedelta(hours=8)  # of being sent: six hours, and the longest pause between two looks


def attempts_follow_only_the_dead(season: Season) -> Iterator[str]:
    """At no time could two requests execute the same order: each began when the one before was proven dead."""
    rows = _IN_ORDER.each(CHUNK, season=season.id)
    for _, group in groupby(rows, key=lambda row: row.order_id):
        before: OrderAttempt | None = None
        for number, row in enumerate(group, start=1):
            if row.number != number:
                yield f"{row.client_order_id} is attempt {row.number}, and {number - 1} came before it"
            if before is not None and not may_be_followed(AttemptState(before.state), before.refusal):
                yield f"{row.client_order_id} follows {before.client_order_id}, which is {before.state}"
            elif before is not None and before.changed_at > row.claimed_at:
                yield f"{row.client_order_id} was sent before {before.client_order_id} was known to be {before.state}"
            before = row


def attempts_have_their_history(season: Season) -> Iterator[str]:
    """Every state that a request was ever in is kept, and the last of them is the one it is in."""
    last = dict(_LAST_CHANGES.each(CHUNK, season=season.id))
    for row_id, name, state in _STATES.each(CHUNK, season=season.id):
        if last.get(row_id) != state:
            yield f"{name} is {state}, and its history ends with {last.get(row_id, 'nothing')}"


def executions_are_their_trades(season: Season) -> Iterator[str]:
    """What the exchange executed is the sum of its trades, and where its fills count, those are the fills."""
    for name, state, told, traded in _TRADED.each(CHUNK, season=season.id):
        executed = told if state in EXECUTED else Decimal(0)
        if executed != (traded or Decimal(0)):
            yield f"{name} is {state} with {executed} executed, and its trades come to {traded}"
    if season.rule_book.fills == "venue":
        yield from _fills_that_are_no_trades(season)


def _fills_that_are_no_trades(season: Season) -> Iterator[str]:
    amounts = ("trade_id", "quantity", "price", "quote_amount", "fee", "fee_asset")
    fills = Fill.objects.filter(order__portfolio__entry__season=season)
    trades = ExchangeTrade.objects.filter(attempt__in=_attempts(season))
    booked = set(fills.values_list("order__client_order_id", *amounts))
    listed = set(trades.values_list("attempt__order__client_order_id", *amounts))
    for order_id, trade_id, *_ in sorted(booked - listed, key=str):
        yield f"fill {trade_id} of {order_id} is no trade of the exchange"
    ended = _attempts(season).filter(order__state__in=FINAL_ORDER_STATES)
    over = set(ended.values_list("order__client_order_id", flat=True))
    for order_id, trade_id, *_ in sorted(listed - booked, key=str):
        if order_id in over:
            yield f"trade {trade_id} of {order_id} is no fill of it"


def found_orders_count_once(season: Season) -> Iterator[str]:
    """What was carried out and lost from the record is a correction in the ledger, or else an attempt of its order."""
    if not _FOUND.rows(season=season.id):
        return  # as mostly
    rows = FoundOrder.objects.filter(portfolio__entry__season=season)
    taken_up = set(rows.taken_up().values_list("id", flat=True))
    for found in rows.order_by("id").iterator(CHUNK):
        name, posted = found.client_order_id, Counter(postings_of(found.portfolio_id, found.correction_key))
        wanted = correction_of(found, season.symbol_book[found.symbol], found.found_at).postings
        if posted and found.id in taken_up:
            yield f"{name} was found at the exchange and counts twice: with its turn, and as a correction"
        if posted and posted != Counter(wanted):
            yield f"{name} was found at the exchange, and is booked otherwise than it was carried out"


def long_unknown_orders_are_told_of(season: Season) -> Iterator[str]:
    """Nobody waits for hours without somebody being told."""
    live = _LIVE.all(season=season.id)
    told = set(Incident.objects.values_list("subject", flat=True)) if live else set()
    for row in live:
        if row.due_at and row.due_at - row.claimed_at > TOLD_WITHIN and row.client_order_id not in told:
            since = f"{row.claimed_at:%Y-%m-%d %H:%M}"
            yield f"{row.client_order_id} has been {row.state} since {since}, and nobody was told"


def _attempts(season: Season | Given) -> QuerySet[OrderAttempt]:
    return OrderAttempt.objects.filter(order__portfolio__entry__season=season)


def _last_changes() -> QuerySet[AttemptChange, Any]:
    newest = AttemptChange.objects.filter(attempt__in=_attempts(SEASON)).values("attempt").annotate(last=Max("id"))
    return AttemptChange.objects.filter(id__in=newest.values("last")).values_list("attempt", "after")


SEASON = Given("season")
_IN_ORDER = PreparedObjects(lambda: _attempts(SEASON).order_by("order", "number"))
_LIVE = PreparedObjects(lambda: _attempts(SEASON).filter(state__in=LIVE).order_by("id"))
_STATES = Prepared(lambda: _attempts(SEASON).order_by("id").values_list("id", "client_order_id", "state"))
_LAST_CHANGES = Prepared(_last_changes)
_TRADED = Prepared(
    lambda: (
        _attempts(SEASON)
        .annotate(traded=Sum("trades__quantity"))
        .order_by("id")
        .values_list("client_order_id", "state", "executed", "traded")
    )
)
_FOUND = Prepared(lambda: FoundOrder.objects.filter(portfolio__entry__season=SEASON).values_list("id")[:1])
