"""Orders and trades as the exchange writes them, for tests: `answer(executed="0.5")`, `trade(7, "100", "0.5")`."""

from typing import Any

from portfolio.core.orders import Order, Side
from tests.notation import D

NOON_MS = 1_714_564_800_000  # 2024-05-01 12:00 UTC


def bought(quantity: str = "1", symbol: str = "BTCUSDT", side: Side = Side.BUY, client_order_id: str = "oo-1") -> Order:
    return Order(client_order_id, symbol, side, D(quantity), D("100"))


def sold(quantity: str = "1", symbol: str = "BTCUSDT") -> Order:
    return bought(quantity, symbol, Side.SELL)


def answer(status: str = "FILLED", executed: str = "1", quote: str = "100", **changes: Any) -> dict[str, Any]:
    """What the exchange says of an order for 1 BTC; `changes` replace fields."""
    return {
        "symbol": "BTCUSDT",
        "orderId": 41,
        "orderListId": -1,
        "clientOrderId": "oo-1",
        "price": "0.00000000",
        "origQty": "1.00000000",
        "executedQty": executed,
        "cummulativeQuoteQty": quote,
        "status": status,
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": "BUY",
        **changes,
    }


def trade(number: int, price: str, quantity: str, fee: str = "0", fee_asset: str = "BTC", **changes: Any) -> Any:
    """A row of myTrades of that order."""
    return {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": 41,
        "orderListId": -1,
        "price": price,
        "qty": quantity,
        "quoteQty": "0",
        "commission": fee,
        "commissionAsset": fee_asset,
        "time": NOON_MS + number,
        "isBuyer": True,
        "isMaker": False,
        "isBestMatch": True,
        **changes,
    }
