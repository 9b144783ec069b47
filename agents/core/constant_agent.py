"""Baselines that always want the same, as array agents: what they answer does not depend on what a brief shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from agents.core.baselines import equal_share
from agents.core.signals import Asked, Floats, Market

ALWAYS_THE_SAME = ("baseline/equal-weight", "baseline/fixed-rebalanced")


@dataclass(frozen=True, slots=True)
class ConstantAgent:
    """Wants these weights whenever it is asked; None stands for the same in every symbol there is."""

    given: Mapping[str, Decimal] | None

    def weights(self, market: Market, asked: Asked) -> Floats:
        wanted = self.given or dict.fromkeys(market, equal_share(len(market)))
        found = np.full((len(asked), len(market)), np.nan)
        found[asked] = [float(wanted.get(name, 0)) for name in market]
        return found


def constant_agent(model: str, parameters: Mapping[str, Any]) -> ConstantAgent:
    """The array agent of one of `ALWAYS_THE_SAME`; raises `KeyError` for weights that are not given."""
    if model == "baseline/equal-weight":
        return ConstantAgent(None)
    return ConstantAgent({name: Decimal(weight) for name, weight in parameters["weights"].items()})
