"""What operators asked to be done, and who may not be asked: rows of their own, because web reaches no queue.

Triggers keep an errand that has ended as it is, and pauses for ever.
"""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Expression, Q

from competition.core.states import ErrandState
from portfolio.models import choices

ENDED = (ErrandState.DONE.value, ErrandState.FAILED.value)


class ErrandKind(models.TextChoices):
    """What can be asked for. Each may be done any number of times."""

    LOOK = "look", "run now"
    RETRY = "retry", "retry stage"
    REHEARSE = "rehearse", "ask everybody, without trading"
    RECONCILE = "reconcile", "reconcile the account"


class ErrandQuerySet(models.QuerySet["Errand"]):
    def waiting(self, now: datetime | Expression) -> "ErrandQuerySet":
        """Those that wait to be done, or whose worker has not been heard of for too long."""
        return self.filter(Q(state=ErrandState.QUEUED.value) | Q(state=ErrandState.RUNNING.value, lease_until__lte=now))


class Errand(models.Model):
    """Something an operator asked for; `outcome` says in our words what came of it, `look` is what was found there."""

    kind = models.CharField(max_length=10, choices=ErrandKind.choices)
    season = models.ForeignKey("competition.Season", on_delete=models.PROTECT, null=True, related_name="+")
    cycle = models.ForeignKey("competition.Cycle", on_delete=models.PROTECT, null=True, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=choices(ErrandState), default=ErrandState.QUEUED.value)
    started_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=500, blank=True)
    look = models.ForeignKey("portfolio.Reconciliation", on_delete=models.PROTECT, null=True, related_name="+")

    objects = ErrandQuerySet.as_manager()

    class Meta:
        app_label = "competition"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "season", "cycle"],
                condition=~Q(state__in=ENDED),
                nulls_distinct=False,
                name="errand_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ENDED, ended_at__isnull=False) & ~Q(outcome="")
                | ~Q(state__in=ENDED) & Q(ended_at=None, outcome=""),
                name="errand_ends_with_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        about = self.cycle or self.season
        return f"{self.get_kind_display()}{f', {about}' if about else ''}"


class EntryPauseQuerySet(models.QuerySet["EntryPause"]):
    def in_force(self) -> "EntryPauseQuerySet":
        """The pauses that stand: of each entry its newest row, if that one pauses."""
        newer = EntryPause.objects.filter(entry=models.OuterRef("entry"), id__gt=models.OuterRef("id"))
        return self.filter(~models.Exists(newer), paused=True)


class EntryPause(models.Model):
    """An entry is no longer asked, or is asked again, from the next briefs on; of an entry the newest row counts."""

    entry = models.ForeignKey("competition.Entry", on_delete=models.PROTECT, related_name="pauses")
    at = models.DateTimeField()
    paused = models.BooleanField(default=True, help_text="not asked and not traded from the next cycle on")
    reason = models.CharField(max_length=200, help_text="public")
    who = models.CharField(max_length=150)

    objects = EntryPauseQuerySet.as_manager()

    class Meta:
        app_label = "competition"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(reason="") & ~Q(who=""), name="entry_pause_by_somebody_for_a_reason")
        ]

    def __str__(self) -> str:
        return f"{self.entry.slug} {'paused' if self.paused else 'asked again'}"
