"""What the exchange double knows, laid beside what we have on record, order by order and trade by trade."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CONTROL = "/_venue"
ANSWERS_WITHIN_S = 10

Trade = tuple[str, str, Decimal, Decimal, Decimal, str]  # symbol, client id, price, quantity, fee, asset of the fee


@dataclass(frozen=True, slots=True)
class Theirs:
    """`matched` is how often an order of each client id was executed, `executed` how much, in base."""

    matched: Mapping[str, int]
    executed: Mapping[str, Decimal]
    trades: Mapping[Trade, int]


@dataclass(frozen=True, slots=True)
class OurAttempt:
    """One signed request of ours. `order` is the leg it is for; `executed` is in base, 0 where nothing was."""

    client_order_id: str
    order: str
    is_live: bool
    executed: Decimal
    trades: tuple[Trade, ...]


def call(url: str, name: str, *args: Any, **named: Any) -> Any:
    """Have the double do or tell something. Raises OSError where it does not answer."""
    asked = json.dumps({"call": name, "args": args, "named": named}).encode()
    request = urllib.request.Request(f"{url}{CONTROL}", data=asked, method="POST")  # noqa: S310 - on this machine
    with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as answer:  # noqa: S310
        return json.loads(answer.read())


def lose_an_answer(url: str) -> None:
    """The next order is executed, and the connection ends before anybody hears of it."""
    call(url, "script", "POST /api/v3/order", {"line": "reset", "executed": True})


def read(told: Mapping[str, Any]) -> Theirs:
    """All accounts together, from what the double tells."""
    accounts = told["accounts"].values()
    orders = {int(number): order for account in accounts for number, order in account["orders"].items()}
    trades = [_trade(trade, orders) for account in accounts for trade in account["trades"]]
    executed: dict[str, Decimal] = {}
    for order in orders.values():
        name = order["client_order_id"]
        executed[name] = executed.get(name, Decimal(0)) + Decimal(order["executed"])
    return Theirs(Counter(told["sends"]), executed, Counter(trades))


def _trade(trade: Mapping[str, Any], orders: Mapping[int, Mapping[str, Any]]) -> Trade:
    amounts = (Decimal(trade[name]) for name in ("price", "quantity", "commission"))
    price, quantity, fee = amounts
    client_order_id = orders[trade["order_id"]]["client_order_id"]
    return (trade["symbol"], client_order_id, price, quantity, fee, trade["commission_asset"])


def differences(ours: Sequence[OurAttempt], theirs: Theirs) -> Iterator[str]:
    """Everything in which the two records disagree. Of a live attempt only that it was executed once at most."""
    known = {attempt.client_order_id: attempt for attempt in ours}
    yield from (f"{name} was executed {times} times" for name, times in theirs.matched.items() if times > 1)
    yield from (f"{name} is at the exchange and not on record" for name in theirs.executed if name not in known)
    for attempt in ours:
        if not attempt.is_live:
            yield from _difference(attempt, theirs)
    there = Counter(known[name].order for name, amount in theirs.executed.items() if amount and name in known)
    yield from (f"order {order} was executed by {times} attempts" for order, times in there.items() if times > 1)


def _difference(attempt: OurAttempt, theirs: Theirs) -> Iterator[str]:
    name = attempt.client_order_id
    executed = theirs.executed.get(name, Decimal(0))
    if executed != attempt.executed:
        yield f"{name} executed {executed:f} at the exchange and {attempt.executed:f} on record"
    listed = Counter({trade: times for trade, times in theirs.trades.items() if trade[1] == name})
    if listed != Counter(attempt.trades):
        yield f"the trades of {name} are not those the exchange lists"
