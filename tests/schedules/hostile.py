"""An exchange in this process that loses, delays, repeats, cuts and forgets, by the dice of a seeded schedule.

It keeps two books: what it tells, which may lag or be wiped, and `log`, the truth about every order it ever accepted.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from urllib.parse import parse_qsl

from market.core.candles import from_ms, to_ms
from portfolio.core.orders import Side
from portfolio.core.venue_answers import Acknowledged, AlreadyThere, Outcome, RefusalClass, Refused, Unknown, Wait
from portfolio.core.venue_fills import VenueOrder, VenueTrade
from portfolio.testnet import NoAnswer

LAG_MS_MAX = 60_000  # of reads behind what was accepted
STEP = Decimal("0.00001")


@dataclass
class Accepted:
    """An order that the exchange took, whatever it says of it later. Instants in ms of the exchange's clock."""

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    at_ms: int
    life: int
    visible_ms: int
    status: str = "FILLED"
    trades: list[VenueTrade] = field(default_factory=list)
    listed_ms: int = 0
    ends_ms: int = 0  # until then it is told as NEW
    is_wiped: bool = False

    @property
    def executed(self) -> Decimal:
        return sum((trade.quantity for trade in self.trades), Decimal(0))


@dataclass
class Dice:
    """How often what goes wrong, each from 0 to 1; all zero is a good day."""

    lost: float = 0.12
    answer_lost: float = 0.15
    late: float = 0.12
    garbled: float = 0.08
    refused: float = 0.06
    limited: float = 0.04
    repeated: float = 0.04
    partial: float = 0.15
    read_fails: float = 0.12
    lag: float = 0.6
    skew: float = 0.04
    wiped: float = 0.01

    def calm(self) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, 0.0)


