"""The game: seasons, entries, cycles, turns, standings. State changes only along `core/states.py`.

Migrations add triggers: rules are frozen once a season opens, verdicts once given, cycles and turns once terminal,
standings always.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from django.db import models
from django.db.models import Q

from agents.models import Agent, Brief
from competition.analyses import Analysis as Analysis
from competition.backtest_models import Backtest as Backtest
from competition.backtest_models import BacktestAsk as BacktestAsk
from competition.backtest_models import BacktestRun as BacktestRun
from competition.backtest_models import Sweep as Sweep
from competition.changes import ConfigurationChange as ConfigurationChange
from competition.core.rules import FROZEN, Rules
from competition.core.states import TERMINAL_CYCLES, CycleState, SeasonState, TurnState
from competition.errands import EntryPause as EntryPause
from competition.errands import Errand as Errand
from competition.reliability_models import ReliabilityRun as ReliabilityRun
from competition.tokens import ApiToken as ApiToken
from market.core.symbols import Symbol, symbols_of
from market.models import StoredSnapshot
from market.queries import listed_symbols
from portfolio.core.decisions import Verdict, VerdictKind, Violation, decision_of
from portfolio.models import Portfolio, choices

_TERMINAL = sorted(state.value for state in TERMINAL_CYCLES)


class Season(models.Model):
    """One competition: its rules are frozen and hashed when it opens."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    state = models.CharField(max_length=10, choices=choices(SeasonState), default=SeasonState.DRAFT.value)
    rules = models.JSONField()
    rules_sha256 = models.CharField(max_length=64, blank=True)
    symbols = models.JSONField(null=True, blank=True, help_text="what is traded, with the filters frozen at opening")
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state=SeasonState.DRAFT.value)
                | Q(opened_at__isnull=False, symbols__isnull=False) & ~Q(rules_sha256=""),
                name="season_open_has_hash",
            ),
            models.CheckConstraint(
                condition=~Q(state=SeasonState.CLOSED.value) | Q(closed_at__isnull=False),
                name="season_closed_at",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def rule_book(self) -> Rules:
        """The rules as the frozen value the core works with; those of a draft are checked, those in force only read."""
        return Rules.model_validate(self.rules, context=None if self.state == SeasonState.DRAFT else FROZEN)

    @cached_property
    def symbol_book(self) -> Mapping[str, Symbol]:
        """What is traded, by name: as listed now while a draft, as it was frozen ever after."""
        return symbols_of(self.symbols) if self.symbols else listed_symbols(self.rule_book.universe)


class Entry(models.Model):
    """An agent taking part in a season. `number` is its neutral id in briefs."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="entries")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="entries")
    portfolio = models.OneToOneField(Portfolio, on_delete=models.PROTECT, related_name="entry")
    slug = models.SlugField(max_length=40)
    number = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name_plural = "entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["season", "slug"], name="entry_slug_unique"),
            models.UniqueConstraint(fields=["season", "number"], name="entry_number_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.slug} in {self.season}"


class CycleQuerySet(models.QuerySet["Cycle"]):
    def unfinished(self) -> "CycleQuerySet":
        return self.exclude(state__in=_TERMINAL)

    def closed(self) -> "CycleQuerySet":
        return self.filter(state=CycleState.CLOSED.value)


class Cycle(models.Model):
    """One week. `as_of` and `trade_as_of` are market time, all other instants wall clock."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="cycles")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=choices(CycleState))
    due_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    is_late = models.BooleanField(default=False)
    as_of = models.DateTimeField()
    deadline_at = models.DateTimeField()
    snapshot = models.ForeignKey(StoredSnapshot, on_delete=models.PROTECT, null=True, related_name="+")
    trade_as_of = models.DateTimeField(null=True)
    trade_snapshot = models.ForeignKey(StoredSnapshot, on_delete=models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = CycleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["season", "number"], name="cycle_number_unique"),
            models.CheckConstraint(condition=Q(number__gt=0), name="cycle_number_from_one"),
            models.CheckConstraint(
                condition=Q(state__in=_TERMINAL) & Q(closed_at__isnull=False)
                | ~Q(state__in=_TERMINAL) & Q(closed_at=None),
                name="cycle_closed_at_when_terminal",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["season", "number"],
                name="cycle_unfinished",
                condition=~Q(state__in=_TERMINAL),
            )
        ]

    def __str__(self) -> str:
        return f"week {self.number} of {self.season}"


