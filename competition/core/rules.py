"""The rules of a season: one frozen document, hashed when the season opens, from which the rules page is written.

Durations are in seconds of the wall clock unless the name says `market`: a season may run its market faster than the
wall clock (the demo's week lasts a minute), and a season on a real exchange runs both at the same pace.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from market.core.candles import TIMEFRAME_S
from market.core.canonical import plain, sha256_of, utc_text
from portfolio.core.brokers import Costs
from portfolio.core.decisions import Limits
from portfolio.core.order_attempts import RESOLVED_AFTER_S

Seconds = Annotated[int, Field(gt=0, le=366 * 86_400)]
Money = Annotated[Decimal, Field(gt=0, le=Decimal(10) ** 12, max_digits=38, decimal_places=8)]
Bps = Annotated[Decimal, Field(ge=0, le=1000, max_digits=10, decimal_places=4)]
Fraction = Annotated[Decimal, Field(ge=0, le=1, max_digits=12, decimal_places=10)]
WEEK_S = 7 * 86_400
SYNTHETIC_TIMEFRAME = "1h"
# Rules that came later, with what every season before them was played under. They are written down, and hashed, only
# when chosen otherwise, so that the documents and hashes of those seasons stay what they were published as.
CAME_LATER = {"execution": "paper", "exchange": "testnet"}
SETTLING_S = 300  # of a trade window with fills of the venue, beside the time that an order of unknown outcome takes
FROZEN = "frozen"  # context of `Rules.model_validate` for rules that were checked when their season opened


class Rules(BaseModel):
    """Everything that decides how a season is played. Two seasons with equal rules have equal hashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # what is traded, with what, at which cost
    universe: tuple[str, ...] = Field(min_length=1, max_length=50)
    quote: str = "USDT"
    capital: Money = Decimal(10_000)
    fee_bps: Bps = Decimal(10)
    slippage_bps: Bps = Decimal(5)
    execution: Literal["paper", "testnet"] = "paper"
    exchange: Literal["testnet", "double"] = "testnet"
    fills: Literal["reference", "venue"] = "reference"

    # the market and its clock
    market_source: Literal["synthetic", "stored", "binance"]
    market_seed: int = 1
    timeframe: Literal["1m", "5m", "15m", "1h", "4h", "1d"] = "1h"
    market_starts_at: AwareDatetime
    market_cycle_s: Seconds = WEEK_S
    price_max_age_market_s: int = Field(default=6 * 3600, gt=0, le=86_400)

    # the calendar
    starts_at: AwareDatetime
    cycles: int = Field(gt=0, le=10_000)
    cycle_s: Seconds = WEEK_S
    ask_s: Seconds = 3600
    attempt_s: Seconds = 1200
    attempts_max: int = Field(default=3, gt=0, le=10)
    repairs_max: int = Field(default=1, ge=0, le=5)
    on_time_s: Seconds = 120
    late_s: Seconds = 172_800
    trade_window_s: Seconds = 3600
    turn_lease_s: Seconds = 60

    # what a decision may ask for
    max_weight: Fraction = Decimal(1)
    min_cash: Fraction = Decimal(0)
    max_turnover: Fraction = Decimal(1)
    total_tolerance: Fraction = Decimal("0.005")
    drift_band: Fraction = Decimal("0.005")

    # the board
    benchmark: str = "btc-hold"
    ranked_after_cycles: int = Field(default=4, ge=1)
    ranked_coverage: Fraction = Decimal("0.75")

    @field_validator("starts_at", "market_starts_at")
    @classmethod
    def instants_are_utc(cls, at: datetime) -> datetime:
        """Weeks are counted in UTC, where each has seven days of 24 hours, also in March and October."""
        return at.astimezone(UTC)

    @model_validator(mode="after")
    def can_be_played(self, info: ValidationInfo) -> Self:
        """Every check, unless these rules are frozen already: what a season was opened under stays readable."""
        problems = [] if info.context == FROZEN else [problem for check in CHECKS for problem in check(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.document())

    def document(self) -> dict[str, Any]:
        """The rules as plain JSON values, decimals and instants as text: what is stored, shown and hashed."""
        return {
            name: _plain_value(value)
            for name, value in self.model_dump().items()
            if name not in CAME_LATER or value != CAME_LATER[name]
        }

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.max_weight, self.min_cash, self.max_turnover, self.total_tolerance)

    @cached_property
    def costs(self) -> Costs:
        return Costs(self.fee_bps, self.slippage_bps)

    @property
    def price_max_age(self) -> timedelta:
        return timedelta(seconds=self.price_max_age_market_s)

    @cached_property
    def brief_summary(self) -> dict[str, Any]:
        """What of the rules every agent is told in its brief."""
        told = ("quote", "fee_bps", "slippage_bps", "max_weight", "min_cash", "max_turnover", "drift_band")
        return {name: _plain_value(getattr(self, name)) for name in told}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc_text(value)
    return list(value) if isinstance(value, tuple) else value


