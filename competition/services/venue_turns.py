"""The turns whose orders go to the account at the exchange, as whoever recovers lost orders asks for them."""

from collections.abc import Mapping
from datetime import datetime

from competition.core.schedule import trading_ends
from competition.core.states import SeasonState, TurnState
from competition.models import Season, Turn
from competition.services.venue_account import is_here
from market.core.symbols import Symbol
from portfolio.core.decisions import VerdictKind
from portfolio.models import Order

GOES_ON = frozenset({TurnState.DECIDED, TurnState.PROVISIONAL})


class TurnsAtVenue:
    """All seasons that execute there, open or closed: the last week of one may have been lost as well as any."""

    def seasons(self) -> list[Season]:
        """Those seasons, as far as this process speaks to their exchange."""
        seasons = Season.objects.exclude(state=SeasonState.DRAFT.value).filter(rules__execution="testnet")
        return [season for season in seasons.order_by("id") if is_here(season.rule_book)]

    def portfolios(self) -> Mapping[int, Mapping[str, Symbol] | None]:
        """Their portfolios by id, with the symbols of those whose ledger moves by what is filled there."""
        return {
            portfolio_id: season.symbol_book if season.rule_book.fills == "venue" else None
            for season in self.seasons()
            for portfolio_id in season.entries.order_by("number").values_list("portfolio_id", flat=True)
        }

    def decided_at(self, portfolio_id: int, cycle_number: int, now: datetime) -> datetime | None:
        """When the decision was made whose orders are still to be carried out; proofs of orders on paper always are."""
        turns = Turn.objects.filter(entry__portfolio=portfolio_id, cycle__number=cycle_number)
        turn = turns.select_related("cycle__season").filter(verdict=VerdictKind.REBALANCE.value).first()
        if turn is None:
            return None
        rules = turn.cycle.season.rule_book
        if rules.fills == "venue" and (turn.state not in GOES_ON or now >= trading_ends(rules, turn.cycle.deadline_at)):
            return None
        return turn.decided_at

    def is_trading(self, portfolio_id: int, now: datetime) -> bool:
        """Whether a decided turn is under a lease, or has planned orders. Its row is locked: no lease begins."""
        turns = Turn.objects.select_for_update(of=("self",)).select_related("cycle")
        for turn in turns.filter(entry__portfolio=portfolio_id, state=TurnState.DECIDED.value).order_by("id"):
            if turn.lease_until is not None and turn.lease_until > now:
                return True
            if Order.objects.filter(portfolio=portfolio_id, cycle_number=turn.cycle.number).exists():
                return True
        return False
