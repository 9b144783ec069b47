"""What of a board may still change, what was changed after its cycle had closed, and what the exchange did."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from competition.core.states import TurnState
from competition.models import Cycle, Season
from competition.pages.figures import moment, price, quantity
from competition.pages.text import detail, line
from portfolio.core.order_attempts import EXECUTED
from portfolio.exchange_models import OrderAttempt

REVISIONS_MAX = 10
_WHERE = {"testnet": "on the testnet", "double": "at the simulated exchange"}


def board_notes(season: Season, cycle: Cycle | None) -> tuple[str, ...]:
    """That a board is provisional, and its revisions, in sentences. No query where fills cannot come late."""
    if cycle is None or season.rule_book.fills != "venue":
        return ()
    waiting = cycle.turns.filter(state=TurnState.PROVISIONAL.value).select_related("entry").order_by("entry__number")
    notes = [
        f"Provisional: {line(turn.entry.slug)} waits for the outcome of an order, and this board may be written again."
        for turn in waiting
    ]
    for row in cycle.revisions.order_by("-number")[:REVISIONS_MAX]:
        notes.append(f"Revision {row.number} of {moment(row.at).text} UTC: {detail(row.reason)}.")
    return tuple(notes)


def proofs_of(season: Season, order_ids: Sequence[int]) -> Mapping[int, str]:
    """What became of orders at the exchange, in words, by order; one query, and none for seasons on paper."""
    if season.rule_book.execution != "testnet" or not order_ids:
        return {}
    rows = OrderAttempt.objects.filter(order__in=order_ids).order_by("order", "number")
    where = _WHERE[season.rule_book.exchange]
    return {row.order_id: f"{where}: {_told(row)}" for row in rows}  # the last attempt of each


def _told(row: OrderAttempt) -> str:
    if row.state not in EXECUTED:
        return f"{row.state.replace('_', ' ')}" + (f", {line(row.reason)}" if row.reason else "")
    executed, moved = row.executed or Decimal(1), row.quote_amount or Decimal(0)
    off = row.deviation_bps or Decimal(0)
    apart = "at the reference price" if not off else f"{abs(off) / 100:.4f}% {'worse' if off > 0 else 'better'}"
    return f"{quantity(executed)} at {price(moved / executed)}, {apart}"
