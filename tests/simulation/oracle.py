"""What must hold: the production auditor's word, and beside it what only the far ends know for certain."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from agents.models import Budget
from competition.models import Season
from competition.services.auditing import report_of
from portfolio.models import Order
from tests.schedules.hostile import Accepted
from tests.schedules.invariants import order_against
from tests.simulation.voices import Asked
from tests.simulation.world import World


class Violation(AssertionError):
    """A schedule broke an invariant; the message is its story."""


def check_safety(world: World) -> None:
    """What holds at any time, whatever goes wrong. Raises `Violation`."""
    _raise(world, list(unsafe(world)))


def check_end(world: World) -> None:
    """What holds when faults have stopped for long enough: all that is safe, and everything at its end."""
    _raise(world, [*(f"after the calm: {what}" for what in world.open_ends()), *unsafe(world), *_orders(world)])


def _raise(world: World, found: list[str]) -> None:
    if found:
        story = "\n".join(world.log[-60:])
        raise Violation("\n".join(found[:8]) + f"\n\nseed {world.seed}, the last of {len(world.log)} lines\n{story}")


def unsafe(world: World) -> Iterator[str]:
    fresh = Season.objects.get(id=world.season.id)
    yield from (str(finding) for finding in report_of([fresh], world.stage.now).findings)
    yield from _accepted_twice(world)
    yield from _asked_twice(world.voices.log)
    yield from _spent_beyond(world)


def _accepted_twice(world: World) -> Iterator[str]:
    for name, accepted in _by_order(world).items():
        if len(accepted) > 1:
            yield f"{name} was accepted {len(accepted)} times: {[one.client_order_id for one in accepted]}"


def _by_order(world: World) -> dict[str, list[Accepted]]:
    by_order: dict[str, list[Accepted]] = defaultdict(list)
    for accepted in world.exchange.log:
        by_order[accepted.client_order_id.rsplit("-", 2)[0]].append(accepted)
    return by_order


def _orders(world: World) -> Iterator[str]:
    """Each order of ours beside what the exchange truly did."""
    by_order, fills = _by_order(world), world.rules.fills == "venue"
    orders = {row.client_order_id: row for row in Order.objects.order_by("id")}
    for strange in by_order.keys() - orders.keys():
        yield f"the exchange has {strange}, and we have no such order"
    if world.rules.execution == "testnet":
        for name, row in orders.items():
            yield from order_against(row, by_order[name], is_booked=fills)


def _asked_twice(log: list[Asked]) -> Iterator[str]:
    """Nobody is asked while somebody is still waited for about the same brief."""
    last: dict[tuple[str, str], Asked] = {}
    for asked in log:
        before = last.get((asked.agent, asked.brief))
        if before is not None and asked.at < before.until and (before.over_at is None or before.over_at > asked.at):
            yield f"{asked.agent} is asked at {_at(asked.at)} and was asked the same at {_at(before.at)}"
        last[asked.agent, asked.brief] = asked


def _at(when: datetime) -> str:
    return f"{when:%m-%d %H:%M:%S}"


def _spent_beyond(world: World) -> Iterator[str]:
    """What models truly used of an agent's day, by their own count, is within what the operator allows."""
    used: dict[tuple[str, str], int] = defaultdict(int)
    for asked in world.voices.log:
        used[asked.agent, f"{asked.at:%Y-%m-%d}"] += asked.tokens
    for (agent, day), tokens in sorted(used.items()):
        if tokens > settings.DAILY_TOKEN_BUDGET:
            yield f"{agent} used {tokens} tokens on {day}, and may use {settings.DAILY_TOKEN_BUDGET}"
    open_scopes = Budget.objects.filter(tokens_reserved__gt=0) if world.is_calm else Budget.objects.none()
    for scope in open_scopes.values_list("scope", flat=True):
        yield f"{scope} has tokens set aside after the calm"
