"""Money and boards computed again: reservations, budgets, calls at their price, and every board from its turns."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from agents.core.calls import Usage
from agents.core.pricing import ModelCard, usd_of
from agents.models import Attempt, AttemptOutcome, Call, Charge, Reservation
from competition.core.ranking import StandingRow, rank
from competition.core.season_checks import Tally, board_differences
from competition.core.states import CycleState, TurnState
from competition.models import Cycle, Season, Standing, Turn
from portfolio.core.decisions import VALID_VERDICTS
from portfolio.models import Valuation
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared, PreparedObjects

CHUNK = 500
# What every audit asks, put together once.
_TURNS = Prepared(
    lambda: (
        Turn.objects.filter(cycle=Given("cycle"))
        .annotate(cost=Sum("brief__attempts__cost_usd"))
        .values_list("entry", "traded", "fees", "verdict", "cost")
    )
)
_VALUES = Prepared(
    lambda: (
        Valuation.objects.current()
        .filter(OneOf("portfolio", Given("portfolios")), cycle_number=Given("number"))
        .values_list("portfolio", "value")
    )
)
_BOARD = Prepared(
    lambda: (
        Standing.objects.current()
        .filter(cycle=Given("cycle"))
        .order_by("position")
        .values_list(*("entry__slug" if name == "entry" else name for name in StandingRow.__dataclass_fields__))
    )
)
_RESERVATIONS = Prepared(
    lambda: (
        Reservation.objects.filter(attempt__brief__turn__cycle__season=Given("season"))
        .order_by("id")
        .values_list(
            *("attempt", "attempt__outcome", "attempt__brief__turn__state", "attempt__cost_usd", "usd_charged")
        )
    )
)
_CHARGES = Prepared(
    lambda: (
        Attempt.objects.filter(brief__turn__cycle__season=Given("season"))
        .exclude(reservation=None)
        .annotate(usd=Sum("calls__usd"), tokens=Sum("calls__tokens_charged"))
        .order_by("id")
        .values_list(
            *("pk", "usd", "tokens"),
            *(f"reservation__{name}" for name in ("usd", "tokens", "usd_charged", "tokens_charged")),
        )
    )
)
_CALLS = PreparedObjects(
    lambda: (
        Call.objects.filter(attempt__brief__turn__cycle__season=Given("season"))
        .select_related("price")
        .defer("messages", "reply", "usage_raw")
        .order_by("id")
    )
)


def boards_are_those_of_their_turns(season: Season) -> Iterator[str]:
    """One row for each entry after each closed week, and the same figures when they are added up again."""
    entries = {entry.id: entry for entry in season.entries.order_by("number")}
    tallies = {entry_id: Tally(entry.slug) for entry_id, entry in entries.items()}
    by_portfolio = {entry.portfolio_id: tallies[entry_id] for entry_id, entry in entries.items()}
    _add_values(by_portfolio, 0)
    for cycle in season.cycles.order_by("number").defer("snapshot", "trade_snapshot"):
        _add_turns(tallies, cycle)
        _add_values(by_portfolio, cycle.number)
        found: tuple[StandingRow, ...] = ()
        if cycle.state == CycleState.CLOSED:
            found = rank([tally.result() for tally in tallies.values()], season.rule_book)
        yield from board_differences(cycle.number, _stored_board(cycle), found)


def _add_turns(tallies: dict[int, Tally], cycle: Cycle) -> None:
    for entry_id, traded, fees, verdict, cost in _TURNS.rows(cycle=cycle.id):
        tally = tallies[entry_id]
        tally.traded += traded
        tally.fees += fees
        tally.ai_cost += cost or Decimal(0)
        tally.due += 1
        tally.valid += verdict in VALID_VERDICTS


def _add_values(by_portfolio: dict[int, Tally], number: int) -> None:
    for portfolio_id, value in _VALUES.rows(portfolios=list(by_portfolio), number=number):
        by_portfolio[portfolio_id].values.append(value)


def _stored_board(cycle: Cycle) -> list[StandingRow]:
    return [StandingRow(*row) for row in _BOARD.rows(cycle=cycle.id)]


def reservations_end_with_their_attempt(season: Season) -> Iterator[str]:
    """What was set aside is settled as soon as nobody waits for the reply any more, and is what the attempt cost."""
    for pk, outcome, state, cost, charged in _RESERVATIONS.each(CHUNK, season=season.id):
        is_awaited = outcome == AttemptOutcome.PENDING and state == TurnState.ASKING
        if charged is None and not is_awaited:
            yield f"attempt {pk} is over, and what was set aside for it is not settled"
        if charged is not None and cost != charged:
            yield f"attempt {pk} cost {cost} USD, and {charged} were charged"


def charges_are_the_sum_of_their_calls(season: Season) -> Iterator[str]:
    """Where a runner accounted for its calls; otherwise all that was set aside was charged."""
    for pk, usd, tokens, held_usd, held_tokens, usd_charged, tokens_charged in _CHARGES.each(CHUNK, season=season.id):
        if usd_charged is None:
            continue
        charged, summed = (usd_charged, tokens_charged), (usd or Decimal(0), tokens or 0)
        if charged not in (summed, (held_usd, held_tokens)):
            yield f"attempt {pk} was charged {usd_charged} USD, and its calls come to {summed[0]}"


def calls_cost_tokens_times_price(season: Season) -> Iterator[str]:
    """A call charged by usage costs that at its price, or less when no more was left; one charged nothing, nothing."""
    for call in _CALLS.each(CHUNK, season=season.id):
        wanted = _cost_of(call)
        if wanted is None or (call.tokens_charged, call.usd) == wanted:
            continue
        is_all_there_was = call.charge == Charge.USAGE and call.tokens_charged <= wanted[0] and call.usd <= wanted[1]
        if not (is_all_there_was and _exhausted(call)):
            yield f"call {call.pk} was charged {call.usd} USD, and its tokens at its price come to {wanted[1]}"


def _cost_of(call: Call) -> tuple[int, Decimal] | None:
    """Tokens and USD by the call's own figures; None when it was charged the worst, whatever it used."""
    if call.charge == Charge.NOTHING:
        return 0, Decimal(0)
    if call.charge == Charge.WORST or call.price is None or call.prompt_tokens is None:
        return None
    usage = Usage(prompt=call.prompt_tokens, completion=call.completion_tokens or 0, cached=call.cached_tokens or 0)
    prices = {name: getattr(call.price, name) for name in ("prompt_usd", "completion_usd", "cached_usd")}
    card = ModelCard(model=call.price.model, price_id=call.price.pk, **prices)
    return usage.total, usd_of(usage, card)


