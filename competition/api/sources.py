"""Where the figures of an answer come from, said with each of them."""

from datetime import datetime

from competition.api.envelope import Provenance
from competition.core.rules import Rules
from competition.models import Season
from competition.pages.progress import Progress


def provenance(season: Season, as_of: datetime | None) -> Provenance:
    """The provenance of figures about a season whose prices were taken at `as_of`."""
    said = {"season": season.slug, "mode": mode_of(season.rule_book), "rules_sha256": season.rules_sha256}
    return Provenance.model_validate({**said, "as_of": as_of})


def mode_of(rules: Rules) -> str:
    """How real a season is: made up in market or exchange, a real market, or one with orders at the testnet, too."""
    if rules.market_source == "synthetic" or rules.exchange == "double":
        return "demo"
    return "testnet" if rules.execution == "testnet" else "paper"


def of_board(season: Season, progress: Progress) -> Provenance:
    """The provenance of figures as the last closed cycle left them."""
    return provenance(season, progress.closed.trade_as_of if progress.closed else None)
