"""What must hold of a season's record, however it came about. Each check returns what is wrong, in words."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from agents.models import Attempt, AttemptOutcome
from competition.core.states import TERMINAL_CYCLES, CycleState, TurnState
from competition.models import Season, Standing, Turn
from portfolio.core.book import Book, fold, head_of
from portfolio.core.orders import FINAL_ORDER_STATES, Side
from portfolio.models import Fill, Journal, Order, Portfolio
from portfolio.queries import book_of, journals_of


def faults(season: Season) -> list[str]:
    """Everything that is wrong with the record of a season; empty when it is sound."""
    return [fault for check in CHECKS for fault in check(season)]


def cycles_have_no_holes(season: Season) -> Iterator[str]:
    numbers = list(season.cycles.order_by("number").values_list("number", flat=True))
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"cycles are numbered {numbers}"


def all_but_the_newest_cycle_are_terminal(season: Season) -> Iterator[str]:
    for cycle in season.cycles.order_by("-number")[1:]:
        if cycle.state not in TERMINAL_CYCLES:
            yield f"{cycle} is {cycle.state} although a later one was opened"


def a_closed_cycle_has_every_turn_settled_and_a_whole_board(season: Season) -> Iterator[str]:
    entries = season.entries.count()
    for cycle in season.cycles.filter(state=CycleState.CLOSED):
        settled = cycle.turns.filter(state=TurnState.SETTLED).count()
        standings = Standing.objects.filter(cycle=cycle).count()
        if (settled, standings) != (entries, entries):
            yield f"{cycle} closed with {settled} settled turns and {standings} standings of {entries}"


def nothing_is_traded_without_a_decision(season: Season) -> Iterator[str]:
    deciding = set(
        Turn.objects.filter(cycle__season=season, verdict="rebalance").values_list("entry__portfolio", "cycle__number")
    )
    for order in Order.objects.filter(portfolio__entry__season=season):
        if (order.portfolio_id, order.cycle_number) not in deciding:
            yield f"{order} belongs to no decision"


def every_order_of_a_settled_turn_has_ended(season: Season) -> Iterator[str]:
    settled = set(
        Turn.objects.filter(cycle__season=season, state=TurnState.SETTLED).values_list(
            "entry__portfolio", "cycle__number"
        )
    )
    for order in Order.objects.filter(portfolio__entry__season=season):
        if (order.portfolio_id, order.cycle_number) in settled and order.state not in FINAL_ORDER_STATES:
            yield f"{order} is {order.state} although its turn is settled"


def every_fill_of_a_settled_turn_is_posted_exactly_once(season: Season) -> Iterator[str]:
    posted = Counter(
        Journal.objects.filter(portfolio__entry__season=season, kind="fill").values_list("portfolio", "key")
    )
    settled = set(
        Turn.objects.filter(cycle__season=season, state=TurnState.SETTLED).values_list(
            "entry__portfolio", "cycle__number"
        )
    )
    filled = {
        (fill.order.portfolio_id, f"fill:{fill.symbol}:{fill.trade_id}")
        for fill in Fill.objects.filter(order__portfolio__entry__season=season).select_related("order")
        if (fill.order.portfolio_id, fill.order.cycle_number) in settled
    }
    if set(posted) != filled or any(count != 1 for count in posted.values()):
        yield f"posted {sorted(posted)} but filled {sorted(filled)}"


def every_book_is_the_start_capital_and_the_fills(season: Season) -> Iterator[str]:
    """The book a second way: not from postings, but from what the venue says was executed."""
    for portfolio in Portfolio.objects.filter(entry__season=season):
        amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
        amounts[portfolio.quote] = season.rule_book.capital
        keys = set(Journal.objects.filter(portfolio=portfolio).values_list("key", flat=True))
        for fill in Fill.objects.filter(order__portfolio=portfolio).select_related("order"):
            if f"fill:{fill.symbol}:{fill.trade_id}" not in keys:
                continue
            sign = 1 if fill.order.side == Side.BUY else -1
            amounts[fill.symbol.removesuffix(portfolio.quote)] += sign * fill.quantity
            amounts[portfolio.quote] -= sign * fill.quote_amount
            amounts[fill.fee_asset] -= fill.fee
        expected = Book({asset: amount for asset, amount in sorted(amounts.items()) if amount})
        journals = journals_of(portfolio.id)
        if not (dict(book_of(portfolio.id).balances) == dict(fold(journals).balances) == dict(expected.balances)):
            yield f"{portfolio} holds {book_of(portfolio.id)}, its fills say {expected}"


def every_chain_is_whole(season: Season) -> Iterator[str]:
    for portfolio in Portfolio.objects.filter(entry__season=season):
        rows = list(Journal.objects.filter(portfolio=portfolio).order_by("sequence"))
        if [row.sequence for row in rows] != list(range(1, len(rows) + 1)):
            yield f"{portfolio} has journals {[row.sequence for row in rows]}"
        if rows[-1].hash != head_of(journals_of(portfolio.id)):
            yield f"{portfolio} has a broken chain"


def no_turn_has_more_attempts_than_allowed(season: Season) -> Iterator[str]:
    rules = season.rule_book
    attempts = Counter(Attempt.objects.filter(brief__turn__cycle__season=season).values_list("brief", flat=True))
    for brief, count in attempts.items():
        if count > rules.attempts_max + rules.repairs_max:
            yield f"brief {brief} was offered {count} times"


def a_verdict_of_the_agents_own_rests_on_an_answer(season: Season) -> Iterator[str]:
    for turn in Turn.objects.filter(cycle__season=season, verdict__in=["rebalance", "hold"]):
        if not Attempt.objects.filter(brief=turn.brief_id, outcome=AttemptOutcome.ANSWERED).exists():
            yield f"{turn} is {turn.verdict} without an answer"


CHECKS = (
    cycles_have_no_holes,
    all_but_the_newest_cycle_are_terminal,
    a_closed_cycle_has_every_turn_settled_and_a_whole_board,
    nothing_is_traded_without_a_decision,
    every_order_of_a_settled_turn_has_ended,
    every_fill_of_a_settled_turn_is_posted_exactly_once,
    every_book_is_the_start_capital_and_the_fills,
    every_chain_is_whole,
    no_turn_has_more_attempts_than_allowed,
    a_verdict_of_the_agents_own_rests_on_an_answer,
)
