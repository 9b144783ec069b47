"""The reliability page: what was played and held, and what runs that try to break it found. All from stored rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Model, Q, QuerySet, Window

from agents.models import SIMULATED_PREFIXES, AgentKind
from competition.core.ranking import coverage
from competition.core.reliability import RunKind
from competition.core.states import TERMINAL_CYCLES, CycleState, SeasonState, TurnState
from competition.models import Audit, Cycle, ReliabilityRun, Revision, Turn
from competition.pages.figures import Moment, duration, moment, percent, relative
from competition.pages.text import line
from competition.pages.trails import Head, heads
from portfolio.core.decisions import VALID_VERDICTS
from portfolio.exchange_models import Incident

MODELS_MAX, SEASONS_MAX, TOLD_MAX = 100, 10, 10
EVERY = Window(Count("id"))  # how many rows there are, beside each of them
KIND_TITLES: Mapping[RunKind, str] = {
    RunKind.SIMULATION: "Simulation",
    RunKind.CHAOS: "Real processes",
    RunKind.MUTATIONS: "Removed guards",
}
KIND_WORDS: Mapping[RunKind, str] = {
    RunKind.SIMULATION: (
        "The steps of the site on a made-up clock, interleaved, killed and cut off at every point by seeded dice."
    ),
    RunKind.CHAOS: (
        "A whole site of its own, whose processes, database and broker are killed and frozen while weeks are played."
    ),
    RunKind.MUTATIONS: "Guards are removed one by one, and each time the simulation has to notice.",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """A number with what it counts."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Played:
    """How the weeks of all seasons of one sort ended; `under_way` have not."""

    title: str
    is_simulated: bool
    closed: int
    held: int
    missed: int
    under_way: int

    @property
    def ended(self) -> int:
        return self.closed + self.held + self.missed


@dataclass(frozen=True, slots=True)
class ModelCoverage:
    """Valid decisions per week in which one was due, over all seasons; `fraction` is text in percent."""

    model: str
    is_simulated: bool
    due: int
    valid: int
    fraction: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of its kind. `told` are the first things that did not hold."""

    at: Moment
    age: str
    took: str
    version: str
    commit: str
    seed: str
    violations: int
    counts: tuple[Counted, ...]
    faults: tuple[Counted, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunsOfKind:
    """All runs of one kind together; `last` is None before there was any."""

    kind: str
    title: str
    words: str
    runs: int
    seeds: int
    took: str
    faults: int
    violations: int
    last: LastRun | None


@dataclass(frozen=True, slots=True)
class Audits:
    """All audits of everything; `last_found` is None before the first."""

    total: int
    with_findings: int
    last_at: Moment | None
    last_age: str
    last_found: int | None


@dataclass(frozen=True, slots=True)
class ReliabilityPage:
    """`headline` and `verdict` sum up what all runs and the last audit found."""

    headline: str
    verdict: str
    played: tuple[Played, ...]
    coverages: tuple[ModelCoverage, ...]
    runs: tuple[RunsOfKind, ...]
    faults: tuple[Counted, ...]
    faults_total: int
    audits: Audits
    heads: tuple[Head, ...]
    quarantined: int
    revisions: int
    last_revisions: tuple[tuple[str, int, Moment, str], ...]
    incidents: int
    last_incidents: tuple[tuple[Moment, str], ...]


def reliability_page(now: datetime) -> ReliabilityPage:
    """Everything the reliability page shows: nine queries."""
    rows = list(ReliabilityRun.objects.order_by("id"))
    runs = tuple(_runs_of(kind, [row for row in rows if row.kind == kind], now) for kind in RunKind)
    faults = sum((Counter(row.faults) for row in rows), Counter[str]())
    audits = _audits(now)
    headline, verdict = _verdict(rows, audits)
    revisions, last_revisions = _newest(Revision.objects.select_related("cycle__season"))
    incidents, last_incidents = _newest(Incident.objects.all())
    return ReliabilityPage(
        headline=headline,
        verdict=verdict,
        played=_played(),
        coverages=_coverages(),
        runs=runs,
        faults=_counted(faults),
        faults_total=faults.total(),
        audits=audits,
        heads=heads(SEASONS_MAX),
        quarantined=Turn.objects.filter(state=TurnState.QUARANTINED.value).count(),
        revisions=revisions,
        last_revisions=tuple(
            (row.cycle.season.slug, row.cycle.number, moment(row.at), line(row.reason)) for row in last_revisions
        ),
        incidents=incidents,
        last_incidents=tuple((moment(row.at), line(f"{row.subject}: {row.sentence}")) for row in last_incidents),
    )


def _verdict(rows: Sequence[ReliabilityRun], audits: Audits) -> tuple[str, str]:
    """Whether the last audit, and the newest run of each kind, found everything in place."""
    newest = {row.kind: row for row in rows}
    broken = [KIND_TITLES[RunKind(kind)].lower() for kind, row in newest.items() if row.violations]
    if audits.last_found:
        broken.append("the audit of the record")
    if broken:
        return (
            "Something did not hold.",
            f"The last word of {' and of '.join(broken)} was a violation. It is told below.",
        )
    if not rows and audits.last_found is None:
        return (
            "Nothing has been tried yet.",
            "No run has tried to break the site here, and no audit has read its record.",
        )
    told = [*(KIND_TITLES[RunKind(kind)].lower() for kind in newest), *(["the audit"] if audits.last_at else [])]
    return "Nothing lost, nothing twice, always finished.", f"No violation in the last of each: {', '.join(told)}."


def _played() -> tuple[Played, ...]:
    """How the weeks of real and of made-up markets ended: one query."""
    rows = (
        Cycle.objects.exclude(season__state=SeasonState.DRAFT.value)
        .values_list("season__rules__market_source", "state")
        .annotate(n=Count("id"))
        .order_by()
    )
    states: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for source, state, number in rows:
        states[source == "synthetic"][state] += number
    titles = {False: "Seasons on real prices", True: "Seasons on a made-up market"}
    return tuple(_sort(titles[made_up], made_up, found) for made_up, found in states.items() if found)


def _sort(title: str, is_simulated: bool, states: Counter[str]) -> Played:
    ended = {state.value: states[state.value] for state in TERMINAL_CYCLES}
    return Played(
        title,
        is_simulated,
        closed=ended[CycleState.CLOSED.value],
        held=ended[CycleState.HELD.value],
        missed=ended[CycleState.MISSED.value],
        under_way=states.total() - sum(ended.values()),
    )


def _coverages() -> tuple[ModelCoverage, ...]:
    """Coverage of every model that was asked, the best first: one query. The house's own yardsticks are no models."""
    valid = Q(verdict__in=[kind.value for kind in VALID_VERDICTS])
    rows = (
        Turn.objects.exclude(entry__agent__kind=AgentKind.BASELINE.value)
        .exclude(state=TurnState.ASKING.value)
        .values_list("entry__agent__model")
        .annotate(due=Count("id"), valid=Count("id", filter=valid))
        .order_by("entry__agent__model")
    )
    found = sorted(rows, key=lambda row: (-row[2] / row[1], -row[1], row[0]))[:MODELS_MAX]
    return tuple(
        ModelCoverage(line(model), model.startswith(SIMULATED_PREFIXES), due, good, percent(coverage(due, good)))
        for model, due, good in found
    )


