"""What pages, the admin and commands are told of backtests, as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from competition.core.backtest_parameters import BacktestParameters
from competition.core.backtest_result import AgentResult, unpacked_curve, unpacked_decisions, unpacked_trades
from competition.core.backtest_words import command_line, time_left
from competition.core.states import BacktestState
from competition.models import Backtest, BacktestRun
from competition.services.backtests import UNFINISHED


@dataclass(frozen=True, slots=True)
class BacktestStatus:
    """How far a backtest is. `left` is a guess from the pace so far; `error` is for whoever asked."""

    key: str
    state: BacktestState
    parameters: BacktestParameters
    label: str
    label_text: str
    progress_done: int
    progress_total: int
    left: timedelta | None
    error: str
    requested_via: str
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    command_line: str

    @property
    def is_under_way(self) -> bool:
        return self.state.value in UNFINISHED


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """A backtest with what came out of it; `agents` is empty unless it is done. `data` names candles and filters."""

    status: BacktestStatus
    data: Mapping[str, Any]
    notes: Mapping[str, Any]
    agents: tuple[AgentResult, ...]


def status_of(key: str, now: datetime) -> BacktestStatus | None:
    """How far this backtest is, or None when there is none of that key. One query."""
    backtest = Backtest.objects.select_related("requested_by").filter(key=key).first()
    return None if backtest is None else status_from(backtest, now)


def result_of(key: str, now: datetime) -> BacktestResult | None:
    """This backtest with its results, or None when there is none of that key. Two queries."""
    backtest = Backtest.objects.select_related("requested_by").filter(key=key).first()
    if backtest is None:
        return None
    runs = backtest.runs.order_by("number")
    return BacktestResult(status_from(backtest, now), backtest.data, backtest.notes, tuple(map(result_from, runs)))


def newest(count: int, now: datetime) -> list[BacktestStatus]:
    """The backtests asked for last, newest first."""
    rows = Backtest.objects.select_related("requested_by").order_by("-requested_at", "-id")[:count]
    return [status_from(backtest, now) for backtest in rows]


def older(before: int | None, count: int, now: datetime) -> list[tuple[int, BacktestStatus]]:
    """A page of backtests by id, newest first, each with its id; those older than `before`. One query."""
    rows = Backtest.objects.select_related("requested_by").order_by("-id")
    return [(row.pk, status_from(row, now)) for row in (rows.filter(id__lt=before) if before else rows)[:count]]


def behind_the_mask(key: str, now: datetime) -> tuple[BacktestStatus | None, BacktestStatus | None]:
    """The same backtest with briefs as they are, and behind the mask, over the same data: each None if nobody asked.

    What a model gains where it can see dates and names is a sign that it remembers them.
    """
    here = Backtest.objects.filter(key=key).first()
    if here is None:
        return None, None
    documents = [{**here.parameters, "mask": mask} for mask in (False, True)]
    hashes = [BacktestParameters.model_validate(document).sha256 for document in documents]
    alike = Backtest.objects.select_related("requested_by").filter(
        parameters_sha256__in=hashes, data_sha256=here.data_sha256
    )
    found = {row.parameters_sha256: status_from(row, now) for row in alike}
    return found.get(hashes[0]), found.get(hashes[1])


def waiting_count(client: str = "") -> int:
    """How many backtests are not finished, of everybody or of one client."""
    unfinished = Backtest.objects.filter(state__in=UNFINISHED)
    return (unfinished.filter(client=client) if client else unfinished).count()


def metrics_of(keys: Sequence[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Metrics by backtest and agent, without curves and trades: for tables of many. One query."""
    rows = BacktestRun.objects.filter(backtest__key__in=keys).order_by("backtest", "number")
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for key, agent, metrics in rows.values_list("backtest__key", "agent", "metrics"):
        found.setdefault(key, {})[agent] = metrics
    return found


def status_from(backtest: Backtest, now: datetime) -> BacktestStatus:
    """What a row says of its backtest; `requested_by` must be loaded."""
    parameters = BacktestParameters.model_validate(backtest.parameters)
    running = backtest.state == BacktestState.RUNNING
    left = time_left(backtest.started_at, backtest.progress_done, backtest.progress_total, now) if running else None
    return BacktestStatus(
        key=backtest.key,
        state=BacktestState(backtest.state),
        parameters=parameters,
        label=backtest.label,
        label_text=backtest.get_label_display(),
        progress_done=backtest.progress_done,
        progress_total=backtest.progress_total,
        left=left,
        error=backtest.error,
        requested_via=backtest.requested_via,
        requested_by="" if backtest.requested_by is None else backtest.requested_by.get_username(),
        requested_at=backtest.requested_at,
        started_at=backtest.started_at,
        finished_at=backtest.finished_at,
        seconds=backtest.seconds,
        command_line=command_line(parameters),
    )


def result_from(run: BacktestRun) -> AgentResult:
    """What a row says of one agent, unpacked."""
    return AgentResult(
        agent=run.agent,
        name=run.name,
        number=run.number,
        metrics=run.metrics,
        curve=unpacked_curve(bytes(run.curve)),
        trades_count=run.trades_count,
        trades=unpacked_trades(bytes(run.trades)),
        decisions_count=run.decisions_count,
        decisions=unpacked_decisions(bytes(run.decisions)),
        postings_sha256=run.postings_sha256,
    )


def document_of(found: BacktestResult) -> dict[str, Any]:
    """A backtest and its results as one JSON document."""
    return {**head_document(found), "agents": [agent_document(result) for result in found.agents]}


def head_document(found: BacktestResult) -> dict[str, Any]:
    """What was asked and of which market, without what came out."""
    status = found.status
    return {
        "backtest": status.key,
        "state": status.state.value,
        "label": status.label,
        "parameters": status.parameters.document(),
        "parameters_sha256": status.parameters.sha256,
        "data": found.data,
        "command_line": status.command_line,
        "seconds": status.seconds,
        "market": found.notes,
    }


def agent_document(result: AgentResult) -> dict[str, Any]:
    """What one agent came to, as plain JSON values."""
    return {
        "agent": result.agent,
        "name": result.name,
        "metrics": result.metrics,
        "trades_count": result.trades_count,
        "decisions_count": result.decisions_count,
        "postings_sha256": result.postings_sha256,
        "curve": {"at_ms": list(result.curve.at_ms), "values": list(result.curve.values)},
        "trades": [asdict(trade) for trade in result.trades],
        "decisions": [asdict(line) for line in result.decisions],
    }
