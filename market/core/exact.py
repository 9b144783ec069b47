"""Arithmetic without rounding, for what the ledger keeps: 20 digits before the point and 18 behind it.

Python's default context keeps 28 digits, which is plenty for prices and values, and too few to add the largest amount
to the smallest.
"""

from collections.abc import Iterable
from decimal import Context, Decimal, InvalidOperation

EXACT = Context(prec=200, traps=[InvalidOperation])


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, with every digit."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
