"""Backtests: what was asked, how far it is, and what came out. Nothing here touches seasons, their boards or ledgers.

There is one row for the same parameters over the same data, so that nobody waits for what is known already. Curves are
kept at no more than a few thousand points, and orders up to a bound, compressed: a backtest is computed again from its
parameters in less time than a million rows are read in. Figures are of all candles.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from competition.core.states import BacktestState
from portfolio.models import choices


class Label(models.TextChoices):
    """Whether a model may have read the very past it was tested on."""

    NO_MODEL = "no_model", "no model takes part"
    BEFORE = "before", "before the training cutoff: the model may remember it"
    UNKNOWN = "unknown", "training cutoff unknown: the model may remember it"
    AFTER = "after", "after the training cutoff"


class Backtest(models.Model):
    """One backtest. `token` and `lease_until` say who is working on it, and until when."""

    key = models.CharField(max_length=16, unique=True, help_text="its public name, from parameters and data")
    parameters = models.JSONField()
    parameters_sha256 = models.CharField(max_length=64)
    data = models.JSONField(help_text="which candles and filters: version of each series, version of the engine")
    data_sha256 = models.CharField(max_length=64)
    label = models.CharField(max_length=10, choices=Label.choices, default=Label.NO_MODEL)

    state = models.CharField(max_length=10, choices=choices(BacktestState), default=BacktestState.QUEUED.value)
    token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="times a worker took it since it was asked for")
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0, help_text="decisions to be taken, all agents together")
    error = models.CharField(max_length=1000, blank=True, help_text="why it failed, for whoever asked")

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    requested_via = models.CharField(max_length=20, help_text="page, admin, command or sweep")
    client = models.CharField(max_length=64, blank=True, help_text="who asked from outside, for limits; no address")
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True, help_text="of the last attempt, reading candles included")
    notes = models.JSONField(default=dict, help_text="of the market: candles, holes, warm-up")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["parameters_sha256", "data_sha256"], name="backtest_once_for_the_same"),
            models.CheckConstraint(
                condition=Q(state=BacktestState.RUNNING.value, token__isnull=False, lease_until__isnull=False)
                | ~Q(state=BacktestState.RUNNING.value) & Q(token=None, lease_until=None),
                name="backtest_lease_while_running",
            ),
            models.CheckConstraint(
                condition=Q(state=BacktestState.FAILED.value) & ~Q(error="")
                | ~Q(state=BacktestState.FAILED.value) & Q(error=""),
                name="backtest_failed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[BacktestState.QUEUED.value, BacktestState.RUNNING.value], finished_at=None)
                | ~Q(state__in=[BacktestState.QUEUED.value, BacktestState.RUNNING.value])
                & Q(finished_at__isnull=False),
                name="backtest_finished_at",
            ),
            models.CheckConstraint(
                condition=Q(progress_done__lte=F("progress_total")), name="backtest_progress_is_no_more_than_all"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["requested_at"],
                name="backtest_unfinished",
                condition=Q(state__in=[BacktestState.QUEUED.value, BacktestState.RUNNING.value]),
            ),
            models.Index(fields=["-requested_at"], name="backtest_newest"),
        ]

    def __str__(self) -> str:
        return f"backtest {self.key}"


class BacktestRun(models.Model):
    """What one agent of a finished backtest came to. Written when the backtest is done, all agents at once."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveSmallIntegerField()
    agent = models.CharField(max_length=40)
    name = models.CharField(max_length=80)
    metrics = models.JSONField()
    curve = models.BinaryField(help_text="instants and values of the curve, compressed")
    trades_count = models.PositiveIntegerField()
    trades = models.BinaryField(help_text="the first orders that were executed, compressed JSON")
    decisions_count = models.PositiveIntegerField()
    decisions = models.BinaryField(help_text="the first decisions, compressed JSON")
    postings_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["backtest", "number"], name="backtest_run_number_unique"),
            models.UniqueConstraint(fields=["backtest", "agent"], name="backtest_run_agent_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} in {self.backtest}"


class BacktestAsk(models.Model):
    """A visitor made the machine work: kept for the limits on how often one may. `client` is no address."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="asks")
    client = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["client", "-at"], name="backtest_ask_of_client")]

    def __str__(self) -> str:
        return f"{self.backtest}, asked for at {self.at:%Y-%m-%d %H:%M:%S}"


class Sweep(models.Model):
    """Many backtests that were asked for together: agents, windows and seeds, each with each."""

    key = models.CharField(max_length=16, unique=True)
    document = models.JSONField()
    requested_at = models.DateTimeField()
    backtests = models.ManyToManyField(Backtest, related_name="sweeps")

    def __str__(self) -> str:
        return f"sweep {self.key}"
