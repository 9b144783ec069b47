"""Backtests: asked for here, computed by a worker, read here when they are done."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import Field

from competition.api.answers import answers, reads
from competition.api.bearers import Bearer, token_of
from competition.api.boards import PageWish
from competition.api.envelope import Instant, Part, Sha256, Success
from competition.api.faults import Refusal
from competition.api.wishes import BIGINT_MAX, SYMBOL, Slug, Wish
from competition.pages.frame import NotThere
from competition.services.backtest_reads import BacktestStatus, document_of, older, result_of, status_of
from competition.services.backtest_requests import BacktestRefused, BacktestWish
from competition.services.backtest_visitors import HasToWait, Visitor, ask_as
from competition.tokens import Scope

router = Router(tags=["Backtest"])

AmountText = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,8})?$")]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{5,8}Z)?$", examples=["2024-01-01"])]


class BacktestRequest(Wish):
    """What to play. The same question over the same data is answered from what was played before."""

    agents: Annotated[list[Slug], Field(min_length=1, max_length=20)]
    symbols: Annotated[list[Annotated[str, Field(pattern=SYMBOL)]], Field(min_length=1, max_length=20)]
    first: Day
    last: Day
    timeframe: Literal["1m", "5m", "15m", "1h", "4h", "1d"] = "1h"
    every: Literal["candle", "1d", "1w"] = "1w"
    fill: Literal["next_close", "next_open"] = "next_close"
    source: Literal["stored", "synthetic"] = "stored"
    seed: int = Field(1, ge=0, le=BIGINT_MAX)
    capital: AmountText = "10000"
    fee_bps: AmountText = "10"
    slippage_bps: AmountText = "5"


class BacktestLine(Part):
    """How far a backtest is; `label` says whether a model may have read the past it was tested on."""

    key: str
    state: str
    label: str
    agents: tuple[str, ...]
    symbols: tuple[str, ...]
    first: Instant
    last: Instant
    every: str
    timeframe: str
    source: str
    progress_done: int
    progress_total: int
    error: str
    requested_at: Instant
    finished_at: Instant | None
    parameters_sha256: Sha256


class BacktestPage(Part):
    items: tuple[BacktestLine, ...]
    next: int | None


class BacktestData(Part):
    """`result` is null until it is done. Metrics and curves are computed in binary fractions and told as text."""

    backtest: BacktestLine
    command_line: str = Field(description="plays the same again")
    result: dict[str, Any] | None


@router.post(
    "/run",
    response=answers(Success[BacktestLine], 400, 401, 403, 409, status=202),
    auth=Bearer(Scope.BACKTEST),
    operation_id="backtest_run",
    summary="Ask for a backtest",
)
def run(request: HttpRequest, body: BacktestRequest) -> Any:
    """Ask for a backtest. A worker plays it; /backtest/runs/{key} says how far it is and what came out."""
    fields = body.model_dump()
    wish = BacktestWish(agents=tuple(fields.pop("agents")), symbols=tuple(fields.pop("symbols")), **fields)
    now = timezone.now()
    try:
        backtest, _ = ask_as(Visitor(f"token {token_of(request).pk}", via="api"), wish, now)
    except HasToWait as refused:
        raise Refusal(409, str(refused)) from None
    except BacktestRefused as refused:
        raise Refusal(422, "", {name: [why] for name, why in refused.problems.items()}) from None
    status = status_of(backtest.key, now)
    if status is None:
        raise NotThere("The backtest is gone; ask again.")
    return Status(202, Success[BacktestLine](data=_line(status)))


@router.get(
    "/runs", response=reads(Success[BacktestPage]), operation_id="backtest_runs", summary="Backtests, newest first"
)
def runs(request: HttpRequest, wish: Query[PageWish]) -> Any:
    """The backtests, newest first."""
    rows = older(wish.before, wish.limit + 1, timezone.now())
    shown = rows[: wish.limit]
    following = shown[-1][0] if len(rows) > wish.limit else None
    return Success[BacktestPage](data=BacktestPage(items=tuple(_line(row) for _, row in shown), next=following))


@router.get(
    "/runs/{key}",
    response=reads(Success[BacktestData]),
    operation_id="backtest",
    summary="One backtest with its result",
)
def result(request: HttpRequest, key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]) -> Any:
    """One backtest, with its figures, curves, trades and decisions when it is done."""
    found = result_of(key, timezone.now())
    if found is None:
        raise NotThere("There is no backtest of this key.")
    document = _exact(document_of(found)) if found.agents else None
    return Success[BacktestData](
        data=BacktestData(backtest=_line(found.status), command_line=found.status.command_line, result=document)
    )


def _line(status: BacktestStatus) -> BacktestLine:
    parameters = status.parameters
    return BacktestLine(
        key=status.key,
        state=status.state.value,
        label=status.label_text,
        agents=tuple(agent.slug for agent in parameters.agents),
        symbols=parameters.symbols,
        first=parameters.first,
        last=parameters.last,
        every=parameters.every,
        timeframe=parameters.timeframe,
        source=parameters.source,
        progress_done=status.progress_done,
        progress_total=status.progress_total,
        error=status.error,
        requested_at=status.requested_at,
        finished_at=status.finished_at,
        parameters_sha256=parameters.sha256,
    )


def _exact(value: Any) -> Any:
    """The document with every fraction as text, so that no reader rounds it once more."""
    if isinstance(value, float | Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: _exact(part) for name, part in value.items()}
    return [_exact(part) for part in value] if isinstance(value, list | tuple) else value
