"""The exchange as a whole: each request is counted, checked, answered, kept, and spoiled if that was scripted."""

import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.market.exchange import Exchange
from tests.venue import door
from tests.venue.door import Request
from tests.venue.faults import Fault
from tests.venue.market import Market, default_info, price_of_the_minute, weight_of
from tests.venue.state import START, Account, Says, State
from tests.venue.trading import Trading

KEY, SECRET = "test" * 16, "secret" * 10 + "test"
WEIGHT_LIMIT, ORDERS_IN_10_S, WARNINGS = 6000, 50, 20
PAGE = b"<html><body>403 Forbidden</body></html>"


@dataclass(frozen=True)
class Reply:
    """What goes back: `content` as JSON, or a page; `trouble` is done with it instead of sending it."""

    status: int = 200
    content: Any = None
    page: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    trouble: Callable[[Any, Any], None] | None = None


class Venue:
    """One exchange. `clock` gives ms since 1970; `path` is where it is kept, so that it survives its own death."""

    def __init__(
        self,
        clock: Callable[[], int],
        path: Path | None = None,
        price_at: Callable[[str, int], Decimal] = price_of_the_minute,
    ) -> None:
        self.clock, self.path, self.skew_ms = clock, path, 0
        self.state = State.load(path) if path and path.exists() else State({KEY: Account(SECRET)})
        self.market = Market(Exchange(datetime.now(UTC), info=default_info()), price_at)
        self.trading = Trading(self.state, self.market, self.now_ms)
        self.asked: Counter[str] = Counter()
        self.weighed = 0  # in all, beside the count of the minute that the headers tell
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.lock = threading.RLock()
        self._warned = 0
        self.away_until_ms = 0
        for account in self.state.accounts.values():
            if not account.free and not account.orders:
                account.refill(START)

    # -- For tests: each of these can be called from another process, too -------------------------

    @property
    def url(self) -> str:
        return self.market.exchange.url

    def now_ms(self) -> int:
        """The exchange's clock, which `skew_ms` sets apart from everybody else's."""
        return self.clock() + self.skew_ms

    def script(self, line: str, *faults: Fault) -> None:
        """Spoil the next requests to `METHOD /path`, one each."""
        with self.lock:
            self.faults[line].extend(faults)

    def open_account(self, key: str, secret: str, balances: dict[str, str], commission: str = "received") -> None:
        with self.lock:
            account = self.state.accounts[key] = Account(secret, commission=commission)
            account.refill(balances)
            self._keep()

    def set(self, **changes: Any) -> None:
        """Change `skew_ms`, `lag_ms`, `trades_lag_ms`, `commission`, `balances`, `prices` or `books`."""
        with self.lock:
            for name, value in changes.items():
                self._set(name, value)
            self._keep()

    def _set(self, name: str, value: Any) -> None:
        account = next(iter(self.state.accounts.values()))
        if name == "skew_ms":
            self.skew_ms = int(value)
        elif name in ("lag_ms", "trades_lag_ms"):
            setattr(self.trading, name, int(value))
        elif name == "commission":
            account.commission = value
        elif name == "balances":
            account.refill(value)
        elif name == "prices":
            self.market.prices.update({symbol: Decimal(price) for symbol, price in value.items()})
        elif name == "books":
            for symbol, sides in value.items():
                rows = {side: [(Decimal(p), Decimal(q)) for p, q in levels] for side, levels in sides.items()}
                self.market.books[symbol] = {"bids": [], "asks": []} | rows
        else:
            raise ValueError(f"there is no {name} to set")

    def wipe(self) -> None:
        """The testnet's monthly reset: orders and balances are gone, ids start again, keys stay."""
        with self.lock:
            self.state.wipe()
            self._keep()

    def carry_on(self, client_order_id: str, fraction: str = "1") -> None:
        """Execute more of an open order."""
        with self.lock:
            self.trading.carry_on(client_order_id, fraction)
            self._keep()

    def told(self) -> dict[str, Any]:
        """All it knows, as JSON values: accounts by key, and the client ids of all orders matched since the start."""
        with self.lock:
            self.trading.match_what_is_due()
            known = json.loads(json.dumps(asdict(self.state), default=str))
            return {**known, "asked": dict(self.asked), "weighed": self.weighed, "now_ms": self.now_ms()}

    def matched(self) -> Counter[str]:
        """How often an order of each client id was matched: more than once is what must never happen."""
        return Counter(self.told()["sends"])

    # -- One request ------------------------------------------------------------------------------

    def take(self, request: Request) -> Reply:
        with self.lock:
            self.asked[request.line] += 1
            if self.faults[request.line]:
                return self._spoiled(request, self.faults[request.line].popleft())
            return self._answer(request, Fault())

    def _spoiled(self, request: Request, fault: Fault) -> Reply:
        if not fault.reaches_the_engine:
            return Reply(trouble=fault.trouble(), content={"nothing": "was done"})
        reply = self._answer(request, fault)
        return Reply(reply.status, reply.content, reply.page, reply.headers, fault.trouble())

    def _answer(self, request: Request, fault: Fault) -> Reply:
        try:
            if door.SQL.search(" ".join(request.params.values())):
                return Reply(403, page=PAGE)
            headers = self._weigh(request)
            changes = self.trading.match_what_is_due() or request.method != "GET"
            content = self._content(request, fault)
        except Says as says:
            headers = {"Retry-After": str(self._away_s())} if says.status in (418, 429) else {}
            return Reply(says.status, {"code": says.code, "msg": says.text}, headers=headers)
        if changes:
            self._keep()
        if request.line == "POST /api/v3/order":
            ten, day = self.trading.unfilled()
            headers |= {"X-MBX-ORDER-COUNT-10S": str(ten), "X-MBX-ORDER-COUNT-1D": str(day)}
        return Reply(content=content, headers=headers)

    def _content(self, request: Request, fault: Fault) -> Any:
        endpoint = self.trading.endpoints.get(request.line)
        if endpoint is None:
            return self.market.answer(request.path, request.params, self.now_ms())
        account = door.account_of(request, self.state, self.now_ms())
        self.market.answer("/api/v3/ping", {}, self.now_ms())  # its prices are those of now
        if request.line == "POST /api/v3/order" and self.trading.unfilled()[0] >= ORDERS_IN_10_S:
            self.away_until_ms = self.now_ms() + 10_000
            raise Says(-1015, "Too many new orders; current limit is 50 orders per 10 SECOND.", 429)
        return endpoint(account, request.params, fault)

    def _weigh(self, request: Request) -> dict[str, str]:
        """Count the weight of the minute. Too much of it is a 429, and going on after that a ban."""
        exchange, minute = self.market.exchange, self.now_ms() // 60_000
        weight = weight_of(request.line, request.params)
        if exchange.weight_minute != minute:
            exchange.weight_minute, exchange.weight_used, self._warned = minute, 0, 0
        exchange.weight_used += weight
        self.weighed += weight
        if exchange.weight_used > WEIGHT_LIMIT:
            self._warned += 1
            self.away_until_ms = (minute + 1) * 60_000 if self._warned < WARNINGS else self.now_ms() + 120_000
            status = 429 if self._warned < WARNINGS else 418
            raise Says(-1003, f"Too much request weight used; current limit is {WEIGHT_LIMIT} per 1 MINUTE.", status)
        return {}

    def _away_s(self) -> int:
        return max(1, -(-(self.away_until_ms - self.now_ms()) // 1000))

    def _keep(self) -> None:
        """On file before the answer leaves, so that what was told is never forgotten."""
        if self.path:
            self.state.save(self.path)
