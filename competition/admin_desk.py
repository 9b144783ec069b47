"""What an operator sees first: what runs, what is next, what failed, what it costs, and who is alive."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.urls import reverse

from agents.models import Attempt, AttemptOutcome, Budget
from competition.backtest_models import Backtest
from competition.core.schedule import boundary
from competition.core.states import TERMINAL_CYCLES, BacktestState, SeasonState, TurnState
from competition.errands import EntryPause, Errand
from competition.models import Cycle, Season, Turn
from competition.pages.figures import Moment, moment, relative
from competition.pages.status import Beat, StatusPage, status_page
from competition.pages.words import Mark, cycle_mark
from market.core.canonical import plain
from portfolio.attempts import standing_halt
from portfolio.core.decisions import VerdictKind
from portfolio.exchange_models import Incident, TradingHalt

FAILURES_SINCE = timedelta(days=7)
SEASONS_MAX = 10
ERRANDS_SHOWN = 5
WITHOUT_DECISION = (VerdictKind.REJECTED, VerdictKind.SILENT, VerdictKind.OVER_BUDGET)


@dataclass(frozen=True, slots=True)
class When:
    """An instant, and how far it is from now."""

    at: Moment
    distance: str


@dataclass(frozen=True, slots=True)
class SeasonLine:
    """An open season: the cycle that runs, the last that ended, the next that is due; None where there is none."""

    id: int
    slug: str
    name: str
    weeks: str
    running: Cycle | None
    running_mark: Mark | None
    last: Cycle | None
    last_mark: Mark | None
    last_at: When | None
    next_number: int
    next_at: When | None


@dataclass(frozen=True, slots=True)
class Failure:
    """How often something failed lately, and the list that shows each."""

    words: str
    count: int
    href: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What an agent used of its day. `share` is of the cap that is nearer, for a meter; 0 without caps."""

    who: str
    tokens: str
    usd: str
    share: float


@dataclass(frozen=True, slots=True)
class Desk:
    """The dashboard."""

    at: Moment
    status: StatusPage
    beats: tuple[Beat, ...]
    seasons: tuple[SeasonLine, ...]
    drafts: tuple[Season, ...]
    failures: tuple[Failure, ...]
    budgets: tuple[Spent, ...]
    usd_today: str
    halt: TradingHalt | None
    pauses: tuple[EntryPause, ...]
    errands: tuple[Errand, ...]


def desk_of(now: datetime) -> Desk:
    """Everything the dashboard shows at `now`."""
    status = status_page(now)
    budgets = _budgets(now)
    return Desk(
        at=moment(now),
        status=status,
        beats=status.beats,
        seasons=_seasons(now),
        drafts=tuple(Season.objects.filter(state=SeasonState.DRAFT.value).order_by("-id")[:SEASONS_MAX]),
        failures=tuple(_failures(now - FAILURES_SINCE)),
        budgets=tuple(_spent(row) for row in budgets),
        usd_today=plain(sum((row.usd_reserved + row.usd_spent for row in budgets), Decimal(0))),
        halt=standing_halt(),
        pauses=tuple(
            EntryPause.objects.in_force().exclude(entry__season__state="closed").select_related("entry__season")
        ),
        errands=tuple(
            Errand.objects.select_related("season", "cycle__season", "asked_by").order_by("-id")[:ERRANDS_SHOWN]
        ),
    )


def _seasons(now: datetime) -> tuple[SeasonLine, ...]:
    """The open seasons, newest first: one query for them and one for the newest cycles of all."""
    seasons = list(Season.objects.filter(state=SeasonState.OPEN.value).order_by("-id")[:SEASONS_MAX])
    ended = _newest(seasons, Q(state__in=[state.value for state in TERMINAL_CYCLES]))
    running = _newest(seasons, ~Q(state__in=[state.value for state in TERMINAL_CYCLES]))
    return tuple(_season(season, running.get(season.id), ended.get(season.id), now) for season in seasons)


