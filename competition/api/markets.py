"""The market of a season, never newer than the season's own clock: what a made-up one will do is nobody's to know."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router
from pydantic import AwareDatetime, Field
from pydantic.json_schema import SkipJsonSchema

from competition.api.answers import reads
from competition.api.envelope import Instant, Number, Part, Provenance, Sha256, Success
from competition.api.sources import provenance
from competition.api.wishes import SYMBOL, MaybeSymbol, SeasonWish, optional, season_of
from competition.core.schedule import market_time
from competition.core.states import SeasonState
from competition.models import Season
from competition.pages.frame import NotThere
from competition.pages.progress import progress_of
from competition.services.markets import candles_of
from market.core.candles import TIMEFRAME_S, Series, from_ms, to_ms
from market.core.snapshot import HISTORY
from market.models import StoredSnapshot

router = Router(tags=["Market"])

PRICE_FIELDS = ("price", "priced_at", "step", "min_notional", "closes_1d")


class Candle(Part):
    open_at: Instant
    close_at: Instant
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number = Field(description="in the base asset")


class Candles(Part):
    """Closed candles, oldest first; holes of the exchange are absent. Give `next` as `before` for earlier ones."""

    provenance: Provenance
    symbol: str
    timeframe: str
    source: str
    items: tuple[Candle, ...]
    next: Instant | None


class CandlesWish(SeasonWish):
    symbol: str = Field(pattern=SYMBOL)
    before: AwareDatetime | SkipJsonSchema[None] = optional(description="only candles that closed by this instant")
    limit: int = Field(200, ge=1, le=1000)


@router.get("/candles", response=reads(Success[Candles]), operation_id="market_candles", summary="Candles of a symbol")
def candles(request: HttpRequest, wish: Query[CandlesWish]) -> Any:
    """The candles of a symbol, up to the season's present."""
    season = season_of(wish)
    rules = season.rule_book
    _known(season, wish.symbol)
    now = market_now(season, timezone.now())
    step = timedelta(seconds=TIMEFRAME_S[rules.timeframe])
    last = min(wish.before, now) if wish.before else now
    floor = rules.market_starts_at - HISTORY
    first = max(last - step * wish.limit, floor) if last > floor else None
    found: tuple[Candle, ...] = ()
    if first is not None:
        series = candles_of(rules)([wish.symbol], first + step, last)[wish.symbol]
        found = _candles(series, first, last)[-wish.limit :]
    return Success[Candles](
        data=Candles(
            provenance=provenance(season, now),
            symbol=wish.symbol,
            timeframe=rules.timeframe,
            source=rules.market_source,
            items=found,
            next=first if first is not None and first > floor else None,
        )
    )


def market_now(season: Season, now: datetime) -> datetime:
    """The newest instant of the market that a season has come to: one query once it is over."""
    rules = season.rule_book
    if season.state == SeasonState.OPEN:
        return max(market_time(rules, now), rules.market_starts_at)
    priced = progress_of(season).priced
    return priced.trade_as_of if priced and priced.trade_as_of else rules.market_starts_at


def _known(season: Season, symbol: str) -> None:
    if symbol not in season.rule_book.universe:
        raise NotThere(f"{symbol} is not traded in {season.slug}; {', '.join(season.rule_book.universe)} are.")


def _candles(series: Series, first: datetime, last: datetime) -> tuple[Candle, ...]:
    """Those that opened at or after `first` and closed at or before `last`."""
    inside = (i for i in range(len(series)) if series.open_ms[i] >= to_ms(first) and series.close_ms(i) <= to_ms(last))
    return tuple(
        Candle(
            open_at=from_ms(series.open_ms[i]),
            close_at=from_ms(series.close_ms(i)),
            open=series.opens[i],
            high=series.highs[i],
            low=series.lows[i],
            close=series.closes[i],
            volume=series.volumes[i],
        )
        for i in inside
    )


class SymbolWish(SeasonWish):
    symbol: MaybeSymbol = optional(description="only this one")


class Price(Part):
    symbol: str
    price: Number
    priced_at: Instant = Field(description="when the candle closed that it is from")


class Prices(Part):
    """The newest prices everybody traded at, from the snapshot of this hash; `missing` says why there is none."""

    provenance: Provenance
    snapshot_sha256: Sha256 | None
    items: tuple[Price, ...]
    missing: dict[str, str]


@router.get("/price", response=reads(Success[Prices]), operation_id="market_price", summary="Newest trade prices")
def price(request: HttpRequest, wish: Query[SymbolWish]) -> Any:
    """The prices of a season's newest trade snapshot."""
    season = season_of(wish)
    if wish.symbol:
        _known(season, wish.symbol)
    priced = progress_of(season).priced
    content, stored = _content(priced.trade_snapshot if priced else None)
    return Success[Prices](
        data=Prices(
            provenance=provenance(season, stored.as_of if stored else None),
            snapshot_sha256=stored.sha256 if stored else None,
            items=tuple(
                Price(symbol=name, price=row["price"], priced_at=row["priced_at"])
                for name, row in content["symbols"].items()
                if wish.symbol in (None, name)
            ),
            missing=_missing(content, wish.symbol),
        )
    )


class Indicators(Part):
    symbol: str
    price: Number
    values: dict[str, Any] = Field(description="by name; null where the market is too young, ratios as fractions")


class IndicatorTable(Part):
    """What every entry was shown of the market in the newest cycle, from the frozen snapshot of this hash."""

    provenance: Provenance
    cycle: int
    snapshot_sha256: Sha256 | None
    items: tuple[Indicators, ...]
    missing: dict[str, str]
    off: tuple[str, ...] = Field(description="sources that are not there in this season")


@router.get(
    "/indicators",
    response=reads(Success[IndicatorTable]),
    operation_id="market_indicators",
    summary="Indicators as every entry was shown them",
)
def indicators(request: HttpRequest, wish: Query[SymbolWish]) -> Any:
    """The indicators of the newest frozen snapshot, as every entry was shown them."""
    season = season_of(wish)
    if wish.symbol:
        _known(season, wish.symbol)
    cycle = season.cycles.exclude(snapshot=None).select_related("snapshot").order_by("-number").first()
    content, stored = _content(cycle.snapshot if cycle else None)
    return Success[IndicatorTable](
        data=IndicatorTable(
            provenance=provenance(season, stored.as_of if stored else None),
            cycle=cycle.number if cycle else 0,
            snapshot_sha256=stored.sha256 if stored else None,
            items=tuple(
                Indicators(symbol=name, price=row["price"], values=_values(row))
                for name, row in content["symbols"].items()
                if wish.symbol in (None, name)
            ),
            missing=_missing(content, wish.symbol),
            off=tuple(content["off"]),
        )
    )


def _content(stored: StoredSnapshot | None) -> tuple[dict[str, Any], StoredSnapshot | None]:
    return (stored.content if stored else {"symbols": {}, "missing": {}, "off": []}), stored


def _missing(content: dict[str, Any], symbol: str | None) -> dict[str, str]:
    return {name: why for name, why in content["missing"].items() if symbol in (None, name)}


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in PRICE_FIELDS}
