"""What must hold: the production auditor's word, and beside it what only the far ends know for certain."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings

from agents.models import Attempt, AttemptOutcome, Brief, Budget
from competition.core.schedule import market_time
from competition.models import Season, Turn
from competition.services.auditing import report_of, season_findings
from competition.services.auditing_money import budgets_are_the_sums_of_reservations
from portfolio.models import FoundOrder, Order
from tests.schedules.hostile import Accepted
from tests.schedules.invariants import order_against
from tests.simulation.voices import Asked
from tests.simulation.world import World

ONCE_BROKEN = (352, 400, 3290)  # what these seeds found is mended; they are looked at as closely as can be
# An audit takes a schedule a third of its time. What is not divided by kinds of seasons and weathers meets all of them.
WHOLE_EVERY = 31  # schedules, one is audited with the texts of everything
MIDWAY_EVERY = 3  # dozens of schedules, one is audited at the end of a week too, with things under way


class Violation(AssertionError):
    """A schedule broke an invariant; the message is its story."""


def check_safety(world: World) -> None:
    """What holds at any time, whatever goes wrong, at the end of a week with faults. Raises `Violation`."""
    _raise(world, [*(audited(world) if _is_audited_midway(world) else ()), *unsafe(world)])


def _is_audited_midway(world: World) -> bool:
    """Every third dozen of seeds, and whatever lasts for months."""
    return world.seed // 12 % MIDWAY_EVERY == 0 or world.seed in ONCE_BROKEN or world.rules.cycles > 2


def check_end(world: World) -> None:
    """What holds when faults have stopped for long enough: all that is safe, and everything at its end."""
    open_ends = (f"after the calm: {what}" for what in world.open_ends())
    _raise(world, [*open_ends, *audited(world), *unsafe(world), *_orders(world)])


def _raise(world: World, found: list[str]) -> None:
    if found:
        story = "\n".join(world.log[-60:])
        raise Violation("\n".join(found[:8]) + f"\n\nseed {world.seed}, the last of {len(world.log)} lines\n{story}")


def audited(world: World) -> Iterator[str]:
    """The production auditor's word."""
    fresh = Season.objects.get(id=world.season.id)
    if world.is_calm and (world.seed % WHOLE_EVERY == 0 or world.seed in ONCE_BROKEN):
        yield from map(str, report_of([fresh], world.stage.now).findings)
    else:  # without the look through every text of every table, which takes as long as all the rest
        yield from (str(finding) for finding in season_findings(fresh, world.stage.now) if not finding.known)
        yield from budgets_are_the_sums_of_reservations()


def unsafe(world: World) -> Iterator[str]:
    """What the far ends know, and the calendar shows."""
    yield from _out_of_time(world)
    yield from _superseded_that_counted(world.season)
    yield from _beyond_the_rules(world.season)
    yield from _accepted_twice(world)
    yield from _asked_twice(world.voices.log)
    yield from _spent_beyond(world)


def _out_of_time(world: World) -> Iterator[str]:
    """No week begins beyond its late window, and none trades at prices from before its deadline."""
    late = timedelta(seconds=world.rules.late_s)
    numbers = list(world.season.cycles.order_by("number").values_list("number", flat=True))
    if len(set(numbers)) != len(numbers):
        yield f"its weeks are numbered {numbers}"
    for cycle in world.season.cycles.exclude(state="missed").order_by("number"):
        if cycle.opened_at > cycle.due_at + late:
            yield f"week {cycle.number} was opened {cycle.opened_at - cycle.due_at} after it was due"
        if Brief.objects.filter(turn__cycle=cycle, created_at__gte=cycle.deadline_at).exists():
            yield f"week {cycle.number} shows briefs from after its deadline"
        if cycle.trade_as_of is not None and cycle.trade_as_of < market_time(world.rules, cycle.deadline_at):
            yield f"week {cycle.number} trades at prices from before its deadline"


def _superseded_that_counted(season: Season) -> Iterator[str]:
    """An answer does not count once somebody else has been asked in its place."""
    rows = Attempt.objects.filter(brief__turn__cycle__season=season).order_by("brief", "number")
    for before, row in pairwise(rows):
        counted_at = before.ended_at if before.outcome == AttemptOutcome.ANSWERED else None
        if before.brief_id == row.brief_id and counted_at is not None and counted_at > row.started_at:
            yield f"attempt {before.pk} counted although it had been given up for attempt {row.pk}"


def _beyond_the_rules(season: Season) -> Iterator[str]:
    """What is carried out is within the season's list, and no more than everything."""
    for turn in Turn.objects.filter(cycle__season=season, verdict="rebalance").order_by("id"):
        weights = turn.verdict_value().decision.weights  # type: ignore[union-attr]
        if set(weights) - {*season.symbol_book, season.rule_book.quote}:
            yield f"turn {turn.pk} asks for {', '.join(weights)}"
        if sum(weights.values()) > 1 or min(weights.values(), default=0) < 0:
            yield f"turn {turn.pk} asks for {weights}"


def _accepted_twice(world: World) -> Iterator[str]:
    for name, all_of_it in _by_order(world).items():
        accepted = [one for one in all_of_it if one.executed or one.client_order_id not in world.lost]
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
    yield from _take_out_what_was_found(by_order, world.lost)
    orders = {row.client_order_id: row for row in Order.objects.order_by("id")}
    for strange in by_order.keys() - orders.keys():
        yield f"the exchange has {strange}, and we have no such order"
    if world.rules.execution == "testnet":
        for name, row in orders.items():
            yield from order_against(row, by_order[name], is_booked=fills)


def _take_out_what_was_found(by_order: dict[str, list[Accepted]], lost: set[str]) -> Iterator[str]:
    """Orders that belong to no turn any more, since the record was put back: each is a correction, as executed."""
    found = {row.client_order_id: row for row in FoundOrder.objects.booked()}
    for order_id, accepted in list(by_order.items()):
        for one in list(accepted):
            name, kept = one.client_order_id, found.get(one.client_order_id)
            if kept is not None and kept.executed != one.executed:
                yield f"{name} executed {one.executed}, and was found as {kept.executed}"
            if kept is not None and name not in lost:
                yield f"{name} was found, and had never been lost"
            if kept is not None or (name in lost and not one.executed):
                accepted.remove(one)
        if not accepted:
            del by_order[order_id]


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
