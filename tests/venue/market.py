"""The exchange's market: prices, books, exchange information and weights. Candles are those of the market double."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from market.core.candles import from_ms, to_ms
from market.core.symbols import DEFAULT_SYMBOLS, Symbol, round_down_to_step
from tests.market.exchange import Exchange, ExchangeSays, info_row, price_at
from tests.venue.matching import Levels, Pair
from tests.venue.state import Says

LEVELS, LEVEL_WORTH = 20, Decimal(50_000)  # of each side, in quote
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 160_000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
]
Params = dict[str, str]


def price_of_the_minute(symbol: str, at_ms: int) -> Decimal:
    return price_at(symbol, at_ms // 60_000 * 60_000)


def info_of(symbol: Symbol) -> dict[str, Any]:
    """A default symbol as the exchange information describes it, with the filters it has there."""
    number = "{:.8f}".format
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": number(symbol.tick), "maxPrice": "1000000.00000000"},
        {"filterType": "LOT_SIZE", "minQty": number(symbol.min_quantity), "maxQty": number(symbol.max_quantity)},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "stepSize": "0.00000000"},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2", "avgPriceMins": 5},
        {"filterType": "NOTIONAL", "minNotional": number(symbol.min_notional), "applyMinToMarket": True},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]
    filters[0]["tickSize"], filters[1]["stepSize"] = number(symbol.tick), number(symbol.step)
    filters[2]["maxQty"] = number(symbol.max_quantity / 50)  # smaller, and without a step of its own
    filters[3] |= {"askMultiplierUp": "5", "askMultiplierDown": "0.2"}
    filters[4] |= {"maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5}
    precision = {"baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8}
    kinds = {"orderTypes": ["LIMIT", "MARKET"], "quoteOrderQtyMarketAllowed": True}
    return info_row(symbol.name, symbol.base, filters=filters, **precision, **kinds)


@dataclass
class Market:
    """`prices` and `books` replace what would follow from symbol and time."""

    exchange: Exchange
    price_at: Callable[[str, int], Decimal] = price_of_the_minute
    prices: dict[str, Decimal] = field(default_factory=dict)
    books: dict[str, dict[str, Levels]] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, dict[str, Any]]:
        return self.exchange.info

    def pair(self, symbol: str) -> Pair:
        if symbol not in self.info:
            raise Says(-1121, "Invalid symbol.")
        return Pair(symbol, self.info[symbol]["baseAsset"], self.info[symbol]["quoteAsset"])

    def price(self, symbol: str) -> Decimal:
        found = self.prices.get(symbol)
        return self.price_at(symbol, to_ms(self.exchange.now)) if found is None else found

    def levels(self, symbol: str, side: str) -> Levels:
        """`bids` or `asks`, best first: twenty of them around the price, unless a test has set others."""
        if symbol in self.books:
            return self.books[symbol][side]
        filters = {row["filterType"]: row for row in self.info[symbol]["filters"]}
        tick, step = Decimal(filters["PRICE_FILTER"]["tickSize"]), Decimal(filters["LOT_SIZE"]["stepSize"])
        middle, way = round_down_to_step(self.price(symbol), tick), 1 if side == "asks" else -1
        prices = [middle + way * tick * n for n in range(1, LEVELS + 1)]
        return [(price, round_down_to_step(LEVEL_WORTH / price, step)) for price in prices if price > 0]

    # -- Questions that need no key ---------------------------------------------------------------

    def answer(self, path: str, params: Params, now_ms: int) -> Any:
        self.exchange.now = from_ms(now_ms)
        own = {
            "/api/v3/ping": lambda params: {},
            "/api/v3/exchangeInfo": self.exchange_info,
            "/api/v3/depth": self.depth,
            "/api/v3/ticker/price": self.ticker,
            "/api/v3/ticker/bookTicker": self.book_ticker,
            "/api/v3/avgPrice": lambda params: {"mins": 5, "price": f"{self.price(self._symbol(params)):.8f}"},
        }
        try:
            return own[path](params) if path in own else self.exchange.answer(path, params)
        except ExchangeSays as says:
            raise Says(says.body["code"], says.body["msg"], says.status) from None

    def exchange_info(self, params: Params) -> Any:
        if "symbol" in params:
            params = {"symbols": json.dumps([params["symbol"]])}
        return {**self.exchange.exchange_info(params), "rateLimits": LIMITS, "exchangeFilters": []}

    def depth(self, params: Params) -> Any:
        symbol, limit = self._symbol(params), int(params.get("limit", "100"))
        sides: Mapping[str, Any] = {side: self.levels(symbol, side)[:limit] for side in ("bids", "asks")}
        return {"lastUpdateId": 1} | {side: [[f"{p:.8f}", f"{q:.8f}"] for p, q in rows] for side, rows in sides.items()}

    def ticker(self, params: Params) -> Any:
        if "symbol" in params:
            return {"symbol": self._symbol(params), "price": f"{self.price(params['symbol']):.8f}"}
        return [self.ticker({"symbol": symbol}) for symbol in self.info]

    def book_ticker(self, params: Params) -> Any:
        depth = self.depth({"symbol": self._symbol(params), "limit": "1"})
        (bid, bids), (ask, asks) = depth["bids"][0], depth["asks"][0]
        return {"symbol": params["symbol"], "bidPrice": bid, "bidQty": bids, "askPrice": ask, "askQty": asks}

    def _symbol(self, params: Params) -> str:
        return self.pair(params.get("symbol", "")).symbol


def default_info() -> dict[str, dict[str, Any]]:
    return {symbol.name: info_of(symbol) for symbol in DEFAULT_SYMBOLS}


# -- Weights --------------------------------------------------------------------------------------

WEIGHTS = {
    "GET /api/v3/exchangeInfo": 20,
    "GET /api/v3/klines": 2,
    "GET /api/v3/avgPrice": 2,
    "GET /api/v3/ticker/24hr": 2,
    "GET /api/v3/ticker/bookTicker": 2,
    "GET /api/v3/account": 20,
    "GET /api/v3/order": 4,
    "GET /api/v3/allOrders": 20,
    "GET /api/v3/rateLimit/order": 40,
}


def weight_of(line: str, params: Params) -> int:
    """The weight of a request, from the table of the exchange's rest-api.md."""
    if line == "GET /api/v3/depth":
        return next(
            w for most, w in ((100, 5), (500, 25), (1000, 50), (5000, 250)) if int(params.get("limit", 100)) <= most
        )
    if line == "GET /api/v3/openOrders":
        return 6 if "symbol" in params else 80
    if line == "GET /api/v3/myTrades":
        return 5 if "orderId" in params else 20
    if line == "GET /api/v3/ticker/price":
        return 2 if "symbol" in params else 4
    return WEIGHTS.get(line, 1)
