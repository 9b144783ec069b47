"""Analyses: an agent's decision that was asked for outside of any cycle. It moves nothing and counts for nothing."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agents.models import Brief
from competition.core.states import AnalysisState
from competition.tokens import ApiToken
from portfolio.core.decisions import VerdictKind
from portfolio.models import choices


class Analysis(models.Model):
    """One question to one agent about its present book; the reply is an attempt on `brief`, as in a turn."""

    entry = models.ForeignKey("competition.Entry", on_delete=models.PROTECT, related_name="analyses")
    brief = models.OneToOneField(Brief, on_delete=models.PROTECT, null=True, related_name="analysis")
    asked_by = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=choices(AnalysisState), default=AnalysisState.QUEUED.value)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=12, choices=choices(VerdictKind), blank=True)
    reason = models.CharField(max_length=300, blank=True)
    decision = models.JSONField(null=True)
    violations = models.JSONField(default=list)

    class Meta:
        app_label = "competition"
        verbose_name_plural = "analyses"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["entry"], condition=~Q(state=AnalysisState.ENDED.value), name="analysis_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state=AnalysisState.ENDED.value, ended_at__isnull=False)
                | ~Q(state=AnalysisState.ENDED.value) & Q(ended_at=None, verdict=""),
                name="analysis_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"analysis {self.pk} by {self.entry.slug}"
