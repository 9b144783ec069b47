"""A look at the account on the exchange beside our record of it, kept as a row. It changes nothing else.

The exchange is asked between two readings of our own record: when orders were under way, or something of ours moved
meanwhile, balances are not judged. What is judged is everything since the first quiet look of the epoch, so that a
difference stays a finding until somebody explains it or the testnet is wiped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from market.core.answers import ExchangeError
from market.core.canonical import plain
from market.core.exact import exact_sum
from market.queries import listed_symbols
from portfolio.attempts import begin_epoch, current_epoch
from portfolio.core.order_attempts import EXECUTED, LIVE, QUIET_S
from portfolio.core.orders import Side
from portfolio.core.reconciling import (
    Amounts,
    AssetLine,
    Finding,
    Look,
    OurOrder,
    asset_lines,
    balance_findings,
    is_wiped,
    moved_by,
    order_findings,
)
from portfolio.core.venue_fills import VenueOrder
from portfolio.exchange_models import ExchangeTrade, OrderAttempt, Reconciliation
from portfolio.found_models import FoundOrder
from portfolio.queries import books_of
from portfolio.testnet import PAGE_ROWS, Testnet
from portfolio.venue_session import what_to_do

WITNESSES = 3
FINDINGS_KEPT = 50
TROUBLE_CHARS = 300
WIPED = "the exchange has forgotten our orders and refilled the account"


@dataclass(frozen=True)
class OurRecord:
    """Our side at one moment: ended orders of the epoch, ids under way, and by how much trades moved the account.

    `silent` are the ids of which the exchange may say what it likes: those under way, and those of earlier epochs.
    """

    orders: tuple[OurOrder, ...]
    live: frozenset[str]
    silent: frozenset[str]
    symbols: tuple[str, ...]
    moved: Amounts


@dataclass(frozen=True)
class Theirs:
    """The exchange's side: its orders of our symbols, its balances, and of some orders whether it still has them."""

    listed: tuple[VenueOrder, ...]
    balances: Amounts
    witnesses: tuple[bool, ...]


@dataclass(frozen=True)
class Compared:
    """One look in full."""

    record: OurRecord
    is_still: bool
    is_wipe: bool
    lines: tuple[AssetLine, ...]
    findings: tuple[Finding, ...] = field(default=())


def reconcile(account: Testnet, portfolio_ids: Sequence[int], clock: Callable[[], datetime]) -> Reconciliation:
    """Compare the account with our record of it and with what these portfolios hold together; the result as a row.

    A wipe begins another epoch. When the exchange does not answer, the row says so, and nothing else is said.
    """
    began_at = clock()
    epoch = current_epoch(began_at)
    asked_before = account.asked.total()
    try:
        compared = _compare(account, epoch, portfolio_ids, began_at)
    except ExchangeError as error:
        return Reconciliation.objects.create(
            at=began_at, epoch=epoch, seconds=_seconds(clock() - began_at), trouble=_trouble(error)
        )
    return _keep(compared, epoch, began_at, clock, account.asked.total() - asked_before)


def _trouble(error: ExchangeError) -> str:
    """What happened and what to do, as long as the column is; what is cut off is the exchange's own text."""
    todo = what_to_do(error)
    return f"{str(error)[: TROUBLE_CHARS - len(todo) - 2].removesuffix('.')}. {todo}"


def _compare(account: Testnet, epoch: int, portfolio_ids: Sequence[int], now: datetime) -> Compared:
    account.sync()
    before = _our_record(epoch)
    theirs = _theirs(account, before.symbols, _long_past(epoch, now))
    record = _our_record(epoch)
    is_still = record == before and not record.live
    held, look, first = _held(portfolio_ids), Look(theirs.balances, record.moved), _first_quiet_look(epoch)
    lines = asset_lines(held, look, first)
    if is_wiped(theirs.witnesses, lines):
        return Compared(record, is_still, True, lines)
    if not is_still:
        lines = asset_lines(held, look, None)
    of_orders = order_findings(record.orders, theirs.listed, record.silent | before.silent)
    return Compared(record, is_still, False, lines, (*of_orders, *balance_findings(lines)))


def _our_record(epoch: int) -> OurRecord:
    attempts = OrderAttempt.objects.filter(epoch=epoch).select_related("order").order_by("id")
    ended = [one for one in attempts if one.state not in LIVE and one.exchange_order_id is not None]
    live = frozenset(one.client_order_id for one in attempts if one.state in LIVE)
    earlier = OrderAttempt.objects.filter(epoch__lt=epoch).values_list("client_order_id", flat=True)
    found = list(_found_without_a_turn(epoch))
    return OurRecord(
        orders=(*(_our_order(one) for one in ended), *(_found_order(one) for one in found)),
        live=live,
        silent=live | frozenset(earlier),
        symbols=tuple(sorted({one.order.symbol for one in attempts} | {one.symbol for one in found})),
        moved=_moved(epoch),
    )


