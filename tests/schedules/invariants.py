"""What must hold after a schedule, by comparing our record with the exchange's own log, wiped or not."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from competition.core.states import TERMINAL_CYCLES
from portfolio.core.order_attempts import AttemptState
from portfolio.core.orders import FINAL_ORDER_STATES
from portfolio.exchange_models import ExchangeTrade, OrderAttempt
from portfolio.models import Fill, Order
from tests.live.audit import faults
from tests.schedules.hostile import Accepted
from tests.schedules.world import World


class Violation(AssertionError):
    """A schedule broke an invariant; the message is its story."""


def check(world: World) -> None:
    """Raise `Violation` with everything that is wrong, and how it came to it."""
    found = list(violations(world))
    if found:
        raise Violation("\n".join(found) + "\n\n" + world.story())


def violations(world: World) -> Iterator[str]:
    yield from _everything_ended(world)
    by_order: dict[str, list[Accepted]] = defaultdict(list)
    for accepted in world.exchange.log:
        by_order[accepted.client_order_id.rsplit("-", 2)[0]].append(accepted)
    orders = {row.client_order_id: row for row in Order.objects.all()}
    for strange in by_order.keys() - orders.keys():
        yield f"the exchange has {strange}, and we have no such order"
    for name, row in orders.items():
        yield from order_against(row, by_order[name], is_booked=world.stage.season.rule_book.fills == "venue")
    yield from faults(world.stage.season, world.stage.now)


def _everything_ended(world: World) -> Iterator[str]:
    for name in world.unresolved():
        yield f"{name} is still open after the calm"
    cycles = world.stage.season.cycles
    if cycles.filter(state__in=TERMINAL_CYCLES).count() != world.weeks:
        yield f"of {world.weeks} weeks {[(c.number, c.state) for c in cycles.all()]} came about"


def order_against(row: Order, accepted: list[Accepted], *, is_booked: bool) -> Iterator[str]:
    name = row.client_order_id
    if len(accepted) > 1:
        yield f"{name} was accepted {len(accepted)} times: {[one.client_order_id for one in accepted]}"
        return
    if row.state not in FINAL_ORDER_STATES:
        yield f"{name} is {row.state} after the calm"
    listed = ExchangeTrade.objects.filter(attempt__order=row)
    ours = sum((trade.quantity for trade in listed), Decimal(0))
    theirs = accepted[0].executed if accepted else Decimal(0)
    wiped = OrderAttempt.objects.filter(order=row, state=AttemptState.WIPED.value).exists()
    forgotten = bool(accepted) and accepted[0].is_wiped and not ours
    if ours != theirs and not forgotten:
        yield f"{name}: the exchange executed {theirs}, and we know of {ours}"
    if forgotten and theirs and not (wiped or _ended_unknown(row)):
        yield f"{name} was executed, wiped, and not told as such"
    if is_booked:
        fills = {(f.trade_id, f.quantity, f.quote_amount, f.fee) for f in Fill.objects.filter(order=row)}
        if fills != {(t.trade_id, t.quantity, t.quote_amount, t.fee) for t in listed}:
            yield f"{name}: its fills are not the trades of the exchange"


def _ended_unknown(row: Order) -> bool:
    """Given up because nothing was left that could show whether the exchange had been wiped."""
    last = row.attempts.order_by("-number").first()
    return last is not None and "nothing is left" in last.reason
