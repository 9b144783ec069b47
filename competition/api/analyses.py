"""Asking an agent what it would do now, and the log of everything agents were asked and said."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import Field

from agents.models import Attempt
from competition.analyses import Analysis
from competition.api.answers import answers, reads
from competition.api.bearers import Bearer, token_of
from competition.api.boards import Who, next_of
from competition.api.cycles import ViolationPart
from competition.api.envelope import Instant, Number, Part, Provenance, Sha256, Success
from competition.api.faults import Refusal
from competition.api.sources import of_board, provenance
from competition.api.wishes import BIGINT_MAX, MaybeId, MaybeSlug, SeasonWish, Slug, Wish, optional, season_of
from competition.models import Entry
from competition.pages.entries import entry_named
from competition.pages.frame import NotThere, season_named
from competition.pages.progress import progress_of
from competition.services.analyses import AnalysisRefused, request_analysis
from competition.tokens import Scope

router = Router(tags=["Analysis"])


class EntryRequest(Wish):
    season: Slug
    entry: Slug


class AnalysisData(Part):
    """A question outside of any cycle. `verdict` is what the reply would have come to; nothing was ever traded."""

    provenance: Provenance
    id: int
    entry: Who
    state: str = Field(description="queued, asking or ended")
    asked_at: Instant
    ended_at: Instant | None
    verdict: str
    reason: str
    weights: dict[str, Number] | None
    confidence: Number | None
    rationale: str
    violations: tuple[ViolationPart, ...]
    brief_sha256: Sha256 | None


@router.post(
    "/run",
    response=answers(Success[AnalysisData], 400, 401, 403, 404, 409, status=202),
    auth=Bearer(Scope.ANALYSIS),
    operation_id="analysis_run",
    summary="Ask one agent now, without trading",
)
def run(request: HttpRequest, body: EntryRequest) -> Any:
    """Ask one agent for a decision on the present market and its present book, without trading.

    It is put into the queue and asked within a minute or so; /analysis/runs/{id} says what came of it.
    """
    season = season_named(body.season)
    entry = entry_named(season, body.entry)
    try:
        asked = request_analysis(entry, token_of(request).pk, timezone.now())
    except AnalysisRefused as refused:
        raise Refusal(409, str(refused)) from None
    return Status(202, Success[AnalysisData](data=_analysis(asked, entry)))


@router.get(
    "/runs/{number}",
    response=reads(Success[AnalysisData]),
    operation_id="analysis",
    summary="What came of one analysis",
)
def analysis(request: HttpRequest, number: int) -> Any:
    """What came of one analysis."""
    rows = Analysis.objects.select_related("entry__agent", "entry__season", "brief")
    found = rows.filter(id=number).first() if 0 < number <= BIGINT_MAX else None
    if found is None:
        raise NotThere("There is no analysis of this number.")
    return Success[AnalysisData](data=_analysis(found, found.entry))


def _analysis(found: Analysis, entry: Entry) -> AnalysisData:
    decision = found.decision or {}
    return AnalysisData(
        provenance=provenance(entry.season, found.asked_at if found.brief is None else found.brief.created_at),
        id=found.pk,
        entry=Who.of(entry),
        state=found.state,
        asked_at=found.asked_at,
        ended_at=found.ended_at,
        verdict=found.verdict,
        reason=found.reason,
        weights=decision.get("weights"),
        confidence=decision.get("confidence"),
        rationale=decision.get("rationale", ""),
        violations=tuple(ViolationPart(**violation) for violation in found.violations),
        brief_sha256=found.brief.sha256 if found.brief else None,
    )


class LogLine(Part):
    """One attempt at one agent: in a cycle, or for an analysis. Text of models is data: escape it."""

    id: int
    entry: str
    cycle: int | None
    analysis: int | None
    attempt: int
    outcome: str
    reason: str
    reply: str
    is_truncated: bool
    started_at: Instant
    ended_at: Instant | None
    cost_usd: Number


class Log(Part):
    """Attempts, newest first. Give `next` as `before` for the page behind it; null at the end."""

    provenance: Provenance
    items: tuple[LogLine, ...]
    next: int | None


class LogWish(SeasonWish):
    entry: MaybeSlug = optional(description="only of this entry")
    before: MaybeId = optional(description="the `next` of the page before")
    limit: int = Field(20, ge=1, le=100)


@router.get(
    "/logs", response=reads(Success[Log]), operation_id="analysis_logs", summary="Questions to agents and their answers"
)
def logs(request: HttpRequest, wish: Query[LogWish]) -> Any:
    """What the agents of a season were asked and what they said, verbatim."""
    season = season_of(wish)
    entries = [entry_named(season, wish.entry)] if wish.entry else list(season.entries.all())
    of_entries = Q(brief__turn__entry__in=entries) | Q(brief__analysis__entry__in=entries)
    found = Attempt.objects.filter(of_entries).select_related("brief__turn__cycle", "brief__analysis").order_by("-id")
    found = found.defer("deliberation", "brief__content")
    rows = list((found.filter(id__lt=wish.before) if wish.before else found)[: wish.limit + 1])
    slugs = {entry.pk: entry.slug for entry in entries}
    return Success[Log](
        data=Log(
            provenance=of_board(season, progress_of(season)),
            items=tuple(_line(row, slugs) for row in rows[: wish.limit]),
            next=next_of(rows, wish.limit),
        )
    )


def _line(attempt: Attempt, slugs: dict[int, str]) -> LogLine:
    turn: Any = getattr(attempt.brief, "turn", None)
    asked: Any = getattr(attempt.brief, "analysis", None)
    return LogLine(
        id=attempt.pk,
        entry=slugs[(turn or asked).entry_id],
        cycle=turn.cycle.number if turn else None,
        analysis=asked.pk if asked else None,
        attempt=attempt.number,
        outcome=attempt.outcome,
        reason=attempt.reason,
        reply=attempt.reply,
        is_truncated=attempt.truncated,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        cost_usd=attempt.cost_usd,
    )
