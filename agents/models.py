"""Who decides, what each was shown, and what each said. Briefs and ended attempts are kept for ever, unchanged."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KeyTransform

from agents.core.parameters import MODEL_STRING

SIMULATED_PREFIXES = ("offline/", "example/")


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
        validators=[RegexValidator(MODEL_STRING, "Write provider/model, as in offline/steady.")],
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
        return self.model.startswith(SIMULATED_PREFIXES)


class Brief(models.Model):
    """What one entry was shown in one cycle, and the hash of it."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="briefs")
    sha256 = models.CharField(max_length=64)
    content = models.JSONField()
    holdings = models.GeneratedField(
        expression=KeyTransform("holdings", KeyTransform("portfolio", "content")),
        output_field=models.JSONField(null=True),
        db_persist=True,
        help_text="that part of the content by itself, for whoever asks for everybody's",
    )
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
    truncated = models.BooleanField(default=False, help_text="the model was cut off, so the reply does not count")
    deliberation = models.JSONField(null=True, blank=True, help_text="who said what in a firm, and what was cut")
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


class Price(models.Model):
    """A dated row of the price list, USD per million tokens. A new price is a new row; the newest valid counts."""

    model = models.CharField(max_length=120, validators=[RegexValidator(MODEL_STRING, "Write provider/model.")])
    valid_from = models.DateTimeField()
    prompt_usd = models.DecimalField(max_digits=18, decimal_places=9)
    completion_usd = models.DecimalField(max_digits=18, decimal_places=9)
    cached_usd = models.DecimalField(max_digits=18, decimal_places=9, help_text="prompt tokens read from a cache")
    supports_schema = models.BooleanField(default=False, help_text="the model keeps to a JSON schema it is given")
    source = models.CharField(max_length=120, help_text="who says so: an operator, or a price map and its version")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "valid_from"], name="price_once_per_instant"),
            models.CheckConstraint(
                condition=Q(prompt_usd__gte=0, completion_usd__gte=0, cached_usd__gte=0), name="price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.valid_from:%Y-%m-%d}"


class Budget(models.Model):
    """One guarded row per scope: what may be used, what is reserved and what is spent. A null cap is no cap."""

    scope = models.CharField(max_length=200, unique=True)
    tokens_cap = models.BigIntegerField(null=True, blank=True)
    usd_cap = models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True)
    tokens_reserved = models.BigIntegerField(default=0)
    tokens_spent = models.BigIntegerField(default=0)
    usd_reserved = models.DecimalField(max_digits=18, decimal_places=9, default=0)
    usd_spent = models.DecimalField(max_digits=18, decimal_places=9, default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(tokens_reserved__gte=0, tokens_spent__gte=0, usd_reserved__gte=0, usd_spent__gte=0),
                name="budget_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(tokens_cap=None) | Q(tokens_cap__gte=F("tokens_reserved") + F("tokens_spent")),
                name="budget_tokens_within_cap",
            ),
            models.CheckConstraint(
                condition=Q(usd_cap=None) | Q(usd_cap__gte=F("usd_reserved") + F("usd_spent")),
                name="budget_usd_within_cap",
            ),
        ]

    def __str__(self) -> str:
        return self.scope


class Reservation(models.Model):
    """The worst case of one attempt, set aside in every scope before anything is sent; settled once, for ever."""

    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="reservation")
    scopes = models.JSONField(help_text="the scopes it was set aside in")
    tokens = models.BigIntegerField()
    usd = models.DecimalField(max_digits=18, decimal_places=9)
    made_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    tokens_charged = models.BigIntegerField(null=True)
    usd_charged = models.DecimalField(max_digits=18, decimal_places=9, null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(tokens__gte=0, usd__gte=0), name="reservation_not_negative"),
            models.CheckConstraint(
                condition=Q(settled_at=None, tokens_charged=None, usd_charged=None)
                | Q(
                    settled_at__isnull=False,
                    tokens_charged__gte=0,
                    usd_charged__gte=0,
                    tokens_charged__lte=F("tokens"),
                    usd_charged__lte=F("usd"),
                ),
                name="reservation_charges_what_it_held_at_most",
            ),
        ]

    def __str__(self) -> str:
        return f"reservation for {self.attempt_id}"


class Charge(models.TextChoices):
    """By what a call was charged."""

    USAGE = "usage", "tokens the provider reported"
    WORST = "worst", "the worst case: the provider did not say what was used"
    NOTHING = "nothing", "nothing: no model of ours read it"


CALL_COSTS = (
    *("role", "requested_model", "error_class", "charge"),
    *("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "tokens_charged", "usd"),
)


class Call(models.Model):
    """One try of one call to one model, kept verbatim. What a provider's error said is not kept: only its class."""

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="calls", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="the order in which they began within the attempt")
    role = models.CharField(max_length=20)
    number = models.PositiveSmallIntegerField(help_text="1 for the first try")
    requested_model = models.CharField(max_length=120)
    returned_model = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict)
    messages = models.JSONField()
    reply = models.TextField(blank=True)
    prompt_tokens = models.IntegerField(null=True)
    completion_tokens = models.IntegerField(null=True)
    reasoning_tokens = models.IntegerField(null=True)
    cached_tokens = models.IntegerField(null=True)
    usage_raw = models.JSONField(default=dict, help_text="what the provider reported, unread")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True, related_name="calls")
    charge = models.CharField(max_length=10, choices=Charge.choices)
    tokens_charged = models.BigIntegerField(default=0)
    usd = models.DecimalField(max_digits=18, decimal_places=9)
    started_at = models.DateTimeField()
    latency_ms = models.PositiveIntegerField()
    finish_reason = models.CharField(max_length=40, blank=True)
    error_class = models.CharField(max_length=20, blank=True)
    error_detail = models.CharField(max_length=300, blank=True)
    status = models.IntegerField(null=True)
    provider_request_id = models.CharField(max_length=200, blank=True)
    request_sha256 = models.CharField(max_length=64)
    reply_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            # With what a season's costs add up, so that they need not read what was said; the index of the attempt too.
            models.UniqueConstraint(fields=["attempt", "position"], include=CALL_COSTS, name="call_position_unique"),
            models.CheckConstraint(condition=Q(usd__gte=0, tokens_charged__gte=0), name="call_cost_not_negative"),
        ]

    def __str__(self) -> str:
        return f"call {self.position} of attempt {self.attempt_id}"


class KeptReply(models.Model):
    """The reply to a question of a backtest, under the hash of all that was asked: the same is not asked twice."""

    question_sha256 = models.CharField(max_length=64, unique=True)
    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="kept_reply")

    def __str__(self) -> str:
        return f"reply to question {self.question_sha256[:8]}"


class TrainingCutoff(models.Model):
    """Up to when a model may have read the world. Rows are added and never changed: of a model, the newest counts."""

    model = models.CharField(max_length=120, validators=[RegexValidator(MODEL_STRING, "Write provider/model.")])
    cutoff = models.DateField(null=True, blank=True, help_text="the last day it may know of; empty: unknown")
    source = models.CharField(max_length=200, help_text="who says so")
    stated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "stated_at"], name="cutoff_once_per_instant"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.cutoff or 'unknown'}"
