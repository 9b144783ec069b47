"""A cycle: its stages, and for each entry what it decided, why, what was ordered, filled and paid."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from competition.api.answers import reads
from competition.api.boards import Who
from competition.api.envelope import Instant, Number, Part, Provenance, Sha256, Success
from competition.api.sources import provenance
from competition.api.wishes import CycleNumber, MaybeCount, MaybeSlug, SeasonWish, optional, season_of
from competition.models import Cycle, Turn
from competition.pages.cycles import cycle_numbered
from competition.pages.entries import entry_named
from competition.pages.turns import orders_of, turn_rows
from competition.pages.words import rationale_of
from portfolio.models import Fill, Order

router = Router(tags=["Board"])


class FillPart(Part):
    at: Instant
    quantity: Number
    price: Number
    amount: Number
    fee: Number
    fee_asset: str


class OrderPart(Part):
    id: str
    side: str
    symbol: str
    quantity: Number
    reference_price: Number
    state: str
    reason: str
    fills: tuple[FillPart, ...]


class ViolationPart(Part):
    rule: str
    detail: str


class AttemptPart(Part):
    """One offering of the brief; `reply` is verbatim what came back. Text of models is data: escape it."""

    number: int
    outcome: str
    reason: str
    reply: str
    is_truncated: bool
    started_at: Instant
    ended_at: Instant | None
    cost_usd: Number
    calls: tuple[int, ...] = Field(description="ids; /calls/{id}/call.json has each in full")


class TurnPart(Part):
    """One entry in one cycle. `verdict` is empty until one stands; `weights` are what the decision asked for."""

    entry: Who
    state: str
    verdict: str
    verdict_reason: str
    weights: dict[str, Number] | None
    confidence: Number | None
    rationale: str = Field(description="the entry's own words")
    violations: tuple[ViolationPart, ...]
    brief_sha256: Sha256
    attempts: tuple[AttemptPart, ...]
    orders: tuple[OrderPart, ...]
    value_before: Number | None
    value_after: Number | None
    traded: Number
    fees: Number
    cost_usd: Number
    trade_reason: str


class CycleData(Part):
    """Turns are in the order of the entries' numbers. Give `next` as `after` for those behind them; null at the end."""

    provenance: Provenance
    number: int
    cycles: int
    state: str
    is_late: bool
    reason: str
    due_at: Instant
    opened_at: Instant
    as_of: Instant
    deadline_at: Instant
    trade_as_of: Instant | None
    closed_at: Instant | None
    snapshot_sha256: Sha256 | None
    trade_snapshot_sha256: Sha256 | None
    turns: tuple[TurnPart, ...]
    next: int | None


class CycleWish(SeasonWish):
    entry: MaybeSlug = optional(description="only the turn of this entry")
    after: MaybeCount = optional(description="the `next` of the page before")
    limit: int = Field(20, ge=1, le=40)


@router.get(
    "/cycles/{number}", response=reads(Success[CycleData]), operation_id="cycle", summary="One cycle, turn by turn"
)
def cycle(request: HttpRequest, number: CycleNumber, wish: Query[CycleWish]) -> Any:
    """Everything on record of a cycle but the briefs, which are at /s/{season}/c/{number}/e/{entry}/brief.json."""
    season = season_of(wish)
    found = cycle_numbered(season, number)
    rows = turn_rows(found).defer("brief__content", "brief__holdings")
    if wish.entry:
        rows = rows.filter(entry=entry_named(season, wish.entry))
    turns = list((rows if wish.after is None else rows.filter(entry__number__gt=wish.after))[: wish.limit + 1])
    return Success[CycleData](
        data=CycleData(
            provenance=provenance(season, found.trade_as_of),
            cycles=season.rule_book.cycles,
            snapshot_sha256=found.snapshot.sha256 if found.snapshot else None,
            trade_snapshot_sha256=found.trade_snapshot.sha256 if found.trade_snapshot else None,
            turns=_turns(found, turns[: wish.limit]),
            next=turns[wish.limit - 1].entry.number if len(turns) > wish.limit else None,
            **{name: getattr(found, name) for name in _SAME_NAME},
        )
    )


_SAME_NAME = (
    *("number", "state", "is_late", "reason", "due_at", "opened_at", "as_of", "deadline_at", "trade_as_of"),
    "closed_at",
)


def _turns(cycle: Cycle, turns: Sequence[Turn]) -> tuple[TurnPart, ...]:
    orders = orders_of([turn.entry.portfolio_id for turn in turns], cycle.number)
    return tuple(_turn(turn, orders[turn.entry.portfolio_id]) for turn in turns)


def _turn(turn: Turn, orders: Sequence[tuple[Order, Sequence[Fill]]]) -> TurnPart:
    decision = turn.decision or {}
    attempts = sorted(turn.brief.attempts.all(), key=lambda attempt: attempt.number)
    return TurnPart(
        entry=Who.of(turn.entry),
        state=turn.state,
        verdict=turn.verdict,
        verdict_reason=turn.verdict_reason,
        weights=decision.get("weights"),
        confidence=decision.get("confidence"),
        rationale=rationale_of(turn),
        violations=tuple(ViolationPart(**violation) for violation in turn.violations),
        brief_sha256=turn.brief.sha256,
        attempts=tuple(_attempt(attempt) for attempt in attempts),
        orders=tuple(_order(order, fills) for order, fills in orders),
        value_before=turn.value_before,
        value_after=turn.value_after,
        traded=turn.traded,
        fees=turn.fees,
        cost_usd=sum((attempt.cost_usd for attempt in attempts), Decimal(0)),
        trade_reason=turn.trade_reason,
    )


def _attempt(attempt: Any) -> AttemptPart:
    calls = sorted(attempt.calls.all(), key=lambda call: call.position)
    return AttemptPart(
        number=attempt.number,
        outcome=attempt.outcome,
        reason=attempt.reason,
        reply=attempt.reply,
        is_truncated=attempt.truncated,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        cost_usd=attempt.cost_usd,
        calls=tuple(call.id for call in calls),
    )


def _order(order: Order, fills: Sequence[Fill]) -> OrderPart:
    return OrderPart(
        id=order.client_order_id,
        side=order.side,
        symbol=order.symbol,
        quantity=order.quantity,
        reference_price=order.reference_price,
        state=order.state,
        reason=order.reason,
        fills=tuple(
            FillPart(
                at=fill.at,
                quantity=fill.quantity,
                price=fill.price,
                amount=fill.quote_amount,
                fee=fill.fee,
                fee_asset=fill.fee_asset,
            )
            for fill in fills
        ),
    )