def _exhausted(call: Call) -> bool:
    """Whether the calls of its attempt together have used up all that was set aside, in tokens or in USD."""
    held = Reservation.objects.filter(attempt=call.attempt_id).first()
    used = Call.objects.filter(attempt=call.attempt_id).aggregate(tokens=Sum("tokens_charged"), usd=Sum("usd"))
    return held is not None and (used["tokens"] == held.tokens or used["usd"] == held.usd)


# In the database, because one account can count for every attempt of a season. A scope without a row has spent nothing.
_ACCOUNTS = """
SELECT coalesce(budget.scope, summed.scope), budget.tokens_reserved, summed.tokens_reserved,
    budget.tokens_spent, summed.tokens_spent, budget.usd_reserved, summed.usd_reserved,
    budget.usd_spent, summed.usd_spent, budget.tokens_cap, budget.usd_cap
FROM agents_budget AS budget FULL JOIN (
    SELECT scope,
        sum(CASE WHEN settled_at IS NULL THEN tokens ELSE 0 END) AS tokens_reserved,
        sum(coalesce(tokens_charged, 0)) AS tokens_spent,
        sum(CASE WHEN settled_at IS NULL THEN usd ELSE 0 END) AS usd_reserved,
        sum(coalesce(usd_charged, 0)) AS usd_spent
    FROM agents_reservation, jsonb_array_elements_text(scopes) AS scope GROUP BY scope
) AS summed ON summed.scope = budget.scope
ORDER BY 1
"""


def budgets_are_the_sums_of_reservations() -> Iterator[str]:
    """What is reserved and spent in every account, added up again; and neither beyond its cap."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ACCOUNTS)
        while rows := cursor.fetchmany(CHUNK):
            for scope, *figures in rows:
                yield from _account(scope, figures)


def _account(scope: str, figures: list[Any]) -> Iterator[str]:
    *pairs, tokens_cap, usd_cap = figures
    names = ("tokens reserved", "tokens spent", "USD reserved", "USD spent")
    amounts = [amount or 0 for amount in pairs]
    for name, stored, summed in zip(names, amounts[::2], amounts[1::2], strict=True):
        if stored != summed:
            yield f"{scope} has {stored} {name}, and its attempts come to {summed}"
    for cap, used, unit in ((tokens_cap, amounts[0] + amounts[2], "tokens"), (usd_cap, amounts[4] + amounts[6], "USD")):
        if cap is not None and used > cap:
            yield f"{scope} may use {cap} {unit}, and {used} are reserved or spent"