class HostileExchange:
    """The far end; `now_ms` is its clock. Requests under way arrive when `deliver` is called."""

    def __init__(self, rng: random.Random, now: Callable[[], datetime], story: Callable[[str], None]) -> None:
        self.rng, self.now, self.story = rng, now, story
        self.dice = Dice()
        self.lag_ms_max = LAG_MS_MAX
        self.life = 1
        self.log: list[Accepted] = []
        self.next_order, self.next_trade = 1, 1
        self.offset_ms = rng.randint(-400, 400)
        self.under_way: list[tuple[int, str]] = []

    def now_ms(self) -> int:
        return to_ms(self.now()) + self.offset_ms

    def roll(self, chance: float) -> bool:
        return self.rng.random() < chance

    def deliver(self) -> None:
        """What was delayed on the line arrives."""
        due = [payload for at_ms, payload in self.under_way if at_ms <= self.now_ms()]
        self.under_way = [(at_ms, payload) for at_ms, payload in self.under_way if at_ms > self.now_ms()]
        for payload in due:
            self.arrive(payload, "late")

    def wipe(self) -> None:
        self.story("exchange: wiped")
        self.life += 1
        self.next_order = self.next_trade = 1
        for order in self.log:
            order.is_wiped = True

    # -- the matching engine --------------------------------------------------------------------------

    def arrive(self, payload: str, how: str) -> Accepted | Refused:
        params = dict(parse_qsl(payload))
        stamp, window = int(params["timestamp"]), int(params["recvWindow"])
        name = params["newClientOrderId"]
        if not (stamp < self.now_ms() + 1000 and self.now_ms() - stamp <= window):
            self.story(f"exchange: {name} arrives {how}, {self.now_ms() - stamp} ms old: refused")
            return Refused(-1021, "Timestamp outside of the recvWindow.", RefusalClass.LATE)
        delay_ms = self.rng.randint(0, 9_000) if self.roll(self.dice.late) else 0
        lag_ms = self.rng.randint(0, self.lag_ms_max) if self.roll(self.dice.lag) else 0
        quantity = Decimal(params["quantity"])
        price = self._price(params, Side(params["side"].lower()))
        order = Accepted(
            *(self.next_order, name, params["symbol"], Side(params["side"].lower()), quantity, price),
            at_ms=self.now_ms(),
            life=self.life,
            visible_ms=self.now_ms() + delay_ms + lag_ms,
        )
        self.next_order += 1
        self._match(order, delay_ms)
        self.log.append(order)
        self.story(f"exchange: {name} arrives {how} and is {order.status}, {order.executed} of {quantity}")
        return order

    def _price(self, params: dict[str, str], side: Side) -> Decimal:
        limit = Decimal(params.get("price", "100"))
        off = Decimal(self.rng.randint(0, 5)) / 10_000
        return (limit * (1 - off if side is Side.BUY else 1 + off)).quantize(Decimal("0.0001"), ROUND_DOWN)

    def _match(self, order: Accepted, delay_ms: int) -> None:
        wanted = order.quantity
        if self.roll(self.dice.partial):
            order.status = "EXPIRED"
            share = Decimal(self.rng.choice(["0", "0.3", "0.7"]))
            wanted = (order.quantity * share).quantize(STEP, ROUND_DOWN)
            wanted -= wanted % Decimal("0.1") if order.symbol == "ADAUSDT" else Decimal(0)
        for part in self._parts(wanted):
            base, quote = order.symbol.removesuffix("USDT"), "USDT"
            fee_asset = base if order.side is Side.BUY else quote
            gained = part if order.side is Side.BUY else part * order.price
            fee = (gained * Decimal("0.001")).quantize(Decimal("1e-8"), ROUND_DOWN) if self.roll(0.5) else Decimal(0)
            at = from_ms(order.at_ms + delay_ms)
            order.trades.append(
                VenueTrade(self.next_trade, order.order_id, order.symbol, order.price, part, fee, fee_asset, at)
            )
            self.next_trade += 1
        order.listed_ms = order.visible_ms + (self.rng.randint(0, self.lag_ms_max) if self.roll(self.dice.lag) else 0)
        order.ends_ms = order.at_ms + (self.rng.randint(0, 300_000) if self.roll(self.dice.partial) else 0)

    def _parts(self, quantity: Decimal) -> list[Decimal]:
        if not quantity:
            return []
        first = (quantity / 2).quantize(STEP, ROUND_DOWN)
        return [first, quantity - first] if first and self.roll(0.5) else [quantity]

    # -- what it tells ----------------------------------------------------------------------------------

    def told(self, order: Accepted) -> VenueOrder:
        is_open = self.now_ms() < order.ends_ms
        quote = sum((trade.price * trade.quantity for trade in order.trades), Decimal(0))
        return VenueOrder(
            order.order_id,
            order.client_order_id,
            order.symbol,
            order.side,
            "NEW" if is_open else order.status,
            order.quantity,
            Decimal(0) if is_open else order.executed,
            None if is_open else quote.quantize(Decimal("1e-8"), ROUND_DOWN),
        )

    def known(self, symbol: str) -> list[Accepted]:
        """What its records show now of a symbol, oldest first."""
        return [o for o in self.log if o.symbol == symbol and not o.is_wiped and o.visible_ms <= self.now_ms()]

    def send(self, payload: str, name: str) -> Outcome:
        if self.roll(self.dice.lost):
            self.story(f"line: {name} is lost")
            return Unknown("no answer")
        if self.roll(self.dice.late):
            at_ms = self.now_ms() + self.rng.randint(500, 20_000)
            self.under_way.append((at_ms, payload))
            self.story(f"line: {name} is delayed by {at_ms - self.now_ms()} ms")
            return Unknown("no answer within 10 s")
        if self.roll(self.dice.refused):
            return self._refuse(name)
        if self.roll(self.dice.limited):
            return Wait(float(self.rng.randint(1, 400)))
        answer = self.arrive(payload, "in time")
        if isinstance(answer, Refused):
            return answer
        if self.roll(self.dice.answer_lost):
            self.story(f"line: the answer about {name} is lost")
            return Unknown(self.rng.choice(["HTTP 502 with a body that is not JSON, or cut off", "no answer"]))
        if self.roll(self.dice.repeated):
            return AlreadyThere()
        return Acknowledged(self.told(answer))

    def _refuse(self, name: str) -> Outcome:
        code, kind = self.rng.choice([(-2010, RefusalClass.DECLINED), (-1013, RefusalClass.FILTER)])
        self.story(f"exchange: {name} is refused with {code}")
        return Refused(code, "refused", kind)

    def check_line(self, what: str) -> None:
        if self.roll(self.dice.read_fails):
            raise NoAnswer(f"{what} failed", after_s=self.rng.choice([None, 5.0, 120.0]))

    def info(self) -> dict[str, Any]:
        return {"symbols": [_info(symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT")]}


def _info(symbol: str) -> dict[str, Any]:
    step = {"BTCUSDT": "0.00001", "ETHUSDT": "0.0001", "ADAUSDT": "0.1"}.get(symbol, "0.001")
    tick = {"BNBUSDT": "0.1", "ADAUSDT": "0.0001"}.get(symbol, "0.01")
    return {
        "symbol": symbol,
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "status": "TRADING",
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "900000", "stepSize": step},
            {"filterType": "PRICE_FILTER", "tickSize": tick},
            {"filterType": "NOTIONAL", "minNotional": "5"},
        ],
    }


class HostileConnection:
    """One process's line to it. `seam` is called where the process can be frozen or killed: before and after a call."""

    def __init__(self, exchange: HostileExchange, seam: Callable[[str], None]) -> None:
        self._exchange, self._seam = exchange, seam
        self.offset_ms = 0

    def close(self) -> None: ...

    def _read[T](self, what: str, read: Callable[[], T]) -> T:
        self._seam(f"before {what}")
        self._exchange.deliver()
        self._exchange.check_line(what)
        told = read()
        self._seam(f"after {what}")
        return told

    def sync(self) -> int:
        skewed = self._exchange.roll(self._exchange.dice.skew)
        self.offset_ms = self._exchange.offset_ms + (3_600_000 if skewed else 0)
        return 50

    def now_ms(self) -> int:
        return to_ms(self._exchange.now()) + self.offset_ms

    def send(self, payload: str, client_order_id: str) -> Outcome:
        self._seam(f"before sending {client_order_id}")
        self._exchange.deliver()
        outcome = self._exchange.send(payload, client_order_id)
        self._seam(f"after sending {client_order_id}")
        return outcome

    def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        def read() -> VenueOrder | None:
            found = [o for o in self._exchange.known(symbol) if o.client_order_id == client_order_id]
            return self._exchange.told(found[-1]) if found else None

        return self._read(f"asking for {client_order_id}", read)

    def trades(self, symbol: str, order_id: int) -> tuple[VenueTrade, ...]:
        def read() -> tuple[VenueTrade, ...]:
            (found,) = [o for o in self._exchange.known(symbol) if o.order_id == order_id] or [None]
            if found is None:
                return ()
            is_listed = found.listed_ms <= self._exchange.now_ms()
            return tuple(found.trades if is_listed else found.trades[:-1])

        return self._read(f"asking for the trades of order {order_id}", read)

    def all_orders(self, symbol: str, from_order_id: int = 0) -> tuple[VenueOrder, ...]:
        def read() -> tuple[VenueOrder, ...]:
            rows = [o for o in self._exchange.known(symbol) if o.order_id >= from_order_id]
            return tuple(self._exchange.told(order) for order in sorted(rows, key=lambda o: o.order_id)[:3])

        return self._read(f"asking for all orders in {symbol}", read)

    def cancel(self, symbol: str, client_order_id: str) -> bool:
        def cancel() -> bool:
            for order in self._exchange.known(symbol):
                if order.client_order_id == client_order_id:
                    order.ends_ms = min(order.ends_ms, self._exchange.now_ms())
            return True

        return self._read(f"cancelling {client_order_id}", cancel)

    def exchange_info(self, symbols: Any) -> Any:
        return self._read("asking for filters", self._exchange.info)
