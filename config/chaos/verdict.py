"""What must hold when all is calm again, and what was counted on the way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from django.utils import timezone

from competition.core.states import TERMINAL_CYCLES, SeasonState
from competition.models import Season, Turn
from competition.services.auditing import audit
from competition.services.reconciling import reconcile_account
from config.chaos.exchange_log import OurAttempt, Theirs, differences
from portfolio.core.order_attempts import EXECUTED, LIVE
from portfolio.exchange_models import OrderAttempt
from portfolio.models import Journal, Order


def what_does_not_hold(season: Season, theirs: Theirs, *, all_resolved: bool) -> Iterator[str]:
    """Every violation in words. `all_resolved` says that no order may be of unknown outcome any more."""
    yield from _cycles(season)
    found = audit(timezone.now)
    told = [
        f"audit: {one['invariant']} {one['subject']}: {one['sentence']}" for one in found.findings if not one["known"]
    ]
    yield from told
    if found.findings_count > len(told):
        yield from ["audit: and more like these"] * (found.findings_count - len(told))
    looked = reconcile_account(timezone.now)
    if looked.trouble:
        yield f"the account could not be looked at: {looked.trouble}"
    yield from (f"account: {kind} {subject}: {sentence}" for kind, subject, sentence in looked.findings)
    yield from (f"exchange: {sentence}" for sentence in differences(tuple(_our_attempts()), theirs))
    live = OrderAttempt.objects.filter(state__in=[state.value for state in LIVE]).count()
    if all_resolved and live:
        yield f"{live} orders are of unknown outcome, long after they must have been resolved"


def _cycles(season: Season) -> Iterator[str]:
    season.refresh_from_db()
    if season.state != SeasonState.CLOSED:
        yield f"the season is {season.state} after its calendar has ended"
    numbers = list(season.cycles.order_by("number").values_list("number", flat=True))
    if numbers != list(range(1, season.rule_book.cycles + 1)):
        yield f"weeks {numbers} are on record, not 1 to {season.rule_book.cycles}"
    for number, state in season.cycles.order_by("number").values_list("number", "state"):
        if state not in TERMINAL_CYCLES:
            yield f"week {number} is still {state}"


def _our_attempts() -> Iterator[OurAttempt]:
    for row in OrderAttempt.objects.select_related("order").prefetch_related("trades").order_by("id"):
        trades = tuple(
            (trade.symbol, row.client_order_id, trade.price, trade.quantity, trade.fee, trade.fee_asset)
            for trade in row.trades.all()
        )
        executed = row.executed or Decimal(0)
        yield OurAttempt(row.client_order_id, row.order.client_order_id, row.is_live, executed, trades)


def counts(season: Season) -> Mapping[str, int]:
    """What was played, in words for the page."""
    states = Counter(season.cycles.values_list("state", flat=True))
    turns = Counter(Turn.objects.filter(cycle__season=season).values_list("verdict", flat=True))
    attempts = Counter(OrderAttempt.objects.values_list("state", flat=True))
    return {
        "cycles ended": sum(states[state.value] for state in TERMINAL_CYCLES),
        **{f"cycles {state}": states[state] for state in ("closed", "held", "missed")},
        "turns": turns.total(),
        "orders": Order.objects.count(),
        "orders executed at the exchange": sum(attempts[state.value] for state in EXECUTED),
        "orders of unknown outcome at the end": sum(attempts[state.value] for state in LIVE),
        "journals": Journal.objects.count(),
    }
