"""What a schedule asks of the record at every look: how far a week is, what is due next, what is still open."""

from datetime import datetime

from competition.core.states import TERMINAL_CYCLES, TurnState
from competition.models import Cycle, Season, Turn
from competition.services import executing
from portfolio.core.order_attempts import LIVE
from portfolio.exchange_models import OrderAttempt
from portfolio.prepared import Given, Prepared

_WEEK = Prepared(
    lambda: Cycle.objects.filter(season=Given("season"), number=Given("number")).values_list("state", "deadline_at")
)
_STATES = Prepared(lambda: Cycle.objects.filter(season=Given("season")).order_by("number").values_list("state"))
_DUE = Prepared(
    lambda: OrderAttempt.objects.filter(due_at__gt=Given("now")).order_by("due_at").values_list("due_at")[:1]
)
_LIVE = Prepared(lambda: OrderAttempt.objects.filter(state__in=LIVE).order_by("id").values_list("client_order_id"))
_PROVISIONAL = Prepared(
    lambda: (
        Turn.objects.filter(state=TurnState.PROVISIONAL.value)
        .order_by("id")
        .values_list("entry__slug", "cycle__number")
    )
)


class Looks:
    """Looks at one season, the only one of its scratch database."""

    def __init__(self, season: Season) -> None:
        self._season_id = season.id
        self._is_at_the_exchange = season.rule_book.execution == "testnet"
        self._open_orders = Prepared(lambda: executing.open_orders(season).values_list("client_order_id"))

    def week(self, number: int) -> tuple[str, datetime | None]:
        """State and deadline for replies of a week; no state and no deadline before it is opened."""
        rows = _WEEK.rows(season=self._season_id, number=number)
        return rows[0] if rows else ("", None)

    def weeks_ended(self) -> int:
        """How many weeks have come to their end."""
        return sum(state in TERMINAL_CYCLES for (state,) in _STATES.rows(season=self._season_id))

    def next_due(self, now: datetime) -> datetime | None:
        """When the next attempt is to be asked for."""
        rows = _DUE.rows(now=now)
        return rows[0][0] if rows else None

    def unresolved(self) -> list[str]:
        """What is still open: attempts and orders by id, turns by name."""
        turns = [f"{entry} in week {number}" for entry, number in _PROVISIONAL.rows()]
        if not self._is_at_the_exchange:
            return turns
        return [client_order_id for (client_order_id,) in (*_LIVE.rows(), *self._open_orders.rows())] + turns
