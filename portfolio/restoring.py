"""After the record was put back to an earlier state: what the exchange has carried out for us since, and we forgot.

Every order says in its id whose it is, and of which week. One of ours that is not on record can only come from weeks
that were lost with the record. It is kept as found before anything else is sent, so that nothing is carried out twice:

    goes on     its decision is on record, and the order would come next: the turn plans it again, and takes it from the
                exchange instead of sending it
    is booked   the decision was lost with it, or its turn is over: what it moved is posted as a correction, as soon as
                nothing of that portfolio is being traded, and its week sends no order more

An order on its way when the record was put back shows at the exchange only minutes later. So whoever restores a backup
waits for that long (`QUIET_S`) before any process with the keys is started.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from django.db import transaction
from django.db.models import Max

from market.core.answers import ExchangeError
from market.core.canonical import plain
from market.core.symbols import Symbol
from portfolio.attempts import tell
from portfolio.core.book import Journal, JournalKind, checked, fill_journal
from portfolio.core.order_attempts import CLOCKS_APART_MS_MAX, AttemptName, AttemptState, attempt_name
from portfolio.core.orders import Fill, Order, owner_of
from portfolio.core.reconciling import OUR_PREFIX
from portfolio.core.venue_fields import Nonsense
from portfolio.core.venue_fills import NotYet, VenueOrder, VenueTrade, execution_of
from portfolio.exchange_models import OrderAttempt
from portfolio.found_models import FoundOrder
from portfolio.models import Order as OrderRow
from portfolio.models import Portfolio, Valuation
from portfolio.prepared import Given, Prepared
from portfolio.services import post
from portfolio.venue_session import NoSession, Session, note_trouble

_EVER_FOUND = Prepared(lambda: FoundOrder.objects.values_list("id")[:1])
_LAST_SENT = Prepared(
    lambda: (
        OrderAttempt.objects.filter(
            order__symbol=Given("symbol"), epoch=Given("epoch"), exchange_order_id__isnull=False
        )
        .order_by("-exchange_order_id")
        .values_list("exchange_order_id")[:1]
    )
)
_LAST_FOUND = Prepared(
    lambda: (
        FoundOrder.objects.filter(symbol=Given("symbol"), epoch=Given("epoch"))
        .order_by("-exchange_order_id")
        .values_list("exchange_order_id")[:1]
    )
)
CLOCKS_APART = timedelta(milliseconds=CLOCKS_APART_MS_MAX)
JUST_AFTER = timedelta(microseconds=1)


class Turns(Protocol):
    """What is known of the turns whose orders go to this account."""

    def portfolios(self) -> Mapping[int, Mapping[str, Symbol] | None]:
        """Portfolios that trade there, by id, with the symbols of those whose ledger moves by what is filled there."""

    def decided_at(self, portfolio_id: int, cycle_number: int, now: datetime) -> datetime | None:
        """When the turn was decided that can still place orders of this week; None when there is none."""

    def is_trading(self, portfolio_id: int, now: datetime) -> bool:
        """Whether a turn reckons with the book of this portfolio. None begins to before the transaction ends."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """An order at the exchange that our record lacks, with its fills."""

    name: AttemptName
    found: VenueOrder
    portfolio: Portfolio
    fills: tuple[Fill, ...]


def recover(session: Session, symbols: Mapping[str, Symbol], turns: Turns, now: datetime) -> list[FoundOrder]:
    """Keep what the exchange has carried out for us and our record lacks; those found now, mostly none.

    What belongs to no turn, now or since an earlier look, is booked.

    Raises `NoSession` while one of them may still be executed, or its trades are not all listed.
    """
    try:
        listed = [order for symbol in sorted(symbols) for order in _listed_since(session, symbol)]
        strangers = list(_not_on_record(listed))
        owners = _owners(turns) if strangers else {}
        known = [(order, name) for order, name in strangers if name.owner in owners]
        ours = [_with_fills(session, order, name, owners[name.owner]) for order, name in known]
    except ExchangeError as error:
        note_trouble(error, now)
        raise NoSession(str(error)) from None
    ours.sort(key=lambda lost: (lost.fills[0].at, lost.found.order_id))  # what was sold pays for what was bought
    kept = [_keep(lost, session.epoch, turns, now) for lost in ours]
    book_what_waits(turns, now)
    return [one for one in kept if one is not None]


def _listed_since(session: Session, symbol: str) -> Iterator[VenueOrder]:
    """Orders of a symbol behind the last one that we know of: whatever was lost came after it."""
    known = [row for last in (_LAST_SENT, _LAST_FOUND) for row in last.rows(symbol=symbol, epoch=session.epoch)]
    first = max((order_id for (order_id,) in known), default=0) + 1
    while page := session.exchange.all_orders(symbol, first):
        yield from page
        first = page[-1].order_id + 1


def _not_on_record(listed: Sequence[VenueOrder]) -> Iterator[tuple[VenueOrder, AttemptName]]:
    """Those of ours that did something, or still may. The record is read after the list, so it has what was listed."""
    names = {one.client_order_id: one for one in listed if one.client_order_id.startswith(OUR_PREFIX)}
    sent = OrderAttempt.objects.filter(client_order_id__in=names).exclude(state=AttemptState.ABANDONED.value)
    known = set(sent.values_list("client_order_id", flat=True))
    for client_id, order in names.items():
        name = attempt_name(client_id)
        if name is not None and client_id not in known and (order.executed or order.is_open):
            yield order, name


def _owners(turns: Turns) -> dict[str, Portfolio]:
    return {owner_of(row.key): row for row in Portfolio.objects.filter(id__in=turns.portfolios()).order_by("id")}


def _with_fills(session: Session, found: VenueOrder, name: AttemptName, portfolio: Portfolio) -> _Lost:
    waits = f"{found.client_order_id} is not on record, and "
    if found.is_open:
        raise NoSession(f"{waits}is {found.status}")
    trades: Sequence[VenueTrade] = session.exchange.trades(found.symbol, found.order_id)
    order = Order(name.order_id, found.symbol, found.side, found.ordered, Decimal(1))
    try:
        end = execution_of(order, found, trades, session.epoch, found.client_order_id)
    except Nonsense as nonsense:
        raise NoSession(f"{waits}{nonsense}") from None
    if isinstance(end, NotYet):
        raise NoSession(f"{waits}{end.reason}")
    return _Lost(name, found, portfolio, end.fills)


@transaction.atomic
def _keep(lost: _Lost, epoch: int, turns: Turns, now: datetime) -> FoundOrder | None:
    """Write down what was found, once."""
    portfolio = Portfolio.objects.select_for_update().get(id=lost.portfolio.id)
    client_id = lost.found.client_order_id
    if FoundOrder.objects.filter(client_order_id=client_id).exists():
        return None  # by another process
    sentence = "The record had been put back; the exchange had carried this order out, and it was taken over."
    tell("found", client_id, sentence, now)
    return FoundOrder.objects.create(
        portfolio=portfolio,
        cycle_number=lost.name.cycle_number,
        order_id=lost.name.order_id,
        client_order_id=client_id,
        symbol=lost.found.symbol,
        side=lost.found.side.value,
        epoch=epoch,
        exchange_order_id=lost.found.order_id,
        quantity=lost.found.ordered,
        executed=lost.found.executed,
        quote_amount=sum((fill.quote_amount for fill in lost.fills), Decimal(0)),
        trades=[_content(fill) for fill in lost.fills],
        goes_on=_goes_on(lost, epoch, turns.decided_at(portfolio.id, lost.name.cycle_number, now)),
        found_at=now,
    )


def book_what_waits(turns: Turns, now: datetime) -> None:
    """Post what was found and belongs to no turn, in the order in which it was found. Needs no exchange."""
    if not _EVER_FOUND.rows():
        return  # as mostly, and everybody who looks asks
    waiting = list(FoundOrder.objects.waiting().order_by("id"))
    symbols = turns.portfolios() if waiting else {}
    for found in waiting:
        of_portfolio = symbols.get(found.portfolio_id)
        if of_portfolio is None:
            continue  # proof only
        if not (found.goes_on and turns.decided_at(found.portfolio_id, found.cycle_number, now)):
            _book(found, of_portfolio[found.symbol], turns, now)


@transaction.atomic
def _book(found: FoundOrder, symbol: Symbol, turns: Turns, now: datetime) -> None:
    if turns.is_trading(found.portfolio_id, now):
        return  # it reckons with the book as it is; later
    portfolio = Portfolio.objects.select_for_update().get(id=found.portfolio_id)
    if FoundOrder.objects.waiting().filter(id=found.id).exists():
        post(portfolio, [correction_of(found, symbol, _after_last_valuation(portfolio, now))])


def _goes_on(lost: _Lost, epoch: int, decided_at: datetime | None) -> bool:
    """Whether the turn on record is the one that sent it, and would send it next."""
    if decided_at is None or decided_at > lost.fills[0].at + CLOCKS_APART:
        return False
    sent = OrderAttempt.objects.filter(order__client_order_id=lost.name.order_id).count()
    return lost.name.epoch == epoch and lost.name.number == sent + 1


def correction_of(found: FoundOrder, symbol: Symbol, at: datetime) -> Journal:
    """What an order moved, whose fills can belong to no turn any more, as one journal."""
    fills = found.fills()
    postings = tuple(posting for fill in fills for posting in fill_journal(fill, symbol).postings)
    told = ", ".join(f"{plain(fill.quantity)} at {plain(fill.price)}" for fill in fills)
    reason = f"found at the exchange after the record was put back: {found.side} {symbol.name} {told}"
    return checked(Journal(found.correction_key, JournalKind.CORRECTION, at, postings, reason[:200]))


def _after_last_valuation(portfolio: Portfolio, now: datetime) -> datetime:
    """In market time: what has been valued stays as it was, and the next valuation counts it."""
    last = Valuation.objects.filter(portfolio=portfolio).aggregate(last=Max("at"))["last"]
    return last + JUST_AFTER if last else now


def _content(fill: Fill) -> dict[str, str]:
    amounts = {name: plain(getattr(fill, name)) for name in ("quantity", "price", "quote_amount", "fee")}
    return {"trade_id": fill.trade_id, **amounts, "fee_asset": fill.fee_asset, "at": fill.at.isoformat()}


# -- What it means for orders ----------------------------------------------------------------------------------------


def is_there_already(client_order_id: str) -> bool:
    """Whether an attempt that was just claimed has been carried out before the record was put back."""
    return FoundOrder.objects.filter(client_order_id=client_order_id).exists()


def why_its_week_is_over(order: OrderRow) -> str:
    """Why a portfolio sends no more orders of a week; nothing when it may."""
    found = FoundOrder.objects.filter(portfolio=order.portfolio_id, cycle_number=order.cycle_number)
    over = found.filter(goes_on=False) | found.booked()
    first = over.order_by("id").values_list("client_order_id", flat=True).first()
    return f"this week was carried out before the record was put back, as {first}" if first else ""
