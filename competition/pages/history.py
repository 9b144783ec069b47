"""What one entry decided and traded, newest first, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from competition.core.states import POSTED
from competition.models import Entry, Turn
from competition.pages.behaviour import Flow, Week, usd
from competition.pages.figures import NOTHING, Moment, basis_points, moment, money, price, quantity
from competition.pages.frame import NotThere
from competition.pages.names import EntryName, entry_name
from competition.pages.words import DEED_COLUMNS, Deed, deed_of, weights_text
from portfolio.core.orders import Side
from portfolio.models import Fill, Portfolio

PAGE_LENGTH = 26  # half a year of weeks
PAGES_MAX = 1_000_000

_DECIDED = (*DEED_COLUMNS, "traded", "fees", "value_after", "cycle__number", "cycle__deadline_at")
_ENTRY, _AGENT = "order__portfolio__entry", "order__portfolio__entry__agent"
_TRADE_COLUMNS = (
    *("order__cycle_number", "at", "order__side", "symbol", "quantity", "price", "order__reference_price"),
    *("quote_amount", "fee", "fee_asset"),
    *(f"{_ENTRY}__slug", f"{_AGENT}__name", f"{_AGENT}__kind", f"{_AGENT}__model"),
)

# What leads to another page: the parameter to set in the address (None takes it out), or None where there is no page.
Way = Mapping[str, int | None] | None


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One turn of the timeline."""

    cycle: int
    at: Moment
    deed: Deed
    weights: str
    traded: str
    fees: str
    ai_cost: str
    value: str


@dataclass(frozen=True, slots=True)
class TradeLine:
    """One fill; `slippage` is how much worse than the reference its price was."""

    cycle: int
    entry: EntryName
    at: Moment
    side: str
    symbol: str
    quantity: str
    price: str
    slippage: str
    amount: str
    fee: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """A page of the timeline with the ways to the neighbouring pages; `has_cost` when asking ever cost anything."""

    lines: tuple[DecisionLine, ...]
    has_cost: bool
    newer: Way
    older: Way


@dataclass(frozen=True, slots=True)
class Trades:
    lines: tuple[TradeLine, ...]
    newer: Way
    older: Way


def page_number(text: str) -> int:
    """The page an address asks for, 1 when it asks for none; raises `NotThere` for anything but a page number."""
    if not text:
        return 1
    if not text.isascii() or not text.isdecimal() or len(text) > 7 or not 1 <= int(text) <= PAGES_MAX:
        raise NotThere("There is no such page. Pages are numbered from 1, the newest first.")
    return int(text)


def decisions_of(entry: Entry, page: int, weeks: Sequence[Week], flows: Mapping[int, Flow]) -> Decisions:
    """A page of turns, newest first, each with what moved and what asking for it cost: one query."""
    turns = Turn.objects.filter(entry=entry).select_related("cycle").only(*_DECIDED).order_by("-cycle__number")
    rows = list(turns[(page - 1) * PAGE_LENGTH : page * PAGE_LENGTH + 1])
    shown = rows[:PAGE_LENGTH]
    costs = {week.number: usd(week.usd) for week in weeks}
    quote = entry.portfolio.quote
    lines = (
        _decision(turn, flows.get(turn.cycle.number), costs.get(turn.cycle.number, NOTHING), quote) for turn in shown
    )
    around = ways("decisions", page, has_rows=bool(rows), has_more=len(rows) > PAGE_LENGTH)
    return Decisions(tuple(lines), any(week.usd for week in weeks), *around)


def trades_of(portfolio: Portfolio, page: int) -> Trades:
    """A page of an account's fills, newest first: one query."""
    return trades_in(Fill.objects.filter(order__portfolio=portfolio), page)


def trades_in(fills: QuerySet[Fill], page: int) -> Trades:
    """A page of these fills, newest first, each with who made it: one query."""
    newest_first = fills.order_by("-at", "-id").values_list(*_TRADE_COLUMNS)
    rows = list(newest_first[(page - 1) * PAGE_LENGTH : page * PAGE_LENGTH + 1])
    around = ways("trades", page, has_rows=bool(rows), has_more=len(rows) > PAGE_LENGTH)
    return Trades(tuple(_trade(*row) for row in rows[:PAGE_LENGTH]), *around)


def ways(name: str, page: int, *, has_rows: bool, has_more: bool) -> tuple[Way, Way]:
    """The ways to the page before and the page after `page`; raises `NotThere` when it lies beyond the last."""
    if page > 1 and not has_rows:
        raise NotThere("There is nothing on this page; it lies beyond the last.")
    before: Way = {name: page - 1 if page > 2 else None} if page > 1 else None
    return before, ({name: page + 1} if has_more else None)


def _decision(turn: Turn, flow: Flow | None, ai_cost: str, quote: str) -> DecisionLine:
    settled = turn.state in POSTED
    return DecisionLine(
        cycle=turn.cycle.number,
        at=moment(turn.cycle.deadline_at),
        deed=deed_of(turn, flow.traded if flow else {}, quote),
        weights=weights_text(turn, quote),
        traded=money(turn.traded) if settled else NOTHING,
        fees=money(turn.fees) if settled else NOTHING,
        ai_cost=ai_cost,
        value=money(turn.value_after) if turn.value_after is not None else NOTHING,
    )


def _trade(
    cycle: int,
    at: datetime,
    side: str,
    symbol: str,
    amount: Decimal,
    paid: Decimal,
    reference: Decimal,
    quote_amount: Decimal,
    fee: Decimal,
    fee_asset: str,
    *entry: str,
) -> TradeLine:
    return TradeLine(
        cycle=cycle,
        entry=entry_name(*entry),
        at=moment(at),
        side=side,
        symbol=symbol,
        quantity=quantity(amount),
        price=price(paid),
        slippage=basis_points(paid, reference, buying=side == Side.BUY),
        amount=money(quote_amount),
        fee=f"{money(fee, 4)} {fee_asset}",
    )