# -- What contradicts itself; all are run, all complaints are kept --------------------------------------------------


def universe_is_of_one_quote(rules: Rules) -> Iterator[str]:
    if len(set(rules.universe)) != len(rules.universe):
        yield "universe: a symbol is listed twice"
    if strange := [name for name in rules.universe if not name.endswith(rules.quote)]:
        yield f"universe: {', '.join(strange)} cannot be bought with {rules.quote}, the season's quote"


def limits_do_not_contradict(rules: Rules) -> Iterator[str]:
    if rules.max_weight == 0:
        yield "max_weight of 0 allows no position at all"
    if rules.max_weight + rules.min_cash > 1:
        yield (
            f"max_weight {plain(rules.max_weight)} and min_cash {plain(rules.min_cash)} contradict each other: "
            "together they are more than the whole portfolio"
        )
    if rules.max_turnover == 0:
        yield "max_turnover of 0 forbids every trade"


def band_is_wider_than_costs(rules: Rules) -> Iterator[str]:
    """Otherwise paying for a rebalance would itself call for the next one."""
    narrowest = narrowest_band(rules.costs)
    if rules.drift_band < narrowest:
        yield f"drift_band {plain(rules.drift_band)} is too narrow for these costs; at least {plain(narrowest)}"


def narrowest_band(costs: Costs) -> Decimal:
    """The narrowest drift band under these costs, as a fraction of the portfolio's value."""
    return 2 * (costs.fee_bps + costs.slippage_bps) / Decimal(10_000) + Decimal("0.001")


def phases_fit_into_the_cycle(rules: Rules) -> Iterator[str]:
    if rules.attempt_s > rules.ask_s:
        yield "attempt_s is longer than ask_s: one attempt would outlast the whole asking phase"
    if rules.turn_lease_s > rules.trade_window_s:
        yield "turn_lease_s is longer than trade_window_s: one broken lease would cost the whole window"
    if rules.on_time_s >= rules.ask_s:
        yield "on_time_s is not shorter than ask_s: a cycle opened just in time could not ask anybody"
    if rules.late_s + rules.ask_s + rules.trade_window_s > rules.cycle_s:
        yield (
            "late_s, ask_s and trade_window_s together are longer than the cycle: a late cycle would run into the next"
        )


def trades_come_after_the_brief(rules: Rules) -> Iterator[str]:
    """At least one more candle must have closed by then, or everybody would be filled at the very price shown."""
    market_s = rules.ask_s * rules.market_cycle_s // rules.cycle_s
    if market_s < TIMEFRAME_S[rules.timeframe]:
        yield (
            f"ask_s of {rules.ask_s} lets {market_s} s of the market pass, less than one {rules.timeframe} candle: "
            "trades would be at the prices of the brief"
        )


def the_exchange_keeps_our_time(rules: Rules) -> Iterator[str]:
    """What the exchange says now is known now: its market runs by the clock on the wall."""
    same_pace = rules.market_cycle_s == rules.cycle_s and rules.market_starts_at == rules.starts_at
    if rules.market_source == "binance" and not same_pace:
        yield "market_source binance runs by the wall clock: market_starts_at and market_cycle_s must be those of it"


def market_has_such_candles(rules: Rules) -> Iterator[str]:
    if rules.market_source == "synthetic" and rules.timeframe != SYNTHETIC_TIMEFRAME:
        yield f"timeframe {rules.timeframe}: the synthetic market has candles of {SYNTHETIC_TIMEFRAME} only"
    if rules.price_max_age_market_s < TIMEFRAME_S[rules.timeframe]:
        yield f"price_max_age_market_s is shorter than a candle of {rules.timeframe}: no price would be fresh"


def a_double_is_sent_orders(rules: Rules) -> Iterator[str]:
    if rules.exchange == "double" and rules.execution != "testnet":
        yield 'exchange "double" stands in for the testnet: set execution to "testnet"'


def fills_come_from_where_orders_go(rules: Rules) -> Iterator[str]:
    """The venue's fills have real prices and instants, and a lost answer takes its time to be cleared up."""
    if rules.fills != "venue":
        return
    if rules.execution != "testnet":
        yield 'fills of "venue" need orders that are sent there: set execution to "testnet"'
    if (rules.market_cycle_s, rules.market_starts_at) != (rules.cycle_s, rules.starts_at):
        yield 'fills of "venue" need a market that runs with the clock: its start and its cycle must be the season\'s'
    narrowest = RESOLVED_AFTER_S + SETTLING_S
    if rules.trade_window_s < narrowest:
        yield f"trade_window_s must be at least {narrowest} for fills of the venue: a lost answer takes that long"


CHECKS = (
    universe_is_of_one_quote,
    limits_do_not_contradict,
    band_is_wider_than_costs,
    phases_fit_into_the_cycle,
    trades_come_after_the_brief,
    the_exchange_keeps_our_time,
    market_has_such_candles,
    a_double_is_sent_orders,
    fills_come_from_where_orders_go,
)
