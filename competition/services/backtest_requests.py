"""From what a user asks for to a backtest: checked against agents, symbols and stored candles, then written as a row.

Every complaint names the field it is about, so that a page shows it beside the field and a command beside the flag.
Nothing is written before all of them are content. The web process asks through here: no array library is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from pydantic import ValidationError

from agents.budget import caps_of
from agents.core.roster import Profile, house, rules
from agents.cutoffs import cutoffs_of
from agents.models import Agent
from competition.backtest_models import Backtest
from competition.core.backtest_parameters import (
    ENGINE_VERSION,
    AgentSpec,
    BacktestParameters,
    usual_band,
)
from competition.core.contamination import contamination
from competition.core.rule_problems import rule_problems
from competition.services.backtest_checks import CHECKS
from competition.services.backtest_costs import cost_of, cost_problems, may_cost, models_behind
from competition.services.backtests import Asker, request_backtest
from market.core.candles import TIMEFRAME_S
from market.core.symbols import UnknownSymbol, symbols_content
from market.models import SeriesVersion
from market.queries import listed_symbols

CANDLES_MAX = 3_000_000
DIGITS_MAX = 100  # before or behind the point, of what is looked at any further
EARLIEST, LATEST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # before it nothing was traded


class BacktestRefused(ValueError):
    """It cannot be played as asked. `problems` are sentences by field, which is a field of `BacktestWish`."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class BacktestWish:
    """What a user typed: texts as they came, None where nothing was. Agents are slugs."""

    agents: tuple[str, ...]
    symbols: tuple[str, ...]
    first: str
    last: str
    timeframe: str = "1h"
    every: str = "1w"
    fill: str = "next_close"
    source: str = "stored"
    seed: int = 1
    capital: str = "10000"
    fee_bps: str = "10"
    slippage_bps: str = "5"
    drift_band: str | None = None
    max_candles: int = CANDLES_MAX
    max_usd: str | None = None
    mask: bool = False


def ask_for(wish: BacktestWish, asker: Asker, now: datetime) -> tuple[Backtest, bool]:
    """The backtest of this wish, and whether there is anything left to do. Raises `BacktestRefused`.

    One that costs money is refused unless it is said how much it may cost.
    """
    parameters = parameters_from(wish)
    if problems := cost_problems(parameters, cost_of(parameters, caps_of(settings), now)):
        raise BacktestRefused(problems)
    return request_backtest(parameters, data_of(parameters), label_of(parameters), asker, now)


def parameters_from(wish: BacktestWish) -> BacktestParameters:
    """The wish as checked parameters: everything is known, and the candles are there. Raises `BacktestRefused`."""
    fields = _read(wish)
    try:
        parameters = BacktestParameters.model_validate(fields)
    except ValidationError as error:
        found = _by_field(rule_problems(error))
        if wish.drift_band is None and len(found) > 1:  # it follows from costs that are complained of themselves
            found.pop("drift_band", None)
        raise BacktestRefused(found) from None
    problems: dict[str, str] = {}
    for check in CHECKS:
        problems = problems or dict(check(parameters, wish.max_candles))
    if problems:
        raise BacktestRefused(problems)
    if any(may_cost(agent.model) for agent in parameters.agents):
        return parameters
    return BacktestParameters.model_validate({**fields, "max_usd": None})  # it bounds nothing, and makes no other one


def data_of(parameters: BacktestParameters) -> dict[str, Any]:
    """What the result depends on besides the parameters: the filters, the version of each series, the engine."""
    symbols = listed_symbols(parameters.symbols)
    data: dict[str, Any] = {"engine": ENGINE_VERSION, "symbols": symbols_content(symbols.values())}
    if parameters.source == "stored":
        versions = SeriesVersion.objects.filter(symbol__in=parameters.symbols, timeframe=parameters.timeframe)
        data["series"] = {row.symbol: str(row.version) for row in versions}
    return data


def label_of(parameters: BacktestParameters) -> str:
    """Whether a model may have read the past it is tested on, by what is on record of its training."""
    models = [model for agent in parameters.agents for model in models_behind(agent)]
    return contamination(parameters.first, cutoffs_of(models).values())


def agents_there_are(seed: int, universe: Sequence[str]) -> dict[str, AgentSpec]:
    """Everybody who can be named, by slug: the newest version of every agent, and of the house whoever has no row."""
    rows: Any = Agent.objects.order_by("slug", "-version").distinct("slug")
    known = {profile.slug: _spec(profile) for profile in (*house(seed, universe), *rules())}
    return known | {row.slug: _spec(row) for row in rows}


