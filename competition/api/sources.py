"""Where the figures of an answer come from, said with each of them."""

from datetime import datetime

from competition.api.envelope import Provenance
from competition.models import Season
from competition.pages.progress import Progress


def provenance(season: Season, as_of: datetime | None) -> Provenance:
    """The provenance of figures about a season whose prices were taken at `as_of`."""
    mode = "demo" if season.rule_book.market_source == "synthetic" else "paper"
    return Provenance.model_validate(
        {"season": season.slug, "mode": mode, "rules_sha256": season.rules_sha256, "as_of": as_of}
    )


def of_board(season: Season, progress: Progress) -> Provenance:
    """The provenance of figures as the last closed cycle left them."""
    return provenance(season, progress.closed.trade_as_of if progress.closed else None)
