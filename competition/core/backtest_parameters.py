"""What a backtest is asked for: one frozen document. The same document over the same candles gives the same result.

The engine plays by `Rules`; `rules_of` says which these are. A backtest has no calendar of its own: its agents decide
at closes of candles, and trade one candle later.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from competition.core.rules import FROZEN, Bps, Fraction, Money, Rules, narrowest_band
from market.core.candles import TIMEFRAME_S
from market.core.canonical import plain, sha256_of, utc_text
from portfolio.core.brokers import Costs

ENGINE_VERSION = 2  # raised when the engine computes anything differently: kept results are not shown for new ones
DAY_S = 86_400
FRESH_S = 6 * 3600  # as in a season: an older price is none
USUAL_BAND = Decimal("0.005")
AGENTS_MAX, SYMBOLS_MAX = 20, 20

Every = Literal["candle", "1d", "1w"]
Fill = Literal["next_close", "next_open"]
Source = Literal["stored", "synthetic"]
Timeframe = Literal["1m", "5m", "15m", "1h", "4h", "1d"]


class AgentSpec(BaseModel):
    """An agent as it was when the backtest was asked for: all that decides how it decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: str = Field(min_length=1, max_length=40)
    name: str = Field(max_length=80)
    kind: str = Field(max_length=10)
    model: str = Field(max_length=120)
    parameters: Mapping[str, Any] = Field(default_factory=dict)


class BacktestParameters(BaseModel):
    """Everything that decides how a backtest is played, but the candles. `last` is where the last candle may close.

    Agents decide at the close of a candle and trade at a price of the next one: its close, as in a season, which gives
    models that long to answer, or its open, as is usual elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agents: tuple[AgentSpec, ...] = Field(min_length=1, max_length=AGENTS_MAX)
    symbols: tuple[str, ...] = Field(min_length=1, max_length=SYMBOLS_MAX)
    quote: str = "USDT"
    source: Source = "stored"
    seed: int = 1
    timeframe: Timeframe = "1h"
    first: AwareDatetime
    last: AwareDatetime
    every: Every = "1w"
    fill: Fill = "next_close"
    capital: Money = Decimal(10_000)
    fee_bps: Bps = Decimal(10)
    slippage_bps: Bps = Decimal(5)
    drift_band: Annotated[Fraction, Field(description="usual_band() gives one that fits the costs")] = USUAL_BAND
    max_usd: Money | None = None
    mask: Annotated[bool, Field(description="briefs without dates and names")] = False

    @field_validator("first", "last")
    @classmethod
    def instants_are_utc(cls, at: datetime) -> datetime:
        return at.astimezone(UTC)

    @model_validator(mode="after")
    def can_be_played(self) -> Self:
        if problems := [problem for check in CHECKS for problem in check(self)]:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.document())

    def document(self) -> dict[str, Any]:
        """The parameters as plain JSON values, decimals and instants as text: what is stored, shown and hashed."""
        return {name: _plain_value(value) for name, value in self.model_dump().items()}

    @property
    def timeframe_ms(self) -> int:
        return TIMEFRAME_S[self.timeframe] * 1000

    @property
    def every_ms(self) -> int:
        """How much time is between two decisions."""
        return {"candle": self.timeframe_ms, "1d": DAY_S * 1000, "1w": 7 * DAY_S * 1000}[self.every]

    @property
    def candles(self) -> int:
        """How many candles lie in the window at most, all symbols together."""
        return len(self.symbols) * int((self.last - self.first).total_seconds() * 1000 // self.timeframe_ms)


def usual_band(fee_bps: Decimal, slippage_bps: Decimal) -> Decimal:
    """The usual drift band, or the narrowest that these costs allow when that is wider."""
    return max(USUAL_BAND, narrowest_band(Costs(fee_bps, slippage_bps)))


def rules_of(parameters: BacktestParameters) -> Rules:
    """The rules by which the engine plays this backtest: those of a season that never waits."""
    timeframe_s, every_s = parameters.timeframe_ms // 1000, parameters.every_ms // 1000
    return Rules.model_validate(
        {
            "universe": parameters.symbols,
            "quote": parameters.quote,
            "capital": parameters.capital,
            "fee_bps": parameters.fee_bps,
            "slippage_bps": parameters.slippage_bps,
            "drift_band": parameters.drift_band,
            "market_source": parameters.source,
            "market_seed": parameters.seed,
            "timeframe": parameters.timeframe,
            "price_max_age_market_s": max(FRESH_S, timeframe_s),
            "market_starts_at": parameters.first,
            "starts_at": parameters.first,
            "market_cycle_s": every_s,
            "cycle_s": every_s,
            "ask_s": timeframe_s,
            "cycles": max(1, min(10_000, int((parameters.last - parameters.first).total_seconds()) // every_s)),
        },
        context=FROZEN,  # a season's calendar has room for latecomers; here there are none
    )


def _plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc_text(value)
    return list(value) if isinstance(value, tuple) else value


# -- What contradicts itself; all are run, all complaints are kept --------------------------------------------------


def window_is_not_empty(parameters: BacktestParameters) -> Iterator[str]:
    if parameters.last <= parameters.first:
        yield f"last {parameters.last:%Y-%m-%d %H:%M} is not after first {parameters.first:%Y-%m-%d %H:%M}"


def symbols_are_of_one_quote(parameters: BacktestParameters) -> Iterator[str]:
    if len(set(parameters.symbols)) != len(parameters.symbols):
        yield "symbols: one is listed twice"
    if strange := [name for name in parameters.symbols if not name.endswith(parameters.quote)]:
        yield f"symbols: {', '.join(strange)} cannot be bought with {parameters.quote}"


def agents_are_told_apart(parameters: BacktestParameters) -> Iterator[str]:
    if len({agent.slug for agent in parameters.agents}) != len(parameters.agents):
        yield "agents: one is listed twice"


def band_is_wider_than_costs(parameters: BacktestParameters) -> Iterator[str]:
    narrowest = narrowest_band(Costs(parameters.fee_bps, parameters.slippage_bps))
    if parameters.drift_band < narrowest:
        yield f"drift_band {plain(parameters.drift_band)} is too narrow for these costs; at least {plain(narrowest)}"


def decisions_are_not_denser_than_candles(parameters: BacktestParameters) -> Iterator[str]:
    if parameters.every_ms < parameters.timeframe_ms:
        yield f"every {parameters.every} is shorter than a candle of {parameters.timeframe}"


CHECKS = (
    window_is_not_empty,
    symbols_are_of_one_quote,
    agents_are_told_apart,
    band_is_wider_than_costs,
    decisions_are_not_denser_than_candles,
)