def _spec(agent: Agent | Profile) -> AgentSpec:
    return AgentSpec(
        slug=agent.slug, name=agent.name, kind=agent.kind, model=agent.model, parameters=dict(agent.parameters)
    )


def _read(wish: BacktestWish) -> dict[str, Any]:
    """The wish as values of the fields; everything that cannot be read is complained of at once."""
    problems: dict[str, str] = {}
    fields: dict[str, Any] = {
        "symbols": wish.symbols,
        "every": wish.every,
        "fill": wish.fill,
        "source": wish.source,
        "seed": wish.seed,
        "mask": wish.mask,
    }
    for name in ("first", "last"):
        _keep(fields, problems, name, _instant, getattr(wish, name))
    for name in ("capital", "fee_bps", "slippage_bps", "drift_band", "max_usd"):
        if getattr(wish, name) is not None:
            _keep(fields, problems, name, _number, getattr(wish, name))
    _keep(fields, problems, "timeframe", _timeframe, wish.timeframe)
    _keep(fields, problems, "agents", _agents, wish)
    _keep(fields, problems, "symbols", _symbols, wish.symbols)
    if {"agents", "symbols"} <= fields.keys() and (absent := _wanted_elsewhere(fields["agents"], fields["symbols"])):
        problems["agents"] = absent
    if "capital" in fields and fields["capital"] <= 0:
        problems["capital"] = f"{wish.capital} leaves nothing to invest; it must be above zero."
    if {"first", "last"} <= fields.keys() and fields["last"] <= fields["first"]:
        problems["last"] = f"{wish.last} is not after {wish.first}; the end must come after the beginning."
    if problems:
        raise BacktestRefused(problems)
    if "drift_band" not in fields:
        fields["drift_band"] = usual_band(fields["fee_bps"], fields["slippage_bps"])
    return fields


def _keep(fields: dict[str, Any], problems: dict[str, str], name: str, read: Any, typed: Any) -> None:
    try:
        fields[name] = read(typed)
    except (ValueError, ArithmeticError) as error:
        problems[name] = str(error)


def _timeframe(text: str) -> str:
    if text not in TIMEFRAME_S:
        lengths = ", ".join(sorted(TIMEFRAME_S, key=lambda name: TIMEFRAME_S[name]))
        raise ValueError(f"Candles of {text} are not kept; choose one of {lengths}.")
    return text


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text!r} is not a number; write it as 10000 or 0.5.") from None
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a number; write it as 10000 or 0.5.")
    if number and abs(number.adjusted()) > DIGITS_MAX:  # arithmetic with it would overflow before it is refused
        raise ValueError(f"{text} is too far from zero or too near to it; write it as 10000 or 0.5.")
    return number


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; write it as 2021-01-04 or 2021-01-04T12:00.") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not EARLIEST <= at <= LATEST:  # compared where it is: some of those beyond are no instants in UTC at all
        raise ValueError(f"{text} is out of reach; choose a date from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}.")
    return at.astimezone(UTC)


def _agents(wish: BacktestWish) -> tuple[AgentSpec, ...]:
    if not wish.agents:
        raise ValueError("Name at least one agent.")
    known = agents_there_are(wish.seed, wish.symbols)
    if unknown := [slug for slug in wish.agents if slug not in known]:
        raise ValueError(f"There is no agent {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    return tuple(known[slug] for slug in wish.agents)


def _wanted_elsewhere(agents: Sequence[AgentSpec], symbols: Sequence[str]) -> str:
    """Whose only wish is for symbols that are not played: it would be refused at every decision, and never trade."""
    wanted = {agent.slug: sorted(agent.parameters.get("weights", ())) for agent in agents if agent.kind == "baseline"}
    absent = {slug: names for slug, names in wanted.items() if names and not set(names) & set(symbols)}
    return " ".join(
        f"{slug} buys {', '.join(names)} alone, which is not among the symbols: add it, or leave {slug} out."
        for slug, names in absent.items()
    )


def _symbols(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise ValueError("Name at least one symbol.")
    try:
        return tuple(listed_symbols(names))
    except UnknownSymbol as error:
        raise ValueError(str(error)) from None


def _by_field(problems: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for problem in problems:
        field, _, rest = problem.partition(" ")
        name = field.rstrip(":").split(".")[0]
        known = name in BacktestWish.__dataclass_fields__
        found[name if known else "agents"] = f"{problem if not known else f'{name} {rest}'}."
    return found
