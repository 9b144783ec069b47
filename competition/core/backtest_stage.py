"""What the agents of a backtest have in common, what one of them wants, and what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.core.brief import Brief
from competition.core.backtest_past import Moments, Past, Rows
from competition.core.engine import TurnRecord
from competition.core.rules import Rules
from market.core.candles import from_ms
from market.core.snapshot import Snapshot
from market.core.symbols import Symbol
from portfolio.core.book import Book, Journal
from portfolio.core.decisions import Verdict

type Prices = Mapping[str, Decimal]
type Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stage:
    """What all agents of a backtest have in common. `close_at(row)` and `fill_at(row)` are exact prices by symbol.

    `snapshot_at` is what briefs are made of; `fills_at_open` says which price of the next candle is traded at. `cycles`
    is how many moments there are in all, as briefs tell.
    """

    rules: Rules
    symbols: Mapping[str, Symbol]
    past: Past
    moments: Moments
    close_at: Callable[[int], Prices]
    fill_at: Callable[[int], Prices]
    fills_at_open: bool
    snapshot_at: Callable[[datetime], Snapshot]
    cycles: int

    def filled_at(self, row: int) -> datetime:
        """When what was decided at `row` is traded."""
        open_ms = int(self.past.open_ms[row + 1])
        return from_ms(open_ms if self.fills_at_open else open_ms + self.past.step_ms)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an agent wants at some moments: `weights[i]`, (k,) in the order of symbols, at moment `moments[i]`."""

    moments: Rows
    weights: Weights


class Turn(NamedTuple):
    """One decision that went through the engine, at candle `row` and instant `as_of`."""

    row: int
    as_of: datetime
    verdict: Verdict
    record: TurnRecord
    brief: Brief | None


@dataclass(slots=True)
class Played:
    """What one agent did. `season` is what a season's slug is in the names of portfolios.

    `held` counts moments without a decision or without prices, `quiet` those at which the portfolio was so near its
    target that the planner could only have ordered nothing.
    """

    season: str
    agent: str
    funding: Journal
    book: Book
    turns: list[Turn] = field(default_factory=list)
    held: int = 0
    quiet: int = 0

    @property
    def journals(self) -> list[Journal]:
        """All that was posted: the funding, then what each turn did."""
        return [self.funding, *(journal for turn in self.turns for journal in turn.record.journals)]
