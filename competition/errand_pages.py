"""What an operator is told before an errand, and while it is done."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.conf import settings

from agents.budget import caps_of
from agents.core.planned_calls import planned_calls
from competition.analyses import Analysis
from competition.core.schedule import boundary
from competition.core.states import TERMINAL_CYCLES, AnalysisState, CycleState, ErrandState, SeasonState, TurnState
from competition.errands import EntryPause, Errand, ErrandKind
from competition.models import Cycle, Season
from competition.pages.figures import moment, relative
from competition.pages.text import detail
from competition.services.projections import season_cost
from market.core.canonical import plain
from portfolio.exchange_models import Reconciliation

USD = Decimal("0.0001")
PHASES = (CycleState.BRIEFING, CycleState.ASKING, CycleState.TRADING, CycleState.CLOSING, CycleState.CLOSED)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What will happen, in sentences; with a `problem` it cannot be asked for. `button` says yes."""

    title: str
    button: str
    sentences: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that an errand set in motion: how far of how much, and the word for it."""

    name: str
    word: str
    done: int
    of: int

    @property
    def is_over(self) -> bool:
        return self.done == self.of


@dataclass(frozen=True, slots=True)
class AccountLook:
    """What was compared at the exchange. `rows` are the cells of a line below `heads`."""

    heads: ClassVar = ("Asset", "Ledgers", "Account", "Moved by our trades", "Unexplained")

    row: Reconciliation
    rows: tuple[tuple[str, ...], ...]
    told: tuple[str, ...]

    @property
    def doubt(self) -> str:
        """Why balances were not judged; empty when they were."""
        if not self.row.lines or any(line["unexplained"] is not None for line in self.row.lines):
            return ""
        if not self.row.is_still:
            return "Balances were not judged, because orders were under way or something of ours moved meanwhile."
        return (
            "Balances were not judged, because nobody had looked at them before; the next look is held against these."
        )

    @property
    def untold(self) -> int:
        """How many differences are beyond those that are told."""
        return self.row.findings_count - len(self.told)


@dataclass(frozen=True, slots=True)
class Course:
    """How far an errand is. `is_over`: nothing of it will change any more."""

    errand: Errand
    waits: str
    steps: tuple[Step, ...]
    account: "AccountLook | None" = None

    @property
    def is_alarming(self) -> bool:
        return self.errand.state == ErrandState.FAILED or (self.account is not None and bool(self.account.told))

    @property
    def is_over(self) -> bool:
        ended = self.errand.state in (ErrandState.DONE, ErrandState.FAILED)
        return ended and all(step.is_over for step in self.steps)


def confirmation_of(kind: ErrandKind, season: Season | None, cycle: Cycle | None, now: datetime) -> Confirmation:
    """What asking for this would do at `now`."""
    if kind == ErrandKind.LOOK:
        return Confirmation("Run now", "Yes, run now", tuple(_look(now)))
    if kind == ErrandKind.RECONCILE:
        return Confirmation("Reconcile the account", "Yes, reconcile", tuple(_reconcile()))
    if kind == ErrandKind.RETRY and cycle:
        return _retry(cycle)
    if kind == ErrandKind.REHEARSE and season:
        return _rehearse(season, now)
    return Confirmation(kind.label.capitalize(), "", (), "It is not said of what. Start from a season or a cycle.")


def _reconcile() -> Iterator[str]:
    seasons = Season.objects.filter(state=SeasonState.OPEN.value, rules__execution="testnet").order_by("id")
    names = ", ".join(str(season) for season in seasons)
    beside = f"with the ledgers of every entry of {names}" if names else "with our record; no open season trades there"
    yield f"The orders, trades and balances of the account at the exchange are read and compared {beside}."
    yield "Nothing is ordered and no ledger changes. What differs becomes a row under Reconciliations, and is public."
    yield "Only the process that holds the keys of the account can do it."


def _look(now: datetime) -> Iterator[str]:
    yield "Whatever is due is done at once, instead of at the next tick. No cycle opens before the time its rules name."
    paused = EntryPause.objects.in_force().count()
    for season in Season.objects.filter(state=SeasonState.OPEN.value).order_by("-id"):
        yield _next_of(season, now)
    if paused:
        yield f"Entries that are paused are not asked: {paused}."


def _next_of(season: Season, now: datetime) -> str:
    newest = season.cycles.order_by("-number").first()
    if newest and newest.state not in TERMINAL_CYCLES:
        return f"{season}: week {newest.number} is {newest.state}; its next step is taken."
    number, rules = (newest.number if newest else 0) + 1, season.rule_book
    if number > rules.cycles:
        return f"{season}: every week of its calendar has ended; it is closed."
    due = boundary(rules, number)
    if due <= now:
        return f"{season}: week {number} was due {relative(due, now)} and is opened, or recorded as missed if too late."
    return f"{season}: nothing is due. Week {number} opens {relative(due, now)}, on {moment(due).text} UTC."


def _retry(cycle: Cycle) -> Confirmation:
    title, button = f"Retry the stage of {cycle}", "Yes, retry"
    if cycle.state in TERMINAL_CYCLES:
        return Confirmation(title, "", (), f"It is {cycle.state}, and a cycle that has ended never changes.")
    sentences = [f"It is {cycle.state}, and that step is tried again at once. It is tried at every tick anyway."]
    if cycle.reason:
        sentences.append(f"Why it waits: {cycle.reason}.")
    if cycle.state == CycleState.ASKING:
        sentences.append("Entries without a verdict are asked as often as the rules allow, which may cost money.")
    sentences.append("Steps that were taken are not taken again: no order is sent twice, and no reply is asked twice.")
    return Confirmation(title, button, tuple(sentences))


def _rehearse(season: Season, now: datetime) -> Confirmation:
    title, button = f"Ask everybody in {season}, without trading", "Yes, ask"
    if season.state != SeasonState.OPEN:
        return Confirmation(title, "", (), f"It is {season.state}; only the entries of an open season can be asked.")
    if not season.cycles.exclude(snapshot=None).exists():
        return Confirmation(title, "", (), "There is no snapshot yet; ask when its first cycle has begun.")
    cost = season_cost(season, planned_calls, caps_of(settings), now).total
    expected = plain((cost.expected_usd / season.rule_book.cycles).quantize(USD))
    sentences = (
        f"Each of its {season.entries.count()} entries is asked once what it would do with its book of now, on the "
        "newest snapshot. The answer moves nothing and counts for nothing.",
        f"It is expected to cost about {expected} USD, as a cycle does, from the accounts of analyses, so that nobody "
        "loses what it needs for its turns.",
    )
    return Confirmation(title, button, sentences)


def course_of(errand: Errand) -> Course:
    """How far an errand, and what it set in motion, is."""
    waits = ""
    if errand.state == ErrandState.QUEUED:
        waits = "A worker or the second ticker takes it up within moments, if one is alive."
        if errand.kind == ErrandKind.RECONCILE:
            waits = "The worker that holds the keys of the account takes it up within moments, if it is alive."
    return Course(errand, waits, tuple(_steps(errand)), _account(errand.look) if errand.look else None)


def _account(row: Reconciliation) -> AccountLook:
    rows = tuple(
        (
            *(str(line[name]) for name in ("asset", "books", "account", "moved")),
            "not judged" if line["unexplained"] is None else line["unexplained"],
        )
        for line in row.lines_of_ours
    )
    return AccountLook(row, rows, tuple(detail(f"{kind} {name}: {said}") for kind, name, said in row.findings))


def _steps(errand: Errand) -> Iterator[Step]:
    if errand.state == ErrandState.QUEUED or errand.kind == ErrandKind.RECONCILE:
        return
    if errand.kind == ErrandKind.REHEARSE:
        rows = Analysis.objects.filter(entry__season=errand.season, asked_at__gte=errand.started_at, asked_by=None)
        for row in rows.select_related("entry").order_by("id"):
            over = row.state == AnalysisState.ENDED
            yield Step(row.entry.slug, row.get_verdict_display() or row.state, int(over), 1)
        return
    for cycle in _cycles_of(errand):
        yield from _steps_of(cycle)


def _cycles_of(errand: Errand) -> list[Cycle]:
    """The cycle it is about; of a look, those that it found running or opened."""
    rows = Cycle.objects.select_related("season").order_by("id")
    if errand.cycle_id:
        return list(rows.filter(id=errand.cycle_id))
    seen = rows.filter(season__state=SeasonState.OPEN.value, opened_at__lte=errand.ended_at or errand.started_at)
    terminal = [state.value for state in TERMINAL_CYCLES]
    return list(seen.exclude(state__in=terminal) | seen.filter(closed_at__gte=errand.started_at))


def _steps_of(cycle: Cycle) -> Iterator[Step]:
    if cycle.state in TERMINAL_CYCLES:
        yield Step(str(cycle), cycle.state, len(PHASES), len(PHASES))
        return
    yield Step(str(cycle), cycle.state, PHASES.index(CycleState(cycle.state)), len(PHASES))
    if cycle.state == CycleState.ASKING:
        turns = cycle.turns.count()
        decided = cycle.turns.exclude(state=TurnState.ASKING.value).count()
        yield Step(f"verdicts in {cycle}", f"{decided} of {turns}", decided, turns)
