"""What a series of daily closes says about itself. Exact decimals in, rounded decimals out."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

DAYS_PER_YEAR = 365  # crypto trades every day
_SIX_PLACES = Decimal("0.000001")


def rounded(number: Decimal) -> Decimal:
    """Six places, half to even: the precision in which ratios are shown and decided upon."""
    return number.quantize(_SIX_PLACES, rounding=ROUND_HALF_EVEN)


def change(closes: Sequence[Decimal], periods: int) -> Decimal | None:
    """Relative change over the last `periods` steps, as a fraction; None when the series is too short."""
    if len(closes) <= periods:
        return None
    return rounded(closes[-1] / closes[-1 - periods] - 1)


def volatility(closes: Sequence[Decimal], periods: int) -> Decimal | None:
    """Annualised sample deviation of the last `periods` daily simple returns, as a fraction; None when too short.

    sqrt(sum((r - mean)^2) / (n - 1)) * sqrt(365)
    """
    if periods < 2 or len(closes) <= periods:
        return None
    window = closes[-1 - periods :]
    returns = [after / before - 1 for before, after in pairwise(window)]
    mean = sum(returns, Decimal(0)) / periods
    variance = sum(((r - mean) ** 2 for r in returns), Decimal(0)) / (periods - 1)
    return rounded((variance * DAYS_PER_YEAR).sqrt())
