"""What a curve of valuations says. Exact decimals; formulas as documented on the rules page."""

from collections.abc import Sequence
from decimal import Decimal

from market.core.indicators import rounded


def total_return(value: Decimal, capital: Decimal) -> Decimal:
    """`value / capital - 1` as a fraction, six places."""
    return rounded(value / capital - 1)


def max_drawdown(values: Sequence[Decimal]) -> Decimal:
    """The deepest fall from an earlier high, as a fraction between 0 and 1; 0 for fewer than two values.

    max over t of (1 - value_t / max(value_0..value_t))
    """
    peak, deepest = Decimal(0), Decimal(0)
    for value in values:
        if value >= peak:
            peak = value
        elif peak:
            deepest = max(deepest, 1 - value / peak)
    return rounded(deepest)
