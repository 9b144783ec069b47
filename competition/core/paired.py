"""Two entries against each other, week by week: under the same prices, so that the market cancels out.

Floats: these are figures about figures, never money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import NormalDist, fmean, stdev

WEEKS_MIN = 12  # fewer say nothing that an interval could be put around
COVERED = 0.95


@dataclass(frozen=True, slots=True)
class Paired:
    """Weekly returns of one minus the other's, as fractions. `low` and `high` are None for too few weeks."""

    weeks: int
    ahead: int
    mean: float
    low: float | None
    high: float | None

    @property
    def tells_apart(self) -> bool:
        """Whether the interval leaves out a difference of nothing."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


def paired(ours: Sequence[Decimal | None], theirs: Sequence[Decimal | None]) -> Paired:
    """Compare two curves of values at the same instants; a week without one of the four values is left out.

    mean +- 1.96 * s / sqrt(n) of the n weekly differences, taken as independent. The interval is rough, and too narrow
    where weeks resemble each other.
    """
    weeks = pairwise(zip(ours, theirs, strict=True))
    differences = [
        float(own / own_then - other / other_then)
        for (own_then, other_then), (own, other) in weeks
        if own_then and other_then and own is not None and other is not None
    ]
    mean = fmean(differences) if differences else 0.0
    ahead = sum(difference > 0 for difference in differences)
    if len(differences) < WEEKS_MIN:
        return Paired(len(differences), ahead, mean, None, None)
    room = NormalDist().inv_cdf(0.5 + COVERED / 2) * stdev(differences) / sqrt(len(differences))
    return Paired(len(differences), ahead, mean, mean - room, mean + room)


def overlap(ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> Decimal:
    """How much of two books is in the same assets: the sum of the smaller weights, 1 for equal books."""
    return sum((min(weight, theirs[name]) for name, weight in ours.items() if name in theirs), Decimal(0))
