"""The endpoints that need an account: orders are placed, asked for and cancelled; trades and balances are told."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.venue import door, filters
from tests.venue.faults import Fault
from tests.venue.market import Market
from tests.venue.matching import Matching
from tests.venue.state import OPEN, ZERO, Account, Order, Says, State, Trade

Params = dict[str, str]
ORDER_NEEDS = "symbol side type"
ORDER_ALLOWS = "timeInForce quantity quoteOrderQty price newClientOrderId newOrderRespType selfTradePreventionMode"
DUPLICATE = "Duplicate order sent."


class Trading:
    """What accounts can do. `lag_ms` is how long queries take to show an order, `trades_lag_ms` to show its trades."""

    def __init__(self, state: State, market: Market, now_ms: Callable[[], int]) -> None:
        self.state, self.market, self.now_ms = state, market, now_ms
        self.lag_ms = self.trades_lag_ms = 0
        self.endpoints = {
            "POST /api/v3/order": self.place,
            "POST /api/v3/order/test": self.test,
            "DELETE /api/v3/order": self.cancel,
            "DELETE /api/v3/openOrders": self.cancel_all,
            "GET /api/v3/order": self.query,
            "GET /api/v3/openOrders": self.open_orders,
            "GET /api/v3/allOrders": self.all_orders,
            "GET /api/v3/myTrades": self.my_trades,
            "GET /api/v3/account": self.account,
            "GET /api/v3/rateLimit/order": self.rate_limit,
        }

    # -- Placing ----------------------------------------------------------------------------------

    def place(self, account: Account, params: Params, fault: Fault) -> Any:
        order = self._order_from(account, params)
        door.check_time(params, self.now_ms() + fault.held_ms)  # the second look, just before the matching engine
        if any(o.is_open for o in account.of_client(order.symbol, order.client_order_id)):
            raise Says(-2010, DUPLICATE)
        order.order_id = self.state.next_order
        self.state.next_order += 1
        if fault.later_ms:
            key = next(key for key, one in self.state.accounts.items() if one is account)
            due_ms = self.now_ms() + fault.later_ms
            self.state.later.append({"key": key, "due_ms": due_ms, "params": params, "order_id": order.order_id})
            return {}
        first_trade = len(account.trades)
        self._enter(account, order, fault)
        return self._placed(order, account.trades[first_trade:], params.get("newOrderRespType", ""))

    def match_what_is_due(self) -> bool:
        """Match orders that the engine took and did not match at once; whether there were any."""
        due = [one for one in self.state.later if one["due_ms"] <= self.now_ms()]
        for one in due:
            self.state.later.remove(one)
            account = self.state.accounts[one["key"]]
            order = self._order_from(account, one["params"])
            order.order_id = one["order_id"]
            self._enter(account, order, Fault())
        return bool(due)

    def test(self, account: Account, params: Params, fault: Fault) -> Any:
        self._order_from(account, params)
        return {}

    def _order_from(self, account: Account, params: Params) -> Order:
        own = door.checked(params, ORDER_NEEDS, ORDER_ALLOWS)
        pair = self.market.pair(own["symbol"])
        if own["side"] not in ("BUY", "SELL"):
            raise Says(-1117, "Invalid side.")
        self._check_kind(own)
        if self.market.info[pair.symbol]["status"] != "TRADING":
            raise Says(-1013, "Market is closed.")
        if not account.can_trade:
            raise Says(-2010, "This action is disabled on this account.")
        now_ms, price = self.now_ms(), self.market.price(pair.symbol)
        order = Order(
            0,
            own.get("newClientOrderId") or f"venue{self.state.next_order}",
            pair.symbol,
            own["side"],
            own["type"],
            Decimal(own.get("quantity", 0)),
            Decimal(own.get("price", 0)),
            own.get("timeInForce", "GTC"),
            now_ms,
            now_ms + self.lag_ms,
        )
        if "quoteOrderQty" in own:  # buys or sells whole steps for at most so much
            step = Decimal(filters.rows_of(self.market.info[pair.symbol])["LOT_SIZE"]["stepSize"])
            order.quote_quantity = Decimal(own["quoteOrderQty"])
            order.quantity = order.quote_quantity / price // step * step
        filters.check(order, self.market.info[pair.symbol], price, account)
        return order

    @staticmethod
    def _check_kind(own: Params) -> None:
        wanted = {"MARKET": (), "LIMIT": ("timeInForce", "quantity", "price")}.get(own["type"])
        if wanted is None:
            raise Says(-1116, "Invalid orderType.")
        for name in wanted:
            if name not in own:
                raise Says(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        if own["type"] == "MARKET":
            for name in ("timeInForce", "price"):
                if name in own:
                    raise Says(-1106, f"Parameter '{name}' sent when not required.")
            if ("quantity" in own) == ("quoteOrderQty" in own):
                raise Says(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
        if own.get("timeInForce", "GTC") not in ("GTC", "IOC"):
            raise Says(-1115, "Invalid timeInForce.")

    def _enter(self, account: Account, order: Order, fault: Fault) -> None:
        matching = self._matching(account, order)
        most = None if fault.fraction is None else self._part(order, Decimal(fault.fraction))
        matching.enter(self.market.levels(order.symbol, "asks" if order.side == "BUY" else "bids"), most)
        if most is not None and not fault.stays_open and order.is_open:
            matching.close("EXPIRED", "INSUFFICIENT_LIQUIDITY")

    def _part(self, order: Order, fraction: Decimal) -> Decimal:
        step = Decimal(filters.rows_of(self.market.info[order.symbol])["LOT_SIZE"]["stepSize"])
        return order.quantity * fraction // step * step

    def _matching(self, account: Account, order: Order) -> Matching:
        now_ms = self.now_ms()
        return Matching(
            self.state,
            account,
            self.market.pair(order.symbol),
            order,
            lambda: self.market.price("BNBUSDT"),
            now_ms,
            now_ms + max(self.lag_ms, self.trades_lag_ms),
        )

    def carry_on(self, client_order_id: str, fraction: str = "1") -> None:
        """Execute more of an open order: up to this part of its quantity, at the present price."""
        for account in self.state.accounts.values():
            for order in [o for o in account.orders.values() if o.client_order_id == client_order_id and o.is_open]:
                wanted = self._part(order, Decimal(fraction)) - order.executed
                self._matching(account, order).execute(order.price or self.market.price(order.symbol), wanted)

    # -- Cancelling and asking --------------------------------------------------------------------

    def cancel(self, account: Account, params: Params, fault: Fault) -> Any:
        own = door.checked(params, "symbol", "orderId origClientOrderId newClientOrderId cancelRestrictions")
        order = next(iter(self._found(account, own)), None)
        if order is None or not order.is_open:
            raise Says(-2011, "Unknown order sent.")
        self._matching(account, order).close("CANCELED")
        cancelling = own.get("newClientOrderId", f"cancel{order.order_id}")
        return {**_told(order), "origClientOrderId": order.client_order_id, "clientOrderId": cancelling}

    def cancel_all(self, account: Account, params: Params, fault: Fault) -> Any:
        symbol = self.market.pair(door.checked(params, "symbol")["symbol"]).symbol
        mine = [o for o in account.orders.values() if o.is_open and o.symbol == symbol]
        if not mine:
            raise Says(-2011, "Unknown order sent.")
        return [self.cancel(account, {"symbol": symbol, "orderId": str(o.order_id)}, fault) for o in mine]

    def query(self, account: Account, params: Params, fault: Fault) -> Any:
        own = door.checked(params, "symbol", "orderId origClientOrderId")
        for order in self._found(account, own):
            if order.visible_ms <= self.now_ms():
                return _queried(order)
        raise Says(-2013, "Order does not exist.")

    def _found(self, account: Account, own: Params) -> list[Order]:
        """By order id, else by client order id. When both are sent, both must be right."""
        symbol = self.market.pair(own["symbol"]).symbol
        if "orderId" not in own and "origClientOrderId" not in own:
            raise Says(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        if "orderId" not in own:
            return account.of_client(symbol, own["origClientOrderId"])
        order = account.orders.get(int(own["orderId"]))
        wanted = order is not None and own.get("origClientOrderId", order.client_order_id) == order.client_order_id
        return [order] if order is not None and wanted and order.symbol == symbol else []

    def open_orders(self, account: Account, params: Params, fault: Fault) -> Any:
        own = door.checked(params, "", "symbol")
        return [_queried(o) for o in self._visible(account, own.get("symbol")) if o.is_open]

    def all_orders(self, account: Account, params: Params, fault: Fault) -> Any:
        own = door.checked(params, "symbol", "orderId startTime endTime limit")
        first, limit = int(own.get("orderId", 0)), min(int(own.get("limit", 500)), 1000)
        found = [o for o in self._visible(account, own["symbol"]) if o.order_id >= first]
        return [_queried(o) for o in (found[:limit] if "orderId" in own else found[-limit:])]

    def _visible(self, account: Account, symbol: str | None) -> list[Order]:
        wanted = self.market.pair(symbol).symbol if symbol else None
        visible = (o for o in account.orders.values() if o.visible_ms <= self.now_ms())
        return [o for o in visible if wanted in (None, o.symbol)]

    def my_trades(self, account: Account, params: Params, fault: Fault) -> Any:
        own = door.checked(params, "symbol", "orderId startTime endTime fromId limit")
        symbol, limit = self.market.pair(own["symbol"]).symbol, min(int(own.get("limit", 500)), 1000)
        found = [t for t in account.trades if t.symbol == symbol and t.visible_ms <= self.now_ms()]
        found = [t for t in found if t.trade_id >= int(own.get("fromId", 0))]
        found = [t for t in found if int(own.get("orderId", t.order_id)) == t.order_id]
        return [_trade(t) for t in found[:limit]]

    def account(self, account: Account, params: Params, fault: Fault) -> Any:
        own = door.checked(params, "", "omitZeroBalances")
        held = {asset: (account.free[asset], account.locked[asset]) for asset in [*account.free]}
        if own.get("omitZeroBalances") == "true":
            held = {asset: amounts for asset, amounts in held.items() if any(amounts)}
        rows = [{"asset": a, "free": f"{f:.8f}", "locked": f"{k:.8f}"} for a, (f, k) in sorted(held.items())]
        rates = {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000"}
        may = {"canTrade": account.can_trade, "canWithdraw": False, "canDeposit": False, "accountType": "SPOT"}
        return {"commissionRates": rates, **may, "balances": rows, "permissions": ["SPOT"], "uid": 1}

    def rate_limit(self, account: Account, params: Params, fault: Fault) -> Any:
        door.checked(params, "")
        return [
            {"rateLimitType": "ORDERS", "interval": unit, "intervalNum": n, "limit": limit, "count": count}
            for unit, n, limit, count in zip(("SECOND", "DAY"), (10, 1), (50, 160_000), self.unfilled(), strict=True)
        ]

    def unfilled(self) -> tuple[int, int]:
        """Orders of the last 10 seconds and of the day; one that was filled is no longer counted."""
        placed = [o.at_ms for one in self.state.accounts.values() for o in one.orders.values() if o.status != "FILLED"]
        now_ms = self.now_ms()
        return sum(at > now_ms - 10_000 for at in placed), sum(at > now_ms - 86_400_000 for at in placed)

    @staticmethod
    def _placed(order: Order, trades: list[Trade], kind: str) -> Any:
        """The answer to an order, as long as `newOrderRespType` asks for: MARKET and LIMIT orders default to FULL."""
        if kind == "ACK":
            return {
                name: _told(order)[name]
                for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
            }
        fills = [
            {
                "price": f"{t.price:.8f}",
                "qty": f"{t.quantity:.8f}",
                "commission": f"{t.commission:.8f}",
                "commissionAsset": t.commission_asset,
                "tradeId": t.trade_id,
            }
            for t in trades
        ]
        return _told(order) if kind == "RESULT" else {**_told(order), "fills": fills}


def _told(order: Order) -> dict[str, Any]:
    told = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.at_ms,
        "price": f"{order.price:.8f}",
        "origQty": f"{order.quantity:.8f}",
        "executedQty": f"{order.executed:.8f}",
        "origQuoteOrderQty": f"{order.quote_quantity:.8f}",
        "cummulativeQuoteQty": f"{order.quote_total:.8f}",
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "side": order.side,
        "workingTime": order.at_ms,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    return {**told, "expiryReason": order.why} if order.why else told


def _queried(order: Order) -> dict[str, Any]:
    """An order as a query tells it: no fills, no commission."""
    told = _told(order)
    told["time"] = told["updateTime"] = told.pop("transactTime")
    return {**told, "stopPrice": "0.00000000", "icebergQty": "0.00000000", "isWorking": order.status in OPEN}


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": f"{trade.price:.8f}",
        "qty": f"{trade.quantity:.8f}",
        "quoteQty": f"{trade.price * trade.quantity:.8f}",
        "commission": f"{trade.commission or ZERO:.8f}",
        "commissionAsset": trade.commission_asset,
        "time": trade.at_ms,
        "isBuyer": trade.is_buyer,
        "isMaker": False,
        "isBestMatch": True,
    }
