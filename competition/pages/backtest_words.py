"""Backtests in words: their states as marks, who plays in them, and what was asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.models import SIMULATED_PREFIXES
from competition.backtest_models import Label
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.states import BacktestState
from competition.pages.figures import listed, money, quantity
from competition.pages.text import line
from competition.pages.words import Mark
from competition.services.backtest_costs import may_cost

STATE_MARKS = {
    BacktestState.QUEUED: Mark("Waiting", "ring", "running"),
    BacktestState.RUNNING: Mark("Running", "half", "running"),
    BacktestState.DONE: Mark("Done", "diamond", "acted"),
    BacktestState.FAILED: Mark("Failed", "cross", "failed"),
    BacktestState.CANCELLED: Mark("Cancelled", "bar", "calm"),
}
LABEL_MARKS = {
    Label.NO_MODEL.value: ("diamond", "calm", "Nobody who takes part can remember these prices."),
    Label.BEFORE.value: (
        "triangle",
        "failed",
        "The period lies before the training cutoff of a model: it may have read what happened. This says nothing "
        "about the future.",
    ),
    Label.UNKNOWN.value: (
        "triangle",
        "failed",
        "The training cutoff of a model is unknown: it may have read what happened. Take the result as an upper bound.",
    ),
    Label.AFTER.value: (
        "diamond",
        "acted",
        "The period lies after the training cutoff of every model that takes part.",
    ),
}
EVERY_WORDS = {"candle": "every candle", "1d": "every day", "1w": "every week"}
FILL_WORDS = {"next_close": "the close of the next candle", "next_open": "the open of the next candle"}
SOURCE_WORDS = {"stored": "stored candles", "synthetic": "a made-up market"}
MASK_WORDS = {False: "as they are", True: "without dates, names and levels of prices"}
NAMES_MAX = 3


@dataclass(frozen=True, slots=True)
class Player:
    """An agent of a backtest wherever it is listed."""

    slug: str
    name: str
    kind: str
    model: str
    is_simulated: bool


def player_of(spec: AgentSpec) -> Player:
    kind = "rule" if spec.model.startswith("rule/") else {"single": "model"}.get(spec.kind, spec.kind)
    return Player(spec.slug, line(spec.name), kind, line(spec.model), spec.model.startswith(SIMULATED_PREFIXES))


def names_text(agents: Sequence[AgentSpec]) -> str:
    """`A, B and C`, and of more than three how many others."""
    names = [_spoken(agent) for agent in agents]
    if len(names) > NAMES_MAX + 1:
        names = [*names[:NAMES_MAX], f"{len(names) - NAMES_MAX} others"]
    return listed(names)


def period_text(parameters: BacktestParameters) -> str:
    """The window as `4 Jan 2021 – 26 Feb 2024`, with times only where it does not begin and end at midnight."""
    return f"{_day(parameters.first)} – {_day(parameters.last)}"


def symbols_text(parameters: BacktestParameters) -> str:
    names = [name.removesuffix(parameters.quote) for name in parameters.symbols]
    return ", ".join(names)


def cadence_text(parameters: BacktestParameters) -> str:
    mask = ", masked" if parameters.mask else ""
    return f"{EVERY_WORDS[parameters.every]} on {parameters.timeframe} candles{mask}"


def parameter_facts(parameters: BacktestParameters) -> dict[str, str]:
    """Everything that was asked, by name, as a reader would say it."""
    quote = parameters.quote
    market = SOURCE_WORDS[parameters.source]
    return {
        "Agents": listed([_spoken(agent) for agent in parameters.agents]),
        "Symbols": symbols_text(parameters),
        "Period": period_text(parameters),
        "Market": f"{market}, seed {parameters.seed}" if parameters.source == "synthetic" else market,
        "Candles": parameters.timeframe,
        "Decides": EVERY_WORDS[parameters.every],
        "Trades at": FILL_WORDS[parameters.fill],
        "Capital": f"{money(parameters.capital)} {quote} each",
        "Fee": f"{quantity(parameters.fee_bps)} bp of what is traded",
        "Slippage": f"{quantity(parameters.slippage_bps)} bp against the trader",
        "Drift band": f"{quantity(parameters.drift_band * 100)}% of the value is left alone",
        "Briefs": MASK_WORDS[parameters.mask],
        "Models may cost": _limit_text(parameters),
    }


def _limit_text(parameters: BacktestParameters) -> str:
    if parameters.max_usd is not None:
        return f"{money(parameters.max_usd)} USD"
    is_paid = any(may_cost(agent.model) for agent in parameters.agents)
    return "no limit of its own" if is_paid else "nothing, as none is paid"


def clock_text(length: timedelta) -> str:
    """A stretch of waiting as `1:05:09` or `0:07`."""
    seconds = max(0, round(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours:,}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _spoken(agent: AgentSpec) -> str:
    """The name inside a list of names: in quotation marks when its own comma would tear the list apart."""
    name = line(agent.name)
    return f"“{name}”" if "," in name else name


def _day(at: datetime) -> str:
    return f"{at:%-d %b %Y}" if (at.hour, at.minute) == (0, 0) else f"{at:%-d %b %Y, %H:%M}"
