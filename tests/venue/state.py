"""What the exchange keeps: accounts, orders, trades. All of it can be written to a file and read back."""

import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

OPEN = ("NEW", "PARTIALLY_FILLED")
ZERO = Decimal(0)
START = {"USDT": "100000", "BTC": "0.5", "ETH": "5", "SOL": "50", "BNB": "20", "ADA": "5000"}


class Says(Exception):
    """An error of the exchange's own, with the HTTP status and the code it has there."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.text, self.status = code, text, status


@dataclass
class Order:
    """`visible_ms` is when queries begin to show it: they are answered from a copy that lags behind."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal
    time_in_force: str
    at_ms: int
    visible_ms: int
    status: str = "NEW"
    executed: Decimal = ZERO
    notional: Decimal = ZERO  # not cut yet
    quote_quantity: Decimal = ZERO
    why: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def quote_total(self) -> Decimal:
        return cut(self.notional)


@dataclass
class Trade:
    trade_id: int
    order_id: int
    symbol: str
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    is_buyer: bool
    at_ms: int
    visible_ms: int


@dataclass
class Account:
    """`commission` is how fees are taken: `received` (of what comes in), `BNB` (where there is any), or `none`."""

    secret: str
    free: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    locked: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    commission: str = "received"
    orders: dict[int, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    can_trade: bool = True

    def refill(self, balances: dict[str, str]) -> None:
        self.free = defaultdict(Decimal, {asset: Decimal(amount) for asset, amount in balances.items()})
        self.locked.clear()

    def text(self) -> str:
        """As JSON."""
        rows = ("orders", "trades")
        parts = [f'"{f.name}": {_json(getattr(self, f.name))}' for f in fields(self) if f.name not in rows]
        orders = ", ".join(f'"{number}": {_kept_text(order, order.is_open)}' for number, order in self.orders.items())
        trades = ", ".join(_kept_text(trade, may_change=False) for trade in self.trades)
        return "{" + ", ".join(parts) + f', "orders": {{{orders}}}, "trades": [{trades}]}}'

    def of_client(self, symbol: str, client_order_id: str) -> list[Order]:
        """Orders under this id, newest first: there can be several, once those before are closed."""
        found = [o for o in self.orders.values() if (o.symbol, o.client_order_id) == (symbol, client_order_id)]
        return sorted(found, key=lambda order: -order.order_id)


@dataclass
class State:
    accounts: dict[str, Account] = field(default_factory=dict)  # by API key
    next_order: int = 1
    next_trade: int = 1
    later: list[dict[str, Any]] = field(default_factory=list)  # orders accepted and not matched yet
    sends: list[str] = field(default_factory=list)  # client ids of all orders that were matched, for ever

    def wipe(self) -> None:
        """What the testnet does about once a month: only the keys stay."""
        self.next_order = self.next_trade = 1
        self.later.clear()
        for account in self.accounts.values():
            account.orders.clear()
            account.trades.clear()
            account.refill(START)

    def save(self, path: Path) -> None:
        whole = path.with_suffix(".new")
        whole.write_text(self._text())
        os.replace(whole, path)

    def _text(self) -> str:
        """As JSON. What can change no more is made into text once: a demo of a day has many thousand orders."""
        parts = [f'"{f.name}": {_json(getattr(self, f.name))}' for f in fields(self) if f.name != "accounts"]
        accounts = ", ".join(f"{_json(key)}: {account.text()}" for key, account in self.accounts.items())
        return "{" + ", ".join(parts) + f', "accounts": {{{accounts}}}}}'

    @classmethod
    def load(cls, path: Path) -> "State":
        told = json.loads(path.read_text())
        told["accounts"] = {key: _account(account) for key, account in told["accounts"].items()}
        return cls(**told)


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


def _kept_text(row: Order | Trade, may_change: bool) -> str:
    """A row as JSON, kept beside its fields unless it may still change."""
    if may_change:
        return _json(asdict(row))
    found: str = row.__dict__.setdefault("_text", "") or _json(asdict(row))
    row.__dict__["_text"] = found
    return found


def cut(amount: Decimal) -> Decimal:
    """Amounts have 8 places there, and what is behind them is dropped."""
    return amount.quantize(Decimal("0.00000001"), rounding="ROUND_DOWN")


def _account(told: dict[str, Any]) -> Account:
    for name in ("free", "locked"):
        told[name] = defaultdict(Decimal, {asset: Decimal(amount) for asset, amount in told[name].items()})
    told["orders"] = {int(number): _row(Order, order) for number, order in told["orders"].items()}
    told["trades"] = [_row(Trade, trade) for trade in told["trades"]]
    return Account(**told)


def _row[T](kind: type[T], told: dict[str, Any]) -> T:
    decimals = {f.name for f in fields(kind) if f.type is Decimal}  # type: ignore[arg-type]
    return kind(**{name: Decimal(value) if name in decimals else value for name, value in told.items()})
