"""What an entry owns and what it traded, out of the ledger; and starting again, which leaves the ledger alone."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from competition.api.answers import reads
from competition.api.boards import Figures, Who, next_of
from competition.api.envelope import Instant, Number, Part, Provenance, Sha256, Success
from competition.api.sources import of_board, provenance
from competition.api.wishes import EntryWish, MaybeId, optional, season_of
from competition.models import Entry, Season
from competition.pages.entries import entry_named, standings_of_pair
from competition.pages.holdings import PricedBook, books_now
from competition.pages.progress import Progress, progress_of
from market.core.indicators import rounded
from portfolio.models import Fill, Journal

router = Router(tags=["Portfolio"])


class Summary(Part):
    """What an entry is worth at the newest trade prices; `value` is null when something it holds has no price."""

    provenance: Provenance
    entry: Who
    quote: str
    capital: Number = Field(description="what it started with")
    cash: Number
    value: Number | None
    figures: Figures | None = Field(description="its standing when the last cycle closed")
    journals: int = Field(description="how many journals its ledger has")
    ledger_sha256: Sha256 = Field(description="hash of the last journal, which covers all before it")


@router.get(
    "/summary", response=reads(Success[Summary]), operation_id="portfolio_summary", summary="What an entry is worth"
)
def summary(request: HttpRequest, wish: Query[EntryWish]) -> Any:
    """What an entry is worth, and the head of its ledger."""
    season, entry, progress, book = _looked_up(wish)
    head = Journal.objects.filter(portfolio=entry.portfolio_id).order_by("-sequence")[0]
    standing = standings_of_pair([entry], progress).get(entry.slug)
    values = book.values()
    known = [value for value in values.values() if value is not None]
    return Success[Summary](
        data=Summary(
            provenance=_as_priced(season, progress),
            entry=Who.of(entry),
            quote=book.quote,
            capital=season.rule_book.capital,
            cash=book.book.of(book.quote),
            value=sum(known, Decimal(0)) if len(known) == len(values) else None,
            figures=Figures.of(standing) if standing else None,
            journals=head.sequence,
            ledger_sha256=head.hash,
        )
    )


class Position(Part):
    """One asset of a book. Price, value and weight are null when it has no price: never zero."""

    asset: str
    quantity: Number
    price: Number | None
    value: Number | None
    weight: Number | None = Field(description="fraction of what has a price")


class Positions(Part):
    provenance: Provenance
    entry: Who
    quote: str
    items: tuple[Position, ...]


@router.get(
    "/positions", response=reads(Success[Positions]), operation_id="portfolio_positions", summary="What an entry holds"
)
def positions(request: HttpRequest, wish: Query[EntryWish]) -> Any:
    """What an entry holds: the fold of its postings, at the newest trade prices; the largest first."""
    season, entry, progress, book = _looked_up(wish)
    return Success[Positions](
        data=Positions(
            provenance=_as_priced(season, progress),
            entry=Who.of(entry),
            quote=book.quote,
            items=tuple(_position(asset, book) for asset in _by_value(book)),
        )
    )


def _looked_up(wish: EntryWish) -> tuple[Season, Entry, Progress, PricedBook]:
    season = season_of(wish)
    entry, progress = entry_named(season, wish.entry), progress_of(season)
    return season, entry, progress, books_now([entry], season, progress.priced)[entry.slug]


def _as_priced(season: Season, progress: Progress) -> Provenance:
    return provenance(season, progress.priced.trade_as_of if progress.priced else None)


def _by_value(book: PricedBook) -> list[str]:
    return sorted(values := book.values(), key=lambda asset: (-(values[asset] or 0), asset))


def _position(asset: str, book: PricedBook) -> Position:
    values = book.values()
    value, total = values[asset], sum(value for value in values.values() if value is not None)
    is_cash = asset == book.quote
    price = None if is_cash else book.prices.get(f"{asset}{book.quote}")
    return Position(
        asset=asset,
        quantity=book.book.of(asset),
        price=price,
        value=value,
        weight=None if value is None or not total else rounded(value / total),
    )


class Trade(Part):
    """A fill, exactly as it was posted."""

    id: int
    cycle: int
    at: Instant
    order_id: str
    side: str
    symbol: str
    quantity: Number
    price: Number
    reference_price: Number = Field(description="what the order was planned at")
    amount: Number = Field(description="in the quote asset")
    fee: Number
    fee_asset: str
    venue: str


class Trades(Part):
    """Fills, newest first. Give `next` as `before` for the page behind it; null at the end."""

    provenance: Provenance
    entry: Who
    items: tuple[Trade, ...]
    next: int | None


class TradesWish(EntryWish):
    before: MaybeId = optional(description="the `next` of the page before")
    limit: int = Field(50, ge=1, le=500)


@router.get(
    "/trades", response=reads(Success[Trades]), operation_id="portfolio_trades", summary="Executed orders of an entry"
)
def trades(request: HttpRequest, wish: Query[TradesWish]) -> Any:
    """What was executed of an entry's orders."""
    season = season_of(wish)
    entry = entry_named(season, wish.entry)
    fills = Fill.objects.filter(order__portfolio=entry.portfolio_id).select_related("order").order_by("-id")
    rows = list((fills.filter(id__lt=wish.before) if wish.before else fills)[: wish.limit + 1])
    return Success[Trades](
        data=Trades(
            provenance=of_board(season, progress_of(season)),
            entry=Who.of(entry),
            items=tuple(map(_trade, rows[: wish.limit])),
            next=next_of(rows, wish.limit),
        )
    )


def _trade(fill: Fill) -> Trade:
    order = fill.order
    return Trade(
        id=fill.id,
        cycle=order.cycle_number,
        at=fill.at,
        order_id=order.client_order_id,
        side=order.side,
        symbol=fill.symbol,
        quantity=fill.quantity,
        price=fill.price,
        reference_price=order.reference_price,
        amount=fill.quote_amount,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        venue=fill.venue,
    )
