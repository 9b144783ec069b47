"""The evidence of a turn: what the entry was shown, every reply verbatim, what counted, and what came of it."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.urls import reverse

from agents.models import Attempt, AttemptOutcome, Brief, Call
from competition.models import Cycle, Season, Turn
from competition.pages import text
from competition.pages.called import LONG_FIELDS, CallLine, call_lines, exact_usd
from competition.pages.executed import (
    BookLine,
    OrderView,
    PriceList,
    SkippedView,
    book_lines,
    book_shown,
    order_views,
)
from competition.pages.figures import NOTHING, Moment, duration, moment, money, percent
from competition.pages.frame import Link, NotThere
from competition.pages.holdings import prices_at
from competition.pages.names import EntryName, name_of
from competition.pages.provisional import proofs_of
from competition.pages.words import Deed, Mark, deed_of
from market.core.canonical import canonical_json
from portfolio.models import Fill, Order

OUTCOME_MARKS: Mapping[str, tuple[str, str, str]] = {
    AttemptOutcome.PENDING: ("Waiting", "half", "running"),
    AttemptOutcome.ANSWERED: ("Answered", "diamond", "acted"),
    AttemptOutcome.NO_ANSWER: ("No answer", "ring", "failed"),
    AttemptOutcome.LATE: ("Too late to count", "ring", "failed"),
}
GIVEN_UP = ("Given up", "ring", "failed")
NOBODY_HEARD = "whoever waited for the reply was gone"


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One offering of the brief. `told` is what was wrong with the reply before; `left_off` counts characters left off.

    `calls` are what it asked of models; `truncated` is true when the reply was cut off, so that it does not count.
    """

    number: int
    mark: Mark
    at: Moment
    took: str
    reason: str
    told: tuple[str, ...]
    reply: str
    left_off: int
    truncated: bool
    cost: str
    calls: tuple[CallLine, ...]


@dataclass(frozen=True, slots=True)
class WeightLine:
    """A target weight of the decision beside the weight held when it was made."""

    name: str
    held: str
    wanted: str


@dataclass(frozen=True, slots=True)
class TurnView:
    """Everything on record of one entry in one cycle."""

    entry: EntryName
    number: int
    deed: Deed
    brief_sha256: str
    own_brief: str
    attempts: tuple[AttemptView, ...]
    violations: tuple[tuple[str, str], ...]
    unwrapped: tuple[str, ...]
    rationale: str
    confidence: str
    weights: tuple[WeightLine, ...]
    orders: tuple[OrderView, ...]
    skipped: tuple[SkippedView, ...]
    book: tuple[BookLine, ...]
    value_before: str
    value_after: str
    traded: str
    fees: str
    ai_cost: str
    trade_reason: str


@dataclass(frozen=True, slots=True)
class TurnPage:
    """A turn by itself; `earlier` and `later` are the weeks beside it in which the entry had a turn too."""

    week: int
    weeks: int
    turn: TurnView
    quote: str
    earlier: int | None
    later: int | None


def turn_page(cycle: Cycle, slug: str) -> TurnPage:
    """Everything on record of one entry in a cycle: six queries. Raises `NotThere` for who had no turn in it."""
    rules, number = cycle.season.rule_book, cycle.number
    turn = turn_rows(cycle).filter(entry__slug=slug).first()
    if turn is None:
        links = [Link(reverse("cycle", args=[cycle.season.slug, number]), f"Week {number}")]
        raise NotThere("Nobody of this name had a turn in that week.", links)
    orders = orders_of([turn.entry.portfolio_id], number)[turn.entry.portfolio_id]
    at = PriceList(cycle.season.symbol_book, prices_at(cycle), rules.quote)
    beside = Turn.objects.filter(entry=turn.entry_id, cycle__number__in=(number - 1, number + 1))
    numbers = set(beside.values_list("cycle__number", flat=True))
    return TurnPage(
        week=number,
        weeks=rules.cycles,
        turn=_view(turn, orders, at, proofs_of(cycle.season, [order.id for order, _ in orders])),
        quote=rules.quote,
        earlier=number - 1 if number - 1 in numbers else None,
        later=number + 1 if number + 1 in numbers else None,
    )


def turn_rows(cycle: Cycle) -> QuerySet[Turn]:
    """The turns of a cycle by number of their entry, with brief, attempts and calls: three queries."""
    attempts = Prefetch("brief__attempts", Attempt.objects.defer("deliberation"))
    calls = Prefetch("brief__attempts__calls", Call.objects.defer(*LONG_FIELDS))
    rows = Turn.objects.filter(cycle=cycle).select_related("entry__agent", "brief")
    return rows.prefetch_related(attempts, calls).order_by("entry__number")


