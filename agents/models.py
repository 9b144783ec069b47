"""Who decides, what each was shown, and what each said. Briefs and ended attempts are kept for ever, unchanged."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

SIMULATED_PREFIX = "offline/"


class AgentKind(models.TextChoices):
    SINGLE = "single", "single model"
    FIRM = "firm", "firm of six"
    BASELINE = "baseline", "house baseline"


class AttemptOutcome(models.TextChoices):
    """How an attempt ended. Only `ANSWERED` can lead to a decision."""

    PENDING = "pending", "waiting for the reply"
    ANSWERED = "answered", "a reply came in time"
    NO_ANSWER = "no_answer", "no reply came"
    LATE = "late", "a reply came too late to count"


class Agent(models.Model):
    """A decider. What it is never changes: a changed agent is a new version."""

    slug = models.SlugField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=AgentKind.choices)
    model = models.CharField(
        max_length=120,
        validators=[RegexValidator(r"^[a-z0-9_.-]+/\S+$", "Write provider/model, as in offline/steady.")],
        help_text="provider/model, such as baseline/momentum or offline/steady",
    )
    parameters = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["slug", "version"], name="agent_version_unique"),
            models.CheckConstraint(condition=Q(kind__in=AgentKind.values), name="agent_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def is_simulated(self) -> bool:
        """Scripted rather than a model: it is labelled so wherever it appears."""
        return self.model.startswith(SIMULATED_PREFIX)


class Brief(models.Model):
    """What one entry was shown in one cycle, and the hash of it."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="briefs")
    sha256 = models.CharField(max_length=64)
    content = models.JSONField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"brief {self.sha256[:8]} for {self.agent_id}"


class Attempt(models.Model):
    """One offering of a brief to an agent under a lease. The reply is kept verbatim, whatever it is worth."""

    brief = models.ForeignKey(Brief, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    run_token = models.UUIDField(unique=True)
    objections = models.JSONField(default=list, help_text="what was wrong with the reply before, as the agent was told")
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=AttemptOutcome.choices, default=AttemptOutcome.PENDING)
    reason = models.CharField(max_length=300, blank=True)
    reply = models.TextField(blank=True)
    cost_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brief", "number"], name="attempt_number_unique"),
            models.CheckConstraint(condition=Q(cost_usd__gte=0), name="attempt_cost_not_negative"),
            models.CheckConstraint(
                condition=Q(outcome=AttemptOutcome.PENDING, ended_at=None)
                | ~Q(outcome=AttemptOutcome.PENDING) & Q(ended_at__isnull=False),
                name="attempt_ends_with_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} on brief {self.brief_id}: {self.outcome}"