def _our_order(attempt: OrderAttempt) -> OurOrder:
    return OurOrder(
        attempt.client_order_id,
        int(attempt.exchange_order_id or 0),
        attempt.order.symbol,
        attempt.executed or Decimal(0),
        attempt.quote_amount,
    )


def _found_without_a_turn(epoch: int) -> QuerySet[FoundOrder]:
    found = FoundOrder.objects.filter(epoch=epoch)
    return found.exclude(id__in=found.taken_up().values("id")).order_by("id")


def _found_order(found: FoundOrder) -> OurOrder:
    return OurOrder(found.client_order_id, found.exchange_order_id, found.symbol, found.executed, found.quote_amount)


def _moved(epoch: int) -> Amounts:
    """By how much the recorded trades of an epoch moved the account."""
    trades = ExchangeTrade.objects.filter(attempt__epoch=epoch).select_related("attempt__order")
    fills = [trade.fill(trade.attempt.order.client_order_id, Side(trade.attempt.order.side)) for trade in trades]
    fills += [fill for found in _found_without_a_turn(epoch) for fill in found.fills()]
    return moved_by(fills, listed_symbols({fill.symbol for fill in fills}))


def _long_past(epoch: int, now: datetime) -> list[OrderAttempt]:
    """The oldest executed orders of an epoch, if no lag of the exchange's copies could still hide them."""
    executed = OrderAttempt.objects.filter(epoch=epoch, state__in=[state.value for state in EXECUTED])
    past = executed.filter(changed_at__lt=now - timedelta(seconds=QUIET_S))
    return list(past.select_related("order").order_by("id")[:WITNESSES])


def _theirs(account: Testnet, symbols: Sequence[str], long_past: Sequence[OrderAttempt]) -> Theirs:
    listed = tuple(order for symbol in symbols for order in _all_orders(account, symbol))
    witnesses = tuple(account.order(one.order.symbol, one.client_order_id) is not None for one in long_past)
    return Theirs(listed, account.balances(), witnesses)


def _all_orders(account: Testnet, symbol: str) -> Iterator[VenueOrder]:
    """Every order of a symbol that the exchange lists, page by page."""
    next_id = 0
    while page := account.all_orders(symbol, next_id):
        yield from page
        if len(page) < PAGE_ROWS:
            return
        next_id = page[-1].order_id + 1


def _held(portfolio_ids: Sequence[int]) -> Amounts:
    """What these portfolios hold together, by asset."""
    books = [book.balances for book in books_of(portfolio_ids).values()]
    assets = sorted({asset for balances in books for asset in balances})
    return {asset: exact_sum(balances.get(asset, Decimal(0)) for balances in books) for asset in assets}


def _first_quiet_look(epoch: int) -> Look | None:
    """What the account held when it was first seen at rest in this epoch."""
    row = Reconciliation.objects.filter(epoch=epoch, is_still=True).order_by("id").first()
    if row is None:
        return None
    told = {line["asset"]: (Decimal(line["account"]), Decimal(line["moved"])) for line in row.lines}
    return Look({a: amount for a, (amount, _) in told.items()}, {a: moved for a, (_, moved) in told.items()})


@transaction.atomic
def _keep(
    compared: Compared, epoch: int, began_at: datetime, clock: Callable[[], datetime], requests: int
) -> Reconciliation:
    lines = [_content(line, compared.is_wipe) for line in compared.lines]
    if compared.is_wipe:
        epoch = begin_epoch(epoch + 1, WIPED, began_at)
    return Reconciliation.objects.create(
        at=began_at,
        epoch=epoch,
        seconds=_seconds(clock() - began_at),
        orders=len(compared.record.orders),
        under_way=len(compared.record.live),
        is_still=compared.is_still,
        is_wipe=compared.is_wipe,
        findings_count=len(compared.findings),
        findings=[[one.kind.value, one.subject, one.sentence] for one in compared.findings[:FINDINGS_KEPT]],
        lines=lines,
        requests=requests,
    )


def _content(line: AssetLine, is_wipe: bool) -> dict[str, str | None]:
    """A line as JSON values. After a wipe our trades have moved nothing yet, and there is nothing to explain."""
    unexplained = None if is_wipe or line.unexplained is None else plain(line.unexplained)
    moved = Decimal(0) if is_wipe else line.moved
    account = {"account": plain(line.account), "moved": plain(moved), "unexplained": unexplained}
    return {"asset": line.asset, "books": plain(line.books), **account}


def _seconds(took: timedelta) -> Decimal:
    return Decimal(took // timedelta(milliseconds=1)) / 1000