def _runs_of(kind: RunKind, rows: Sequence[ReliabilityRun], now: datetime) -> RunsOfKind:
    took = sum((row.ended_at - row.started_at for row in rows), timedelta())
    return RunsOfKind(
        kind=kind.value,
        title=KIND_TITLES[kind],
        words=KIND_WORDS[kind],
        runs=len(rows),
        seeds=sum(row.seeds_count for row in rows),
        took=duration(took),
        faults=sum(sum(row.faults.values()) for row in rows),
        violations=sum(row.violations for row in rows),
        last=_last(rows[-1], now) if rows else None,
    )


def _last(row: ReliabilityRun, now: datetime) -> LastRun:
    several = row.seeds_count > 1
    return LastRun(
        at=moment(row.ended_at),
        age=relative(row.ended_at, now),
        took=duration(row.ended_at - row.started_at),
        version=row.version,
        commit=row.commit[:12] + ("-dirty" if row.commit.endswith("-dirty") else ""),
        seed=f"{row.seed} to {row.seed + row.seeds_count - 1}" if several else str(row.seed),
        violations=row.violations,
        counts=_counted(row.counts),
        faults=_counted(row.faults),
        told=tuple(line(sentence) for sentence in row.findings[:TOLD_MAX]),
    )


def _counted(numbers: Mapping[str, int]) -> tuple[Counted, ...]:
    return tuple(Counted(line(name), number) for name, number in _as_written(numbers.items()))


def _as_written(items: Iterable[tuple[str, int]]) -> Sequence[tuple[str, int]]:
    """The most first; JSON of the database keeps no order."""
    return sorted(items, key=lambda item: (-item[1], item[0]))


def _audits(now: datetime) -> Audits:
    """All audits of everything, counted beside the last of them: one query."""
    bad = Window(Count("id", filter=Q(findings_count__gt=0)))
    last = (
        Audit.objects.filter(season="")
        .annotate(total=EVERY, bad=bad)
        .defer("findings", "seals")
        .order_by("-id")
        .first()
    )
    if last is None:
        return Audits(0, 0, None, "", None)
    return Audits(last.total, last.bad, moment(last.at), relative(last.at, now), last.findings_count)


def _newest[M: Model](rows: QuerySet[M]) -> tuple[int, list[M]]:
    """How many rows there are, and the newest of them: one query."""
    found = list(rows.annotate(total=EVERY).order_by("-id")[:TOLD_MAX])
    return (found[0].total if found else 0), found  # type: ignore[attr-defined]  # annotated