def _newest(seasons: Iterable[Season], which: Q) -> dict[int, Cycle]:
    rows = Cycle.objects.filter(which, season__in=[season.id for season in seasons])
    return {row.season_id: row for row in rows.order_by("season", "-number").distinct("season")}


def _season(season: Season, running: Cycle | None, last: Cycle | None, now: datetime) -> SeasonLine:
    rules = season.rule_book
    number = max(row.number for row in (running, last) if row) if running or last else 0
    due = boundary(rules, number + 1) if number < rules.cycles else None
    return SeasonLine(
        id=season.id,
        slug=season.slug,
        name=season.name,
        weeks=f"{number} of {rules.cycles:,}",
        running=running,
        running_mark=cycle_mark(running.state) if running else None,
        last=last,
        last_mark=cycle_mark(last.state) if last else None,
        last_at=when(last.closed_at, now) if last and last.closed_at else None,
        next_number=number + 1,
        next_at=when(due, now) if due else None,
    )


def when(at: datetime, now: datetime) -> When:
    """An instant as the dashboard shows it."""
    return When(moment(at), relative(at, now))


def _failures(since: datetime) -> Iterable[Failure]:
    turns = Turn.objects.filter(decided_at__gte=since).aggregate(
        lost=Count("id", filter=Q(verdict__in=[kind.value for kind in WITHOUT_DECISION])),
        quarantined=Count("id", filter=Q(state=TurnState.QUARANTINED.value)),
    )
    broken = (AttemptOutcome.NO_ANSWER, AttemptOutcome.LATE)
    attempts = Attempt.objects.filter(started_at__gte=since, outcome__in=broken).count()
    cycles = Cycle.objects.filter(due_at__gte=since, state__in=("held", "missed")).count()
    backtests = Backtest.objects.filter(requested_at__gte=since, state=BacktestState.FAILED.value).count()
    incidents = Incident.objects.filter(at__gte=since).count()
    yield Failure("cycles held or missed", cycles, _rows("competition_cycle", state__in="held,missed"))
    kinds = ",".join(kind.value for kind in WITHOUT_DECISION)
    yield Failure("turns without a decision", turns["lost"], _rows("competition_turn", verdict__in=kinds))
    quarantined = _rows("competition_turn", state__exact=TurnState.QUARANTINED.value)
    yield Failure("turns in quarantine", turns["quarantined"], quarantined)
    outcomes = ",".join(str(outcome) for outcome in broken)
    yield Failure("attempts that failed or came late", attempts, _rows("agents_attempt", outcome__in=outcomes))
    failed = _rows("competition_backtest", state__exact=BacktestState.FAILED.value)
    yield Failure("backtests that failed", backtests, failed)
    yield Failure("incidents at the exchange", incidents, _rows("portfolio_incident"))


def _rows(name: str, **which: str) -> str:
    return reverse(f"admin:{name}_changelist") + (f"?{urlencode(which)}" if which else "")


def _budgets(now: datetime) -> list[Budget]:
    """What was used today, of turns, analyses and backtests, most first."""
    day = now.date().isoformat()
    today = Q.create([Q(scope__startswith=f"{kind} {day}/") for kind in ("day", "analyses", "backtests")], Q.OR)
    return sorted(Budget.objects.filter(today), key=lambda row: (-row.usd_reserved - row.usd_spent, row.scope))


def _spent(row: Budget) -> Spent:
    tokens, usd = row.tokens_reserved + row.tokens_spent, row.usd_reserved + row.usd_spent
    kind, _, rest = row.scope.partition(" ")
    agent = rest.partition("/")[2]
    shares = [used / cap for used, cap in ((Decimal(tokens), row.tokens_cap), (usd, row.usd_cap)) if cap]
    return Spent(
        who=agent if kind == "day" else f"{agent}, {kind}",
        tokens=f"{tokens:,}" + ("" if row.tokens_cap is None else f" of {row.tokens_cap:,}"),
        usd=plain(usd) + ("" if row.usd_cap is None else f" of {plain(row.usd_cap)}"),
        share=float(max(shares, default=Decimal(0))),
    )
