"""The filters of a symbol, as the exchange applies them to an order before it reaches the matching engine."""

from decimal import Decimal
from typing import Any

from tests.venue.state import ZERO, Account, Order, Says

Row = dict[str, Any]


def rows_of(info: Row) -> dict[str, Row]:
    return {row["filterType"]: row for row in info["filters"]}


def check(order: Order, info: Row, price: Decimal, account: Account) -> None:
    """`Says` -1013 with the filter that fails. `price` is the symbol's, averaged or last."""
    rows = rows_of(info)
    _lot(order.quantity, rows["LOT_SIZE"], "LOT_SIZE")
    if order.kind == "MARKET":
        _lot(order.quantity, rows.get("MARKET_LOT_SIZE", {}), "MARKET_LOT_SIZE")
    else:
        _price(order, rows.get("PRICE_FILTER", {}))
        _percent(order, rows.get("PERCENT_PRICE_BY_SIDE", {}), price)
        open_orders = sum(o.is_open and o.symbol == order.symbol for o in account.orders.values())
        if open_orders >= rows.get("MAX_NUM_ORDERS", {}).get("maxNumOrders", 200):
            _fails("MAX_NUM_ORDERS")
    for kind in ("NOTIONAL", "MIN_NOTIONAL"):
        if kind in rows:
            _notional(order, rows[kind], kind, price)
    most = rows.get("MAX_POSITION", {}).get("maxPosition")
    held = account.free[info["baseAsset"]] + account.locked[info["baseAsset"]]
    if most and order.side == "BUY" and held + order.quantity > Decimal(most):
        _fails("MAX_POSITION")


def _fails(name: str) -> None:
    raise Says(-1013, f"Filter failure: {name}")


def _bound(row: Row, name: str) -> Decimal:
    """0 switches a part of a filter off."""
    return Decimal(row.get(name, "0"))


def _lot(quantity: Decimal, row: Row, name: str) -> None:
    least, most, step = (_bound(row, part) for part in ("minQty", "maxQty", "stepSize"))
    if quantity < least or (most and quantity > most) or (step and (quantity - least) % step):
        _fails(name)


def _price(order: Order, row: Row) -> None:
    least, most, tick = (_bound(row, part) for part in ("minPrice", "maxPrice", "tickSize"))
    if order.price < least or (most and order.price > most) or (tick and order.price % tick):
        _fails("PRICE_FILTER")


def _percent(order: Order, row: Row, price: Decimal) -> None:
    side = "bid" if order.side == "BUY" else "ask"
    up, down = _bound(row, f"{side}MultiplierUp"), _bound(row, f"{side}MultiplierDown")
    if (up and order.price > price * up) or order.price < price * down:
        _fails("PERCENT_PRICE_BY_SIDE")


def _notional(order: Order, row: Row, name: str, price: Decimal) -> None:
    at_market = order.kind == "MARKET"
    notional = order.quantity * (price if at_market else order.price)
    applies = not at_market or row.get("applyMinToMarket", row.get("applyToMarket", False))
    if applies and notional < _bound(row, "minNotional"):
        _fails(name)
    most = _bound(row, "maxNotional")
    if most > ZERO and notional > most and (not at_market or row.get("applyMaxToMarket", False)):
        _fails(name)
