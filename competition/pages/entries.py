"""The page of one entry: who it is, how it stands, what it holds, and everything it decided and traded."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from agents.models import Agent, AgentKind
from competition.core.ranking import StandingRow
from competition.core.rules import Rules
from competition.models import Entry, Season, Standing
from competition.pages.behaviour import Behaviour, behaviour_of, flows_of, weeks_of
from competition.pages.charts import Chart
from competition.pages.curves import chart_of, read_curves
from competition.pages.exports import ExportLink, export_links
from competition.pages.figures import NOTHING, Figure, money, percent, points, signed_percent
from competition.pages.frame import Link, NotThere
from competition.pages.history import Decisions, Trades, decisions_of, trades_of
from competition.pages.holdings import CASH, Holding, PricedBook, book_and_others
from competition.pages.names import EntryName, habit, name_of, spoken
from competition.pages.pictures import Segment, hues_of, segments
from competition.pages.progress import Progress
from competition.pages.table import standing_columns
from competition.pages.text import line
from competition.pages.versions import Version, versions_of
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared

LINKS_MAX = 30


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the entry is. `models` are its model strings by what they are for, `parameters` its settings by name.

    `habit` says what a scripted one does.
    """

    name: EntryName
    models: tuple[tuple[str, str], ...]
    version: int
    number: int
    portfolio_key: str
    habit: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure of this entry beside the benchmark's; `theirs` is empty when there is none to compare with."""

    label: str
    ours: Figure
    theirs: str


@dataclass(frozen=True, slots=True)
class EntryPage:
    identity: Identity
    rank: str
    unranked: str
    benchmark: EntryName | None
    figures: tuple[KeyFigure, ...]
    chart: Chart
    holdings: tuple[Holding, ...]
    bar: tuple[Segment, ...]
    behaviour: Behaviour
    versions: tuple[Version, ...]
    decisions: Decisions
    trades: Trades
    exports: tuple[ExportLink, ...]
    quote: str


_STANDINGS = Prepared(
    lambda: standing_columns(Standing.objects.current().filter(OneOf("entry", Given("entries")), cycle=Given("cycle")))
)


def pair_named(season: Season, slug: str) -> tuple[Entry, Entry | None]:
    """The entry of this slug, and the season's benchmark unless that is the same; raises `NotThere`."""
    rows = season.entries.select_related("agent", "portfolio")
    found = {entry.slug: entry for entry in rows.filter(slug__in=[slug, season.rule_book.benchmark])}
    entry = found.pop(slug, None)
    if entry is None:
        raise _nobody(season)
    return entry, found.get(season.rule_book.benchmark)


def entry_named(season: Season, slug: str) -> Entry:
    """The entry of this slug, with agent and portfolio: one query. Raises `NotThere`."""
    entry = season.entries.select_related("agent", "portfolio").filter(slug=slug).first()
    if entry is None:
        raise _nobody(season)
    return entry


def _nobody(season: Season) -> NotThere:
    others = season.entries.select_related("agent").order_by("number")[:LINKS_MAX]
    links = [Link(reverse("entry", args=[season.slug, other.slug]), line(other.agent.name)) for other in others]
    return NotThere(f"Nobody of this name takes part in {line(season.name)}.", links)


def entry_page(season: Season, slug: str, progress: Progress, *, decisions_page: int, trades_page: int) -> EntryPage:
    """Everything about one entry: nine queries. Raises `NotThere` for an unknown one."""
    rules = season.rule_book
    entry, benchmark = pair_named(season, slug)
    pair = [entry, benchmark] if benchmark else [entry]
    standings = standings_of_pair(pair, progress)
    book, others = book_and_others(entry, season, progress.priced)
    ours = standings.get(entry.slug)
    weeks, flows = weeks_of(entry), flows_of(entry.portfolio)
    return EntryPage(
        identity=_identity(entry),
        rank=NOTHING if ours is None or ours.rank is None else str(ours.rank),
        unranked=ours.unranked if ours else "no week has closed",
        benchmark=name_of(benchmark) if benchmark else None,
        figures=_figures(ours, standings.get(benchmark.slug) if benchmark else None, rules),
        chart=_chart(pair, rules, progress),
        holdings=book.lines(),
        bar=_bar(book, rules),
        behaviour=behaviour_of(weeks, flows, book, others, rules.capital),
        versions=versions_of(entry.agent),
        decisions=decisions_of(entry, decisions_page, weeks, flows),
        trades=trades_of(entry.portfolio, trades_page),
        exports=export_links(season.slug, entry.slug),
        quote=rules.quote,
    )


