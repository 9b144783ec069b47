"""What is wrong with a season's record, in words: the production auditor, read without writing its result."""

from datetime import datetime

from django.utils import timezone

from competition.models import Season
from competition.services.auditing import season_findings


def faults(season: Season, now: datetime | None = None) -> list[str]:
    """Everything that is wrong with the record of a season; empty when it is sound."""
    fresh = Season.objects.get(id=season.id)
    return [str(finding) for finding in season_findings(fresh, now or timezone.now()) if not finding.known]
