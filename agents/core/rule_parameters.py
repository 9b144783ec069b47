"""What an operator may set on an agent that follows a rule on indicators, and how much of the past it needs.

Periods are in candles: in a season those are days, in a backtest what its timeframe says. Nothing here computes, so the
web process can check parameters without the libraries that do.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from market.core.snapshot import DAYS_SHOWN
from market.core.warm_up import change_candles, ema_candles, rsi_candles, sma_candles

RULE = "rule/"
PERIOD_MAX = 5_000
CLOSES_SHOWN = DAYS_SHOWN + 1  # of each symbol in a brief: as many days back, and the present


class UnknownRule(ValueError):
    """A model string `rule/…` that is not in the list."""


class RuleParameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def candles(self) -> int:
        """How many candles there must be before the rule says anything."""
        raise NotImplementedError


class EmaCross(RuleParameters):
    """Holds what has a fast average above its slow one, each symbol with its share of the money."""

    fast: int = Field(default=12, ge=2, le=PERIOD_MAX)
    slow: int = Field(default=26, ge=3, le=PERIOD_MAX)

    @model_validator(mode="after")
    def fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be shorter than slow, and {self.fast} is not shorter than {self.slow}")
        return self

    @property
    def candles(self) -> int:
        return ema_candles(self.slow)


class RsiReversion(RuleParameters):
    """Buys what has fallen too fast by its relative strength, and sells it when it has recovered."""

    period: int = Field(default=14, ge=2, le=PERIOD_MAX)
    buy_below: float = Field(default=30.0, gt=0, lt=100, allow_inf_nan=False)
    sell_above: float = Field(default=55.0, gt=0, lt=100, allow_inf_nan=False)

    @model_validator(mode="after")
    def buys_lower_than_it_sells(self) -> Self:
        if self.buy_below >= self.sell_above:
            raise ValueError(f"buy_below must be below sell_above, and {self.buy_below} is not below {self.sell_above}")
        return self

    @property
    def candles(self) -> int:
        return rsi_candles(self.period)


class MomentumRule(RuleParameters):
    """Holds the few that rose most, of those that rose at all."""

    lookback: int = Field(default=28, ge=1, le=PERIOD_MAX)
    top: int = Field(default=2, ge=1, le=100)

    @property
    def candles(self) -> int:
        return change_candles(self.lookback)


class BollingerBreakout(RuleParameters):
    """Buys what closes above its upper band, and sells it when it closes below the middle."""

    period: int = Field(default=20, ge=2, le=PERIOD_MAX)
    width: float = Field(default=2.0, gt=0, le=10, allow_inf_nan=False)

    @property
    def candles(self) -> int:
        return sma_candles(self.period)


RULE_PARAMETERS: Mapping[str, type[RuleParameters]] = {
    "rule/ema-cross": EmaCross,
    "rule/rsi-reversion": RsiReversion,
    "rule/momentum": MomentumRule,
    "rule/bollinger": BollingerBreakout,
}


def rule_parameters(model: str, parameters: Mapping[str, Any]) -> RuleParameters:
    """The parameters of a rule, checked. Raises `UnknownRule`, or pydantic's `ValidationError`."""
    if model not in RULE_PARAMETERS:
        raise UnknownRule(f"{model!r} is no rule. There are: {', '.join(RULE_PARAMETERS)}.")
    return RULE_PARAMETERS[model].model_validate(parameters)


def too_little_shown(model: str, parameters: Mapping[str, Any]) -> str:
    """Why an agent could say nothing in a season, in a sentence: a brief shows too few days. Empty when it can."""
    if not model.startswith(RULE):
        return ""
    needed = rule_parameters(model, parameters).candles
    if needed <= CLOSES_SHOWN:
        return ""
    return (
        f"{model} needs {needed} daily closes with these parameters, and a brief shows {CLOSES_SHOWN}: "
        "in a season it would hold for ever. Add the agent again with shorter periods."
    )
