"""The page of one symbol: its candles, who traded it, what models were told of it, and how much of it each held."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, Sum
from django.db.models.fields.json import KeyTextTransform
from django.urls import reverse

from competition.core.bars import Bar, bars_of, holes_of
from competition.models import Season, Turn
from competition.pages.figures import NOTHING, Figure, Moment, moment, money, percent, price, quantity, signed_percent
from competition.pages.frame import Link, NotThere
from competition.pages.history import Trades, trades_in
from competition.pages.names import Contestant, EntryName, contestants_of
from competition.pages.pictures import STILL_HEIGHT, STILL_WIDTH, drawable, polyline
from competition.pages.progress import Progress
from competition.pages.text import line
from competition.services.markets import candles_of
from market.core.candles import TIMEFRAME_S, Series, from_ms, to_ms
from market.core.snapshot import HISTORY
from market.core.symbols import Symbol
from portfolio.core.orders import Side
from portfolio.models import Fill

WEEKS_SHOWN = 12
ROWS_SHOWN = 40
HOLDERS_MAX = 24
# what a bar is: how long, and how many days of them are shown
INTERVALS: Mapping[str, int] = {"1h": 7, "4h": 28, "1d": 112}


@dataclass(frozen=True, slots=True)
class Candles:
    """The candles as a still picture, as a table of the newest, and as data for the script that draws them."""

    message: str
    still: str
    rows: tuple[tuple[Moment, tuple[str, ...]], ...]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One week of what all models were told of the symbol; `reason` says why they were told nothing."""

    week: int
    price: str
    figures: tuple[Figure, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """How much of one entry's book the symbol was at the start of each week shown."""

    entry: EntryName
    shares: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MarketPage:
    symbol: str
    base: str
    quote: str
    source: str
    others: tuple[Link, ...]
    interval: str
    intervals: tuple[str, ...]
    entries: tuple[EntryName, ...]
    entry: str
    candles: Candles | None
    trades: Trades
    told: tuple[Told, ...]
    weeks: tuple[int, ...]
    held: tuple[Held, ...]
    held_more: int
    filters: tuple[tuple[str, str], ...]
    holes: tuple[tuple[Moment, int], ...]


@dataclass(frozen=True, slots=True)
class MarketWish:
    """What the address asks for: an interval, an entry whose trades alone are shown, a page of them."""

    interval: str
    entry: str
    page: int


def market_page(season: Season, name: str, progress: Progress, wish: MarketWish) -> MarketPage:
    """Everything about one symbol of a season: five queries. Raises `NotThere` for what the season does not trade."""
    symbol = _symbol(season, name)
    if wish.interval not in INTERVALS:
        raise NotThere(f"There are no candles of that length. There are: {', '.join(INTERVALS)}.")
    entries = contestants_of(season)
    if wish.entry and wish.entry not in {entry.slug for entry in entries}:
        raise NotThere("Nobody of this name takes part.", [Link(reverse("market", args=[season.slug, name]), name)])
    end = _present(season, progress)
    series = _series(season, name, end, wish.interval)
    fills = Fill.objects.filter(order__portfolio__entry__season=season, symbol=name)
    if wish.entry:
        fills = fills.filter(order__portfolio__entry__slug=wish.entry)
    weeks, held, more = _held(season, entries, name, progress)
    return MarketPage(
        symbol=name,
        base=symbol.base,
        quote=symbol.quote,
        source=season.rule_book.market_source,
        others=tuple(
            Link(reverse("market", args=[season.slug, other]), other.removesuffix(symbol.quote))
            for other in season.symbol_book
        ),
        interval=wish.interval,
        intervals=tuple(INTERVALS),
        entries=tuple(entry.name for entry in entries),
        entry=wish.entry,
        candles=_candles(series, wish.interval, end, _marks(fills)) if len(series) else None,
        trades=trades_in(fills, wish.page),
        told=_told(season, name, progress),
        weeks=weeks,
        held=held,
        held_more=more,
        filters=_filters(symbol),
        holes=tuple((moment(from_ms(hole.from_ms)), hole.candles) for hole in holes_of(series)),
    )


def _symbol(season: Season, name: str) -> Symbol:
    symbol = season.symbol_book.get(name)
    if symbol is None:
        links = [Link(reverse("market", args=[season.slug, other]), other) for other in season.symbol_book]
        raise NotThere(f"{line(season.name)} does not trade that.", links)
    return symbol


def _present(season: Season, progress: Progress) -> datetime:
    """The newest instant whose prices are known to everybody: a made-up market is not shown ahead of its season."""
    priced = progress.priced
    return priced.trade_as_of if priced and priced.trade_as_of else season.rule_book.market_starts_at


def _series(season: Season, name: str, end: datetime, interval: str) -> Series:
    rules = season.rule_book
    first = max(end - timedelta(days=INTERVALS[interval]), rules.market_starts_at - HISTORY)
    return candles_of(rules)([name], first + timedelta(seconds=TIMEFRAME_S[rules.timeframe]), end)[name]


def _marks(fills: Any) -> list[dict[str, Any]]:
    """Everybody's trades week by week, as the chart marks them: one query."""
    rows = fills.values_list("order__cycle_number", "order__side").annotate(at=Max("at"), trades=Count("id"))
    return [
        {"at": at, "side": side, "trades": trades, "amount": amount}
        for _, side, at, trades, amount in rows.annotate(amount=Sum("quote_amount")).order_by("at", "order__side")
    ]


def _candles(series: Series, interval: str, end: datetime, marks: Sequence[Mapping[str, Any]]) -> Candles | None:
    bars = bars_of(series, TIMEFRAME_S[interval] * 1000, to_ms(end))
    if not bars:
        return None
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    change = bars[-1].close / bars[0].open - 1
    return Candles(
        message=(
            f"From {price(bars[0].open)} to {price(bars[-1].close)} ({signed_percent(change).text}), "
            f"between {price(low)} and {price(high)}."
        ),
        still=polyline(drawable([bar.close for bar in bars]), STILL_WIDTH, STILL_HEIGHT, float(low), float(high)),
        rows=tuple(_row(bar) for bar in reversed(bars[-ROWS_SHOWN:])),
        data={
            "seconds": [bar.open_ms // 1000 for bar in bars],
            "bars": [[bar.open, bar.high, bar.low, bar.close] for bar in bars],
            "marks": [_mark(mark, bars) for mark in marks if to_ms(mark["at"]) >= bars[0].open_ms],
        },
    )


def _row(bar: Bar) -> tuple[Moment, tuple[str, ...]]:
    return moment(from_ms(bar.open_ms)), tuple(price(value) for value in (bar.open, bar.high, bar.low, bar.close))


def _mark(mark: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Any]:
    """Set at the bar the trade fell into, so that it is drawn whatever the interval."""
    at_ms = to_ms(mark["at"])
    bar = next(bar for bar in reversed(bars) if bar.open_ms <= at_ms)
    word = "bought" if mark["side"] == Side.BUY else "sold"
    return {"second": bar.open_ms // 1000, "side": mark["side"], "text": f"{mark['trades']} {word}"}


def _told(season: Season, name: str, progress: Progress) -> tuple[Told, ...]:
    """What the snapshots of the newest weeks say of the symbol, newest first: one query."""
    newest = progress.newest.number if progress.newest else 0
    path = f"snapshot__content__symbols__{name}"
    rows = season.cycles.filter(number__gt=newest - WEEKS_SHOWN, snapshot__isnull=False).order_by("-number")
    named = rows.values_list("number", F(path), F(f"snapshot__content__missing__{name}"))
    return tuple(_told_in(number, row, reason) for number, row, reason in named)


def _told_in(week: int, row: Mapping[str, Any] | None, reason: str | None) -> Told:
    if not row:
        return Told(week, NOTHING, (), line(reason or "not in the snapshot"))
    changes = (Figure(NOTHING) if row[key] is None else signed_percent(Decimal(row[key])) for key in _CHANGES)
    shaken = row["volatility_28d"]
    volatile = Figure(percent(Decimal(shaken), 0) if shaken else NOTHING)
    edges = (Figure(price(Decimal(row[key]))) for key in ("low_24h", "high_24h"))
    return Told(week, price(Decimal(row["price"])), (*edges, *changes, volatile), "")


_NONE = Decimal(0)
_CHANGES = ("change_1d", "change_7d", "change_28d")


def _held(
    season: Season, entries: Sequence[Contestant], name: str, progress: Progress
) -> tuple[tuple[int, ...], tuple[Held, ...], int]:
    """Shares as the briefs of the newest weeks showed them to the `HOLDERS_MAX` who held most last: one query.

    Returns the weeks, the holders, and how many others hold it or did.
    """
    newest = progress.newest.number if progress.newest else 0
    rows = Turn.objects.filter(cycle__season=season, cycle__number__gt=newest - WEEKS_SHOWN)
    share = KeyTextTransform("weight", F(f"brief__holdings__{name}"))
    shares: defaultdict[int, dict[int, Decimal]] = defaultdict(dict)
    weeks = set()
    for entry_id, week, weight in rows.annotate(share=share).values_list("entry_id", "cycle__number", "share"):
        weeks.add(week)
        if held := Decimal(weight or 0):
            shares[entry_id][week] = held
    newest_first = sorted(weeks, reverse=True)
    holders = [entry for entry in entries if entry.id in shares]
    holders.sort(key=lambda entry: [shares[entry.id].get(week, _NONE) for week in newest_first], reverse=True)
    lines = (
        Held(entry.name, tuple(_share(shares[entry.id].get(week)) for week in reversed(newest_first)))
        for entry in holders[:HOLDERS_MAX]
    )
    return tuple(reversed(newest_first)), tuple(lines), max(0, len(holders) - HOLDERS_MAX)


def _share(weight: Decimal | None) -> str:
    return NOTHING if weight is None else percent(weight, 0)


def _filters(symbol: Symbol) -> tuple[tuple[str, str], ...]:
    return (
        ("Step of a quantity", f"{quantity(symbol.step)} {symbol.base}"),
        ("Smallest quantity", f"{quantity(symbol.min_quantity)} {symbol.base}"),
        ("Largest quantity", f"{quantity(symbol.max_quantity)} {symbol.base}"),
        ("Step of a price", f"{quantity(symbol.tick)} {symbol.quote}"),
        ("Smallest order", f"{money(symbol.min_notional)} {symbol.quote}"),
    )
