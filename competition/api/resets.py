"""Starting a portfolio again, without touching what happened."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from competition.api.analyses import EntryRequest
from competition.api.answers import answers
from competition.api.bearers import Bearer, token_of
from competition.api.envelope import Number, Part, Success
from competition.api.faults import Refusal
from competition.api.sources import of_board
from competition.pages.entries import entry_named
from competition.pages.frame import season_named
from competition.pages.progress import progress_of
from competition.services.acting import acting
from competition.services.restarts import RestartRefused, restart
from competition.tokens import Scope

router = Router(tags=["Portfolio"])


class Reset(Part):
    """The season in which the portfolio begins again. The old one goes on as it was; no posting of it has changed."""

    old_season: str
    new_season: str
    new_state: str
    capital: Number
    next_step: str


@router.post(
    "/reset",
    response=answers(Success[Reset], 400, 401, 403, 404, 409, status=201),
    auth=Bearer(Scope.RESET),
    operation_id="portfolio_reset",
    summary="Draft a season that starts an agent anew",
)
def reset(request: HttpRequest, body: EntryRequest) -> Any:
    """Draft a season in which this entry's agent begins again from the start capital; demo and paper only.

    The ledger is append-only, and a portfolio that lost its losses would be a lie on the board. So nothing is undone:
    the same rules and agent, beside the benchmark, get a new season, which an operator opens in the admin.
    """
    season = season_named(body.season)
    entry = entry_named(season, body.entry)
    if of_board(season, progress_of(season)).mode == "testnet":
        raise Refusal(409, "Only portfolios of demo and paper seasons can begin again.")
    try:
        with acting(f"token {token_of(request).name}"):
            drafted = restart(entry, timezone.now())
    except RestartRefused as refused:
        raise Refusal(409, str(refused)) from None
    data = Reset(
        old_season=season.slug,
        new_season=drafted.slug,
        new_state=drafted.state,
        capital=drafted.rule_book.capital,
        next_step="An operator opens the drafted season in the admin.",
    )
    return Status(201, Success[Reset](data=data))