class Turn(models.Model):
    """One entry's part in one cycle. `token` and `lease_until` say who is working on it, and until when.

    A provisional one waits for the outcome of an order: it alone changes after its cycle has closed, and only once.
    """

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="turns")
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="turns")
    brief = models.OneToOneField(Brief, on_delete=models.PROTECT, related_name="turn")
    state = models.CharField(max_length=12, choices=choices(TurnState), default=TurnState.ASKING.value)
    token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    over_budget = models.CharField(max_length=300, blank=True, help_text="why the next attempt could not be paid for")
    verdict = models.CharField(max_length=12, choices=choices(VerdictKind), blank=True)
    verdict_reason = models.CharField(max_length=300, blank=True)
    decision = models.JSONField(null=True)
    violations = models.JSONField(default=list)
    unwrapped = models.JSONField(default=list)
    decided_at = models.DateTimeField(null=True)

    value_before = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    value_after = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    traded = models.DecimalField(max_digits=38, decimal_places=18, default=0)
    fees = models.DecimalField(max_digits=38, decimal_places=18, default=0)
    skipped = models.JSONField(default=list)
    trade_reason = models.CharField(max_length=500, blank=True)
    unresolved = models.JSONField(default=list, help_text="orders whose outcome was not known when the cycle closed")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cycle", "entry"], name="turn_unique"),
            models.CheckConstraint(
                condition=Q(state=TurnState.ASKING.value, verdict="")
                | ~Q(state=TurnState.ASKING.value) & Q(verdict__in=[kind.value for kind in VerdictKind]),
                name="turn_verdict_when_decided",
            ),
            models.CheckConstraint(
                condition=Q(verdict=VerdictKind.REBALANCE.value) | Q(traded=0),
                name="turn_no_trade_without_decision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry.slug} in {self.cycle}"

    def verdict_value(self) -> Verdict:
        """The stored verdict as the value the engine works with."""
        return Verdict(
            VerdictKind(self.verdict),
            None if self.decision is None else decision_of(self.decision),
            tuple(Violation(**violation) for violation in self.violations),
            self.verdict_reason,
            tuple(self.unwrapped),
        )


class Revision(models.Model):
    """A board that was written again, because an order of that cycle or one before ended after it had closed.

    The board written at closing is number 1 and has no row here. Standings say to which number they belong.
    """

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    reason = models.CharField(max_length=500)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cycle", "number"], name="revision_number_unique"),
            models.CheckConstraint(condition=Q(number__gt=1), name="revision_follows_the_first_board"),
        ]

    def __str__(self) -> str:
        return f"revision {self.number} of {self.cycle}"


class StandingQuerySet(models.QuerySet["Standing"]):
    def current(self) -> "StandingQuerySet":
        """The board of each cycle as its last revision left it."""
        newer = Revision.objects.filter(cycle=models.OuterRef("cycle"), number__gt=models.OuterRef("revision"))
        return self.filter(~models.Exists(newer))


class Standing(models.Model):
    """A row of the board as it stood when a cycle closed, or was revised. Ratios are fractions."""

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="standings")
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="standings")
    position = models.PositiveSmallIntegerField(help_text="order of display")
    rank = models.PositiveSmallIntegerField(null=True)
    unranked = models.CharField(max_length=200, blank=True)
    value = models.DecimalField(max_digits=38, decimal_places=18)
    net_return = models.DecimalField(max_digits=24, decimal_places=6)
    excess_return = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    max_drawdown = models.DecimalField(max_digits=24, decimal_places=6)
    turnover = models.DecimalField(max_digits=24, decimal_places=6)
    fees = models.DecimalField(max_digits=38, decimal_places=18)
    ai_cost = models.DecimalField(max_digits=38, decimal_places=18)
    coverage = models.DecimalField(max_digits=24, decimal_places=6)
    due = models.PositiveIntegerField()
    valid = models.PositiveIntegerField()
    revision = models.PositiveSmallIntegerField(default=1)

    objects = StandingQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cycle", "entry", "revision"], name="standing_unique"),
            models.UniqueConstraint(fields=["cycle", "position", "revision"], name="standing_position_unique"),
            models.CheckConstraint(
                condition=Q(rank=None) & ~Q(unranked="") | Q(rank__isnull=False, unranked=""),
                name="standing_ranked_or_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry.slug} after {self.cycle}"


class Heartbeat(models.Model):
    """When each kind of process last said that it is alive."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"


class Audit(models.Model):
    """What one audit of the record found. `season` is blank when it was of everything; appended, never edited.

    `seals` are hashes over what had ended, by season, that the next audit compares with what it finds.
    """

    at = models.DateTimeField()
    seconds = models.DecimalField(max_digits=12, decimal_places=3)
    season = models.CharField(max_length=40, blank=True)
    findings_count = models.PositiveIntegerField()
    known_count = models.PositiveIntegerField(default=0, help_text="exceptions that were said when they arose")
    counts = models.JSONField(help_text="findings by invariant")
    findings = models.JSONField(help_text="the first of them, and of the known exceptions")
    seals = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["season", "-id"], name="audit_newest")]

    def __str__(self) -> str:
        return f"audit of {self.at:%Y-%m-%d %H:%M}: {self.findings_count} findings"
