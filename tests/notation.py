"""A small notation, so that a test reads like what it is about.

    B("100 USDT, 2 BTC")                     a book
    P("BTC 50000, ETH 3000")                 prices, by symbol
    W("BTC 40%, ETH 30%, USDT 30%")          weights, by symbol; the quote asset under its own name
    J("entry -100 USDT, venue +100 USDT")    a journal, balanced or not
    R("BTC 40%")                             a reply that asks for these weights
    at("2024-01-01 12:00")                   an instant in UTC

and back, for what comes out: `held(book)`, `legs(plan)`, `skips(plan)`.
"""
# ruff: noqa: N802 - the one-letter names are the notation

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from agents.core.baselines import rebalance_text
from competition.core.rules import Rules
from market.core.candles import Candles, Series, from_ms, to_ms
from market.core.canonical import plain
from market.core.snapshot import Snapshot, build_snapshot
from market.core.symbols import DEFAULT_SYMBOLS, Symbol, pick
from portfolio.core.book import Account, Book, Journal, JournalKind, Posting
from portfolio.core.brokers import Broker
from portfolio.core.orders import Execution, Fill, Order, OrderState, Side, Skipped
from portfolio.core.rebalance import Leg, Plan

QUOTE = "USDT"
HOLD = '{"action": "hold"}'
HOUR_MS = 3_600_000

# Every run draws other examples; EXAMPLES=1000 in the environment draws so many for every property.
some = settings()
many = settings(max_examples=2 * settings().max_examples)


def D(text: str | int) -> Decimal:
    return Decimal(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MONDAY = at("2024-01-01 00:00")


def B(text: str) -> Book:
    """`100 USDT, 2 BTC`; the empty text is an empty book."""
    return Book({asset: Decimal(amount) for amount, asset in map(str.split, _parts(text))})


def P(text: str) -> dict[str, Decimal]:
    """`BTC 50000, ETH 3000`, in USDT."""
    return {f"{asset}{QUOTE}": Decimal(price) for asset, price in map(str.split, _parts(text))}


def W(text: str) -> dict[str, Decimal]:
    """`BTC 40%, USDT 30%`."""
    weights = {}
    for asset, percent in map(str.split, _parts(text)):
        name = asset if asset == QUOTE else f"{asset}{QUOTE}"
        weights[name] = Decimal(percent.removesuffix("%")) / 100
    return weights


def R(text: str, why: str = "") -> str:
    return rebalance_text(W(text), why)


def J(text: str, key: str = "correction:1", when: datetime = MONDAY) -> Journal:
    """`entry -100 USDT, venue +100 USDT`."""
    postings = (part.split() for part in _parts(text))
    return Journal(
        key,
        JournalKind.CORRECTION,
        when,
        tuple(Posting(Account(account), asset, Decimal(amount)) for account, amount, asset in postings),
        "a test says so",
    )


def S(text: str) -> Mapping[str, Symbol]:
    """`BTC, ETH`: the default symbols of these, with the exchange's own filters."""
    return pick([f"{asset}{QUOTE}" for asset in _parts(text)], DEFAULT_SYMBOLS)


def coin(base: str, step: str, min_notional: str = "0", max_quantity: str = "1000000") -> Symbol:
    """A made-up symbol against USDT whose smallest quantity is its step."""
    return Symbol(f"{base}{QUOTE}", base, QUOTE, D(step), D(step), D(max_quantity), D("0.00000001"), D(min_notional))


def listed(*symbols: Symbol) -> Mapping[str, Symbol]:
    return {symbol.name: symbol for symbol in symbols}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def held(book: Book) -> str:
    """`2 BTC, 100 USDT`: the book as text, by asset."""
    return ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(book.balances.items()))


def legs(plan: Plan | Sequence[Leg]) -> list[str]:
    """`sell 2 BTCUSDT`, one text per leg."""
    orders = plan.legs if isinstance(plan, Plan) else plan
    return [f"{leg.side} {plain(leg.quantity)} {leg.symbol}" for leg in orders]


def skips(plan: Plan | Sequence[Skipped]) -> list[str]:
    """`sell 2 BTCUSDT: why not`, one text per change that was wanted and not ordered."""
    skipped = plan.skipped if isinstance(plan, Plan) else plan
    return [f"{skip.side} {plain(skip.quantity)} {skip.symbol}: {skip.reason}" for skip in skipped]


def placed(executions: Iterable[Execution]) -> list[str]:
    return [f"{e.order.side} {plain(e.order.quantity)} {e.order.symbol}: {e.state}" for e in executions]


def order(text: str, order_id: str = "oo-1", price: str = "100") -> Order:
    """`buy 2 BTC`, a market order planned at `price`."""
    side, quantity, base = text.split()
    return Order(order_id, f"{base}{QUOTE}", Side(side), Decimal(quantity), Decimal(price))


def fill(text: str, fee: str = "0 USDT", trade_id: str = "1", when: datetime = MONDAY) -> Fill:
    """`buy 2 BTC for 100`, with a fee in any asset: 2 BTC for 100 USDT altogether."""
    side, quantity, base, _, amount = text.split()
    fee_amount, fee_asset = fee.split()
    price = Decimal(amount) / Decimal(quantity)
    return Fill(
        trade_id, "oo-1", f"{base}{QUOTE}", Side(side), D(quantity), price, D(amount), D(fee_amount), fee_asset, when
    )


