"""The page of a season's AI costs: who spent how much on whom, when, at which prices, and what is left to spend."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from agents.models import Budget, Price
from competition.core.states import SeasonState
from competition.models import Entry, Season
from competition.pages.called import exact_usd, is_simulated
from competition.pages.figures import NOTHING, Moment, moment, percent
from competition.pages.names import EntryName, entry_name
from competition.pages.spend_tables import SpendTable, spend_tables
from competition.pages.spending import Spending, Spent, added, spent_in
from competition.pages.text import line
from portfolio.prepared import Given, Prepared

PRICES_MAX = 300
_PAYERS = Prepared(
    lambda: (
        Entry.objects.filter(season=Given("season"))
        .order_by("number")
        .values_list("slug", "agent__slug", "agent__name", "agent__kind", "agent__model", "agent__parameters")
    )
)


@dataclass(frozen=True, slots=True)
class _Payer:
    """An entry as far as costs need it: `models` are those it is set up with."""

    name: EntryName
    agent: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """What one entry may use, in the whole season or today; `left` is the cap less what is spent and reserved."""

    entry: EntryName
    period: str
    tokens_cap: str
    tokens_spent: str
    tokens_reserved: str
    tokens_left: str
    usd_cap: str
    usd_spent: str
    usd_reserved: str
    usd_left: str


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A dated row of the price list. `standing` is `in force`, `replaced`, or `to come`."""

    model: str
    is_simulated: bool
    valid_from: Moment
    standing: str
    prompt: str
    cached: str
    completion: str
    source: str


@dataclass(frozen=True, slots=True)
class CostsPage:
    """`facts` and `tables` are empty without a call; `simulated` is the part nobody was paid, or empty.

    `is_under_way`: more may be spent. A season that is over has no `budgets`.
    """

    total: str
    simulated: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[SpendTable, ...]
    is_under_way: bool
    budgets: tuple[BudgetLine, ...]
    today: str
    prices: tuple[PriceRow, ...]


def costs_page(season: Season, now: datetime) -> CostsPage:
    """Everything the season's calls cost, and may still cost: four queries."""
    spent = spent_in(season)
    payers = _payers(season)
    today = now.astimezone(UTC).date()
    total = spent.total
    is_under_way = season.state == SeasonState.OPEN
    scripted = added(share.spending for share in spent.shares if is_simulated(share.model))
    return CostsPage(
        total=exact_usd(total.usd),
        simulated=exact_usd(scripted.usd) if scripted.calls else "",
        facts=_facts(total, len(spent.weeks), season.rule_book.cycles) if total.calls else (),
        tables=spend_tables(season, spent, {payer.name.slug: payer.name for payer in payers}),
        is_under_way=is_under_way,
        budgets=_budgets(season, payers, today) if is_under_way else (),
        today=f"{today:%-d %b %Y}",
        prices=_prices(_models(payers, spent), now),
    )


def _facts(total: Spending, weeks: int, cycles: int) -> tuple[tuple[str, str], ...]:
    return (
        ("Calls", f"{total.calls:,}"),
        ("Failed calls", f"{total.failed:,}, {percent(Decimal(total.failed) / total.calls)}"),
        ("Tokens charged", f"{total.tokens:,}"),
        ("Charged at the worst case", f"{percent(total.worst_share)} of the USD, {total.worst:,} of the calls"),
        ("Weeks with calls", f"{weeks:,} of {cycles:,}"),
        ("The whole season at this pace", f"about {total.usd / weeks * cycles:,.2f} USD"),
    )


def _payers(season: Season) -> list[_Payer]:
    """Everyone in the season, by number: one query, and no model of a row."""
    return [
        _Payer(
            entry_name(slug, name, kind, model),
            agent,
            tuple(given for given in (model, parameters.get("analyst_model")) if isinstance(given, str)),
        )
        for slug, agent, name, kind, model, parameters in _PAYERS.rows(season=season.id)
    ]


def _budgets(season: Season, payers: Sequence[_Payer], today: date) -> tuple[BudgetLine, ...]:
    """The rows there are, by number of the entry: the season's first, then today's.

    Today's caps hold for an agent in all its seasons, so the row of one that spent only in others is left out.
    """
    whole = {f"season {season.slug}/{payer.agent}": payer.name for payer in payers}
    days = {f"day {today.isoformat()}/{payer.agent}": payer.name for payer in payers}
    rows = {row.scope: row for row in Budget.objects.filter(scope__in=[*whole, *days])}
    lines = []
    for (season_scope, name), day_scope in zip(whole.items(), days, strict=True):
        if season_scope in rows:
            scopes = ((season_scope, "season"), (day_scope, "today, all seasons"))
            lines += [_budget(name, period, rows[scope]) for scope, period in scopes if scope in rows]
    return tuple(lines)


def _budget(entry: EntryName, period: str, row: Budget) -> BudgetLine:
    tokens_cap, usd_cap = row.tokens_cap, row.usd_cap
    return BudgetLine(
        entry=entry,
        period=period,
        tokens_cap="no cap" if tokens_cap is None else f"{tokens_cap:,}",
        tokens_spent=f"{row.tokens_spent:,}",
        tokens_reserved=f"{row.tokens_reserved:,}",
        tokens_left=NOTHING if tokens_cap is None else f"{tokens_cap - row.tokens_spent - row.tokens_reserved:,}",
        usd_cap="no cap" if usd_cap is None else exact_usd(usd_cap),
        usd_spent=exact_usd(row.usd_spent),
        usd_reserved=exact_usd(row.usd_reserved),
        usd_left=NOTHING if usd_cap is None else exact_usd(usd_cap - row.usd_spent - row.usd_reserved),
    )


def _models(payers: Iterable[_Payer], spent: Spent) -> set[str]:
    """Every model that was called or that an entry is set up with."""
    return {share.model for share in spent.shares}.union(*(payer.models for payer in payers))


def _prices(models: Iterable[str], now: datetime) -> tuple[PriceRow, ...]:
    """The price list of these models, the newest row of each first: one query."""
    rows = Price.objects.filter(model__in=sorted(models)).order_by("model", "-valid_from")[:PRICES_MAX]
    in_force: dict[str, Price] = {}
    shown = []
    for row in rows:
        standing = "to come" if row.valid_from > now else "replaced" if row.model in in_force else "in force"
        if standing == "in force":
            in_force[row.model] = row
        shown.append(_price(row, standing))
    return tuple(shown)


def _price(row: Price, standing: str) -> PriceRow:
    return PriceRow(
        model=line(row.model),
        is_simulated=is_simulated(row.model),
        valid_from=moment(row.valid_from),
        standing=standing,
        prompt=exact_usd(row.prompt_usd),
        cached=exact_usd(row.cached_usd),
        completion=exact_usd(row.completion_usd),
        source=line(row.source),
    )