def brief_text(season: Season, number: int, slug: str) -> str:
    """A brief as the canonical text its hash was taken of; raises `NotThere`."""
    turns = Turn.objects.filter(cycle__season=season, cycle__number=number, entry__slug=slug)
    content = Brief.objects.filter(turn__in=turns).values_list("content", flat=True).first()
    if content is None:
        raise NotThere("There is no brief of this entry for this week.")
    return canonical_json(content)


def orders_of(portfolio_ids: list[int], cycle_number: int) -> defaultdict[int, list[tuple[Order, list[Fill]]]]:
    """Each portfolio's orders in one cycle with their fills, as they were placed: two queries."""
    rows = Order.objects.filter(portfolio__in=portfolio_ids, cycle_number=cycle_number)
    orders: defaultdict[int, list[tuple[Order, list[Fill]]]] = defaultdict(list)
    for order in rows.prefetch_related("fills").order_by("client_order_id"):
        orders[order.portfolio_id].append((order, sorted(order.fills.all(), key=lambda fill: fill.id)))
    return orders


def _view(turn: Turn, orders: list[tuple[Order, list[Fill]]], at: PriceList, proofs: Mapping[int, str]) -> TurnView:
    content = turn.brief.content
    attempts = sorted(turn.brief.attempts.all(), key=lambda attempt: attempt.number)
    confidence = turn.decision["confidence"] if turn.decision else None
    traded: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order, fills in orders:
        for fill in fills:
            traded[order.side, order.symbol] += fill.quote_amount
    return TurnView(
        entry=name_of(turn.entry),
        number=turn.entry.number,
        deed=deed_of(turn, traded, at.quote),
        brief_sha256=turn.brief.sha256,
        own_brief=_own_part(content),
        attempts=tuple(_attempt(attempt, turn) for attempt in attempts),
        violations=tuple((text.line(v["rule"]).replace("_", " "), text.detail(v["detail"])) for v in turn.violations),
        unwrapped=tuple(text.line(note) for note in turn.unwrapped),
        rationale=text.visible(turn.decision["rationale"]) if turn.decision else "",
        confidence=percent(Decimal(confidence), 0) if confidence is not None else "",
        weights=_weights(turn, content["portfolio"], at.quote),
        orders=order_views(orders, proofs),
        skipped=tuple(SkippedView.of(skip) for skip in turn.skipped),
        book=book_lines(turn, book_shown(content["portfolio"], at), orders, at),
        value_before=_amount(turn.value_before),
        value_after=_amount(turn.value_after),
        traded=money(turn.traded),
        fees=money(turn.fees),
        ai_cost=money(sum((attempt.cost_usd for attempt in attempts), Decimal(0)), 4),
        trade_reason=text.detail(turn.trade_reason),
    )


def _own_part(content: Mapping[str, Any]) -> str:
    """The brief without the market part, which is the same for all and shown once."""
    own = {name: part for name, part in content.items() if name != "market"}
    return text.visible(json.dumps(own, indent=2, ensure_ascii=False, sort_keys=True))


def _attempt(attempt: Attempt, turn: Turn) -> AttemptView:
    reply, left_off = text.reply(attempt.reply)
    given_up = attempt.outcome == AttemptOutcome.PENDING and bool(turn.verdict)
    return AttemptView(
        number=attempt.number,
        mark=Mark(*(GIVEN_UP if given_up else OUTCOME_MARKS[attempt.outcome])),
        at=moment(attempt.started_at),
        took=_took(attempt),
        reason=NOBODY_HEARD if given_up else text.line(attempt.reason),
        told=tuple(text.detail(objection["detail"]) for objection in attempt.objections),
        reply=reply,
        left_off=left_off,
        truncated=attempt.truncated,
        cost=exact_usd(attempt.cost_usd),
        calls=call_lines(attempt.calls.all()),
    )


def _took(attempt: Attempt) -> str:
    if attempt.ended_at is None:
        return ""
    length = attempt.ended_at - attempt.started_at
    return duration(length) if length >= timedelta(seconds=1) else "under a second"


def _weights(turn: Turn, portfolio: Mapping[str, Any], quote: str) -> tuple[WeightLine, ...]:
    wanted = turn.decision["weights"] if turn.decision else {}
    if not wanted:
        return ()
    held = {name: holding["weight"] for name, holding in portfolio["holdings"].items()}
    held[quote] = portfolio["cash_weight"]
    shares = {name: Decimal(share) for name, share in wanted.items()}
    left = 1 - sum((share for name, share in shares.items() if name != quote), Decimal(0))
    rest = percent(left) if left < 0 else "the rest"
    names = sorted(held.keys() | shares.keys(), key=lambda name: (-shares.get(name, Decimal(0)), name))
    return tuple(
        WeightLine(
            text.line(name),
            percent(Decimal(held.get(name, 0))),
            percent(shares[name]) if name in shares else (rest if name == quote else percent(Decimal(0))),
        )
        for name in names
    )


def _amount(value: Decimal | None) -> str:
    return NOTHING if value is None else money(value)
