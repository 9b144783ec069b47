"""What was done to break the site and what it found: the reliability page for programs."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from competition.api.answers import reads
from competition.api.envelope import Instant, Number, Part, Sha256, Success
from competition.core.ranking import coverage
from competition.pages.reliability import Counted, LastRun, ReliabilityPage, RunsOfKind, reliability_page

router = Router(tags=["Site"])


class PlayedPart(Part):
    """How weeks ended; `is_simulated` says that the market of those seasons is made up."""

    is_simulated: bool
    closed: int
    held: int
    missed: int
    under_way: int


class CoveragePart(Part):
    model: str
    is_simulated: bool
    due: int
    valid: int
    coverage: Number


class LastRunPart(Part):
    """`counts` and `faults` are by what they count."""

    at: Instant
    version: str
    commit: str
    seed: str
    violations: int
    counts: dict[str, int]
    faults: dict[str, int]
    findings: tuple[str, ...]


class RunsPart(Part):
    kind: str
    runs: int
    seeds: int
    faults: int
    violations: int
    last: LastRunPart | None


class HeadPart(Part):
    """One hash over the newest hash of every portfolio's chain."""

    season: str
    is_simulated: bool
    portfolios: int
    journals: int
    sha256: Sha256


class Reliability(Part):
    headline: str
    detail: str
    played: tuple[PlayedPart, ...]
    coverage: tuple[CoveragePart, ...]
    runs: tuple[RunsPart, ...]
    faults_total: int
    audits: int
    audits_with_findings: int
    last_audit_at: Instant | None
    ledger_heads: tuple[HeadPart, ...]
    quarantined_turns: int
    revisions: int
    incidents: int


@router.get(
    "/reliability",
    response=reads(Success[Reliability]),
    operation_id="reliability",
    summary="Faults injected and what did not hold",
)
def reliability(request: HttpRequest) -> Any:
    """What was done to break the site, and what did not hold."""
    return Success[Reliability](data=_reliability(reliability_page(timezone.now())))


def _reliability(page: ReliabilityPage) -> Reliability:
    return Reliability(
        headline=page.headline,
        detail=page.verdict,
        played=tuple(
            PlayedPart(
                is_simulated=sort.is_simulated,
                closed=sort.closed,
                held=sort.held,
                missed=sort.missed,
                under_way=sort.under_way,
            )
            for sort in page.played
        ),
        coverage=tuple(
            CoveragePart(
                model=row.model,
                is_simulated=row.is_simulated,
                due=row.due,
                valid=row.valid,
                coverage=coverage(row.due, row.valid),
            )
            for row in page.coverages
        ),
        runs=tuple(_runs(runs) for runs in page.runs),
        faults_total=page.faults_total,
        audits=page.audits.total,
        audits_with_findings=page.audits.with_findings,
        last_audit_at=page.audits.last_at.iso if page.audits.last_at else None,
        ledger_heads=tuple(
            HeadPart(
                season=head.slug,
                is_simulated=head.is_simulated,
                portfolios=head.portfolios,
                journals=head.journals,
                sha256=head.sha256,
            )
            for head in page.heads
        ),
        quarantined_turns=page.quarantined,
        revisions=page.revisions,
        incidents=page.incidents,
    )


def _runs(runs: RunsOfKind) -> RunsPart:
    return RunsPart(
        kind=runs.kind,
        runs=runs.runs,
        seeds=runs.seeds,
        faults=runs.faults,
        violations=runs.violations,
        last=_last(runs.last) if runs.last else None,
    )


def _last(run: LastRun) -> LastRunPart:
    return LastRunPart(
        at=run.at.iso,
        version=run.version,
        commit=run.commit,
        seed=run.seed,
        violations=run.violations,
        counts=_numbers(run.counts),
        faults=_numbers(run.faults),
        findings=run.told,
    )


def _numbers(counted: Iterable[Counted]) -> dict[str, int]:
    return {one.name: one.number for one in counted}
