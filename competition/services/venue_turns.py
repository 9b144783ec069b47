"""The turns whose orders go to the account at the exchange, as whoever recovers lost orders asks for them."""

from collections.abc import Mapping
from datetime import datetime

from competition.core.states import SeasonState, TurnState
from competition.models import Season, Turn
from competition.services.venue_account import is_here
from portfolio.core.decisions import VerdictKind

GOES_ON = frozenset({TurnState.DECIDED, TurnState.PROVISIONAL})


class TurnsAtVenue:
    """All seasons that execute there, open or closed: the last week of one may have been lost as well as any."""

    def portfolios(self) -> Mapping[int, bool]:
        """Their portfolios by id, and whether the exchange's fills move the ledger there."""
        seasons = Season.objects.exclude(state=SeasonState.DRAFT.value).filter(rules__execution="testnet")
        return {
            portfolio_id: season.rule_book.fills == "venue"
            for season in seasons.order_by("id")
            if is_here(season.rule_book)
            for portfolio_id in season.entries.order_by("number").values_list("portfolio_id", flat=True)
        }

    def decided_at(self, portfolio_id: int, cycle_number: int) -> datetime | None:
        """When the decision was made whose orders are still to be carried out; proofs of orders on paper always are."""
        turns = Turn.objects.filter(entry__portfolio=portfolio_id, cycle__number=cycle_number)
        turn = turns.select_related("cycle__season").filter(verdict=VerdictKind.REBALANCE.value).first()
        if turn is None:
            return None
        goes_on = turn.state in GOES_ON or turn.cycle.season.rule_book.fills != "venue"
        return turn.decided_at if goes_on else None
