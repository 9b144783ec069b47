"""Who is alive, what is due, what went wrong: the status page for programs."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from competition.api.answers import reads
from competition.api.envelope import Instant, Part, Success
from competition.pages.status import AuditStatus, SeasonStatus, StatusPage, status_page

router = Router(tags=["Site"])


class BeatPart(Part):
    name: str
    at: Instant
    is_stale: bool


class RunningPart(Part):
    season: str
    is_open: bool
    next_at: Instant | None
    is_overdue: bool
    running_cycle: int | None
    troubles: tuple[str, ...]


class AuditPart(Part):
    """The last audit of the whole record: how much did not add up, and how much of that was said when it arose."""

    at: Instant
    findings: int
    known: int
    told: tuple[str, ...]


class Status(Part):
    headline: str
    detail: str
    processes: tuple[BeatPart, ...]
    seasons: tuple[RunningPart, ...]
    audit: AuditPart | None
    versions: dict[str, str]


@router.get("/status", response=reads(Success[Status]), operation_id="status", summary="How the site is doing")
def status(request: HttpRequest) -> Any:
    """How the site is doing."""
    return Success[Status](data=_status(status_page(timezone.now())))


def _status(page: StatusPage) -> Status:
    return Status(
        headline=page.headline,
        detail=page.verdict,
        processes=tuple(BeatPart(name=beat.name, at=beat.at.iso, is_stale=beat.is_stale) for beat in page.beats),
        seasons=tuple(_season(season) for season in page.seasons),
        audit=_audit(page.audit) if page.audit else None,
        versions=dict(page.versions),
    )


def _season(season: SeasonStatus) -> RunningPart:
    return RunningPart(
        season=season.slug,
        is_open=season.is_open,
        next_at=season.next_at.iso if season.next_at else None,
        is_overdue=season.is_overdue,
        running_cycle=season.running.number if season.running else None,
        troubles=season.troubles,
    )


def _audit(audit: AuditStatus) -> AuditPart:
    return AuditPart(at=audit.at.iso, findings=audit.findings, known=audit.known, told=audit.told)