def rules(**changes: Any) -> Rules:
    """A plain season of four real weeks with two symbols; `changes` by field."""
    plain_season: dict[str, Any] = {
        "universe": ("BTCUSDT", "ETHUSDT"),
        "market_source": "synthetic",
        "market_starts_at": MONDAY,
        "starts_at": MONDAY,
        "cycles": 4,
    }
    return Rules(**{**plain_season, **changes})


# close of a symbol's candle by the instant of its close; None where the exchange has a hole
Closes = Callable[[str, datetime], Decimal | str | None]


def hourly(closes: Closes) -> Candles:
    """A market of hourly candles whose closes are these, each a hundredth wide to either side."""

    def candles(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
        first, last = -(-to_ms(first_close) // HOUR_MS), to_ms(last_close) // HOUR_MS
        return {symbol: _series(symbol, range(first, last + 1), closes) for symbol in symbols}

    return candles


def _series(symbol: str, close_hours: range, closes: Closes) -> Series:
    found = [(hour * HOUR_MS - HOUR_MS, closes(symbol, from_ms(hour * HOUR_MS))) for hour in close_hours]
    rows = [(opened, Decimal(close)) for opened, close in found if close is not None]
    prices = tuple(close for _, close in rows)
    highs, lows = tuple(p * D("1.01") for p in prices), tuple(p * D("0.99") for p in prices)
    return Series(symbol, "1h", tuple(o for o, _ in rows), prices, highs, lows, prices, (Decimal(1),) * len(rows))


def steady_market(prices: str) -> Candles:
    """A market in which nothing ever moves: `BTC 50000, ETH 3000`."""
    known = P(prices)
    return hourly(lambda symbol, close: known.get(symbol))


def content(rows: str, holdings: str = "", cycle: int = 1, **limits: str) -> dict[str, Any]:
    """What a brief tells, as far as an agent's own arithmetic needs it.

    Rows are `BTC change_28d 0.1, ETH change_28d none`, holdings `BTC 40%`; `limits` are fractions by name.
    """
    symbols: dict[str, dict[str, str | None]] = {}
    for base, figure, number in map(str.split, _parts(rows)):
        row = symbols.setdefault(f"{base}{QUOTE}", dict.fromkeys(("change_7d", "change_28d", "volatility_28d")))
        row[figure] = None if number == "none" else number
    return {
        "cycle": cycle,
        "rules": {"quote": QUOTE, "max_weight": "1", "min_cash": "0", "max_turnover": "1", **limits},
        "market": {"symbols": symbols},
        "portfolio": {"holdings": {name: {"quantity": "1", "weight": plain(w)} for name, w in W(holdings).items()}},
    }


def snapshot(prices: str, symbols: str, as_of: datetime = MONDAY) -> Snapshot:
    """A day of unmoved prices; a symbol without a price is missing."""
    series = steady_market(prices)(tuple(S(symbols)), as_of - timedelta(days=1), as_of)
    return build_snapshot(as_of, series, S(symbols), "synthetic", timedelta(hours=6))


@dataclass
class ScriptedBroker:
    """A venue that ends each symbol's orders as `script` says: an order state and the fraction filled, at par.

    Symbols not in the script are filled whole. Fees are `fee_bps` of what is traded, in quote.
    """

    prices: Mapping[str, Decimal]
    script: Mapping[str, tuple[OrderState, str]] = field(default_factory=dict)
    fee_bps: Decimal = Decimal(0)
    orders: list[Order] = field(default_factory=list)
    venue: str = "scripted"

    def place(self, order: Order) -> Execution:
        self.orders.append(order)
        state, part = self.script.get(order.symbol, (OrderState.FILLED, "1"))
        quantity = order.quantity * Decimal(part)
        if quantity == 0:
            return Execution(order, state, reason=f"{state} by the venue")
        amount = quantity * self.prices[order.symbol]
        return Execution(
            order,
            state,
            (
                Fill(
                    f"{order.client_order_id}/1",
                    order.client_order_id,
                    order.symbol,
                    order.side,
                    quantity,
                    self.prices[order.symbol],
                    amount,
                    amount * self.fee_bps / 10_000,
                    QUOTE,
                    MONDAY + timedelta(hours=1),
                ),
            ),
            "" if state is OrderState.FILLED else f"{state} by the venue",
        )


@dataclass
class ReplayingBroker:
    """Answers from the record where there is one, and only otherwise asks the venue behind it."""

    record: dict[str, Execution]
    behind: Broker
    asked: int = 0
    venue: str = "replay"

    def place(self, order: Order) -> Execution:
        if order.client_order_id in self.record:
            return self.record[order.client_order_id]
        self.asked += 1
        self.record[order.client_order_id] = self.behind.place(order)
        return self.record[order.client_order_id]


assets = st.sampled_from(["USDT", "BTC", "ETH", "BNB"])
# what a season can really hold: capital below 10^12, eight decimals
amounts = st.decimals(-(10**12), 10**12, places=8, allow_nan=False)
positive = st.decimals(D("0.00000001"), 10**9, places=8, allow_nan=False)
