"""Portfolios with where they shall go and what that costs: written down, or drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import assume
from hypothesis import strategies as st

from market.core.symbols import Symbol
from portfolio.core.book import Book, Journal, fill_journal, fold, value_of
from portfolio.core.brokers import Costs, PaperBroker
from portfolio.core.orders import Order
from portfolio.core.rebalance import (
    Aim,
    Leg,
    Plan,
    Target,
    plan_buys,
    plan_sells,
    set_course,
)
from tests.notation import MONDAY, B, D, P, S, W, legs, skips

USUAL = Costs(D(10), D(5))  # 0.1 % fee, 0.05 % slippage


@dataclass(frozen=True)
class Fund:
    """A portfolio, where it shall go, and what that costs."""

    book: Book
    prices: Mapping[str, Decimal]
    symbols: Mapping[str, Symbol]
    target: Target
    costs: Costs

    @property
    def value(self) -> Decimal:
        return value_of(self.book, self.prices, self.symbols, "USDT")

    def aim(self) -> Aim:
        return set_course(self.book, self.prices, self.symbols, self.target, self.costs).aim

    def wanted(self) -> Mapping[str, Decimal]:
        return self.aim().wanted

    def sells(self) -> Plan:
        return plan_sells(self.book, self.prices, self.symbols, self.target, self.aim())

    def buys(self, book: Book) -> Plan:
        return plan_buys(book, self.prices, self.symbols, self.target, self.aim(), self.costs)

    def fill(self, book: Book, plan: Plan) -> Book:
        return fold((self._filled(leg) for leg in plan.legs), book)

    def _filled(self, leg: Leg) -> Journal:
        broker = PaperBroker(self.prices, self.symbols, self.costs, MONDAY)
        order = Order("oo-1", leg.symbol, leg.side, leg.quantity, leg.reference_price)
        return fill_journal(broker.place(order).fills[0], self.symbols[leg.symbol])

    def rebalanced(self) -> "Fund":
        """The same fund after its sells and buys were filled."""
        funded = self.fill(self.book, self.sells())
        return replace(self, book=self.fill(funded, self.buys(funded)))

    def orders(self) -> list[str]:
        sells = self.sells()
        return [*legs(sells), *legs(self.buys(self.fill(self.book, sells)))]

    def skipped(self) -> list[str]:
        sells = self.sells()
        return [*skips(sells), *skips(self.buys(self.fill(self.book, sells)))]


def fund(
    book: str,
    prices: str,
    weights: str,
    band: str = "0.005",
    costs: Costs = USUAL,
    symbols: Mapping[str, Symbol] | None = None,
) -> Fund:
    return Fund(B(book), P(prices), symbols or S("BTC, ETH"), Target(W(weights), "USDT", D(band)), costs)


FILTERS = st.builds(
    lambda step, least, most, notional: (D(step), D(step) * least, D(step) * most, D(notional)),
    st.sampled_from(["0.00000001", "0.00001", "0.001", "0.25", "0.3", "1", "7"]),
    st.sampled_from([D("0.5"), D(1), D("2.5"), D(100)]),
    st.sampled_from([D(10**9), D(10_000), D("1000.5")]),
    st.sampled_from(["0", "5", "100"]),
)
BASES = ("AAA", "BBB", "CCC", "DDD")


@st.composite
def any_fund(draw: st.DrawFn) -> Fund:
    """Any book, any filters, any prices, some of them absent, any weights: only the rules on the band are kept."""
    count = draw(st.integers(1, 4))
    symbols, prices, balances, weights = {}, {}, {}, {}
    parts = draw(st.lists(st.integers(0, 100), min_size=count + 1, max_size=count + 1).filter(any))
    for base, part in zip(BASES[:count], parts, strict=False):
        name = f"{base}USDT"
        step, least, most, notional = draw(FILTERS)
        symbols[name] = Symbol(name, base, "USDT", step, least, most, D("0.01"), notional)
        balances[base] = draw(st.just(D(0)) | st.decimals(0, 10_000, places=8))
        if balances[base] or draw(st.integers(0, 5)):
            prices[name] = draw(st.decimals("0.0001", 100_000, places=4))
        weights[name] = Decimal(part) / sum(parts)
    balances["USDT"] = draw(st.decimals(0, 10**6, places=8))
    fee, slip = draw(st.sampled_from([0, 1, 10, 75])), draw(st.sampled_from([0, 5, 50]))
    band = Decimal(2 * (fee + slip)) / 10_000 + D("0.001") + draw(st.sampled_from([D(0), D("0.01")]))
    book = Book({asset: amount for asset, amount in balances.items() if amount})
    return Fund(book, prices, symbols, Target(weights, "USDT", band), Costs(D(fee), D(slip)))


@st.composite
def tidy_fund(draw: st.DrawFn) -> Fund:
    """A fund for which the planner is a fixed point: steps and minimum far below the band, no largest quantity."""
    count, worth = draw(st.integers(1, 4)), draw(st.integers(5_000, 10_000_000))
    fee, slip = draw(st.sampled_from([0, 1, 10, 75])), draw(st.sampled_from([0, 5, 50]))
    band = Decimal(2 * (fee + slip)) / 10_000 + D("0.001") + draw(st.sampled_from([D(0), D("0.01")]))
    notional = draw(st.sampled_from([D(0), worth * band / 3]))
    prices = {f"{base}USDT": draw(st.decimals("0.01", 100_000, places=2)) for base in BASES[:count]}
    symbols = {}
    for name, price in prices.items():
        step = D(10) ** (worth / price / 10_000).adjusted()  # a step is worth at most a ten-thousandth of the fund
        symbols[name] = Symbol(name, name[:3], "USDT", step, step, D(10) ** 15, D("0.01"), notional)
    sizes = st.lists(st.integers(0, 100), min_size=count + 1, max_size=count + 1).filter(any)
    shares, goals = draw(sizes), draw(sizes)
    balances = {"USDT": (worth * Decimal(shares[-1]) / sum(shares)).quantize(D("1E-8"))}
    weights = {}
    for (name, price), share, goal in zip(prices.items(), shares, goals, strict=False):
        balances[name[:3]] = (worth * Decimal(share) / sum(shares) / price).quantize(D("1E-8"))
        drift = draw(st.none() | st.integers(-8, 8))
        near = Decimal(share) / sum(shares) + band * (drift or 0) / 4
        weights[name] = Decimal(goal) / sum(goals) if drift is None else max(D(0), near)
    assume(sum(weights.values()) <= 1)
    book = Book({asset: amount for asset, amount in balances.items() if amount})
    return Fund(book, prices, symbols, Target(weights, "USDT", band), Costs(D(fee), D(slip)))