def _identity(entry: Entry) -> Identity:
    agent = entry.agent
    given = {key: value for key, value in agent.parameters.items() if key != "analyst_model"}
    return Identity(
        name=name_of(entry),
        models=_models(agent),
        version=agent.version,
        number=entry.number,
        portfolio_key=entry.portfolio.key,
        habit=habit(agent),
        parameters=tuple((line(str(key).replace("_", " ")), line(str(value))) for key, value in sorted(given.items())),
    )


def _models(agent: Agent) -> tuple[tuple[str, str], ...]:
    """The model strings; a firm may have a cheaper one for its analysts."""
    if agent.kind != AgentKind.FIRM:
        return (("Model", line(agent.model)),)
    analysts = str(agent.parameters.get("analyst_model") or agent.model)
    return (("Model of the desk", line(agent.model)), ("Model of the analysts", line(analysts)))


def standings_of_pair(pair: Sequence[Entry], progress: Progress) -> dict[str, StandingRow]:
    if not progress.closed:
        return {}
    slugs = {entry.id: entry.slug for entry in pair}
    rows = _STANDINGS.rows(cycle=progress.closed.id, entries=list(slugs))
    return {slugs[entry_id]: StandingRow(slugs[entry_id], *row) for entry_id, *row in rows}


def _figures(ours: StandingRow | None, theirs: StandingRow | None, rules: Rules) -> tuple[KeyFigure, ...]:
    if ours is None:
        return (KeyFigure("Start capital", Figure(f"{money(rules.capital)} {rules.quote}"), ""),)
    own, other = _column(ours, rules), _column(theirs, rules) if theirs else {}
    return tuple(KeyFigure(label, figure, other[label].text if other else "") for label, figure in own.items())


def _column(row: StandingRow, rules: Rules) -> dict[str, Figure]:
    return {
        "Value": Figure(f"{money(row.value)} {rules.quote}"),
        "Net return": signed_percent(row.net_return, 2),
        "Against benchmark": Figure(NOTHING) if row.excess_return is None else _in_points(row),
        "Deepest fall": Figure(percent(row.max_drawdown, 2)),
        "Turnover": Figure(f"{money(row.turnover)} × value"),
        "Trading fees": Figure(f"{money(row.fees)} {rules.quote}"),
        "AI cost": Figure(f"{money(row.ai_cost)} USD"),
        "Valid decisions": Figure(f"{row.valid}/{row.due}, {percent(row.coverage, 0)}"),
    }


def _in_points(row: StandingRow) -> Figure:
    figure = points(row.excess_return, 2) if row.excess_return is not None else Figure(NOTHING)
    return Figure(f"{figure.text} points", figure.sign)


def _chart(pair: Sequence[Entry], rules: Rules, progress: Progress) -> Chart:
    curves = read_curves([entry.portfolio_id for entry in pair], progress.week, rules.capital)
    names = {entry.portfolio_id: name_of(entry) for entry in pair}
    shown = [f"{spoken(name)} stands at {_last(curves.of(key))}" for key, name in names.items()]
    message = f"{' and '.join(shown)}, where the start is 100."
    return chart_of("Equity against the benchmark", message, names, curves, benchmark=rules.benchmark)


def _last(values: Sequence[str | None]) -> str:
    return next((value for value in reversed(values) if value is not None), "100")


def _bar(book: PricedBook, rules: Rules) -> tuple[Segment, ...]:
    hues = hues_of([symbol.removesuffix(rules.quote) for symbol in rules.universe])
    return segments(book.weights(), hues, CASH)
