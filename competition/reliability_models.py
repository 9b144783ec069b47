"""What the runs that try to break the site found: one row for each, so that the public page counts and nobody types."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from competition.core.reliability import RunKind
from portfolio.models import choices


class ReliabilityRun(models.Model):
    """One run, however it ended; appended, never edited. Everything it played on was made up for it.

    `counts` and `faults` are whole numbers by what they count, in words for the page: {"cycles ended": 412}.
    """

    kind = models.CharField(max_length=12, choices=choices(RunKind))
    version = models.CharField(max_length=20, help_text="of the product")
    commit = models.CharField(max_length=50, blank=True, help_text="blank where there is no checkout to ask")
    seed = models.BigIntegerField(help_text="the first one, where a run has many")
    seeds_count = models.PositiveIntegerField(default=1)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    counts = models.JSONField(default=dict, help_text="what was done and held")
    faults = models.JSONField(default=dict, help_text="what was done to it")
    violations = models.PositiveIntegerField(help_text="how often something that must hold did not")
    findings = models.JSONField(default=list, help_text="the first violations in words")

    class Meta:
        app_label = "competition"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=list(RunKind)), name="reliability_run_kind"),
            models.CheckConstraint(condition=Q(ended_at__gte=F("started_at")), name="reliability_run_ends_after_start"),
            models.CheckConstraint(condition=Q(seeds_count__gt=0), name="reliability_run_has_a_seed"),
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "-id"], name="reliability_run_newest")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.started_at:%Y-%m-%d %H:%M}: {self.violations} violations"
