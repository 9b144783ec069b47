"""Arithmetic without rounding, for what the ledger keeps: 20 digits before the point and 18 behind it.

Python's default context keeps 28 digits, which is plenty for prices and values, and too few to add the largest amount
to the smallest. Where many amounts are handled they are whole numbers of atoms, the smallest amount there is: sums and
products of those are exact by nature, and each rounding is a division that is seen.
"""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation

EXACT = Context(prec=200, traps=[InvalidOperation])
PLACES = 18
ATOMS: int = 10**PLACES  # in one
_WHOLE = Context(prec=200, traps=[InvalidOperation, Inexact])
_ATOM, _PLACES = Decimal(1).scaleb(-PLACES), Decimal(PLACES)
# Looked up once: a backtest asks hundreds of thousands of times.
_scaled, _as_whole, _times = _WHOLE.scaleb, _WHOLE.to_integral_exact, EXACT.multiply


class NotExact(ValueError):
    """A number with more decimal places than are kept."""


def atoms(amount: Decimal) -> int:
    """How many atoms of 10^-18 these are. Raises `NotExact` where a part of one would be left over."""
    try:
        return int(_as_whole(_scaled(amount, _PLACES)))
    except Inexact:
        raise NotExact(f"{amount} has more than {PLACES} decimals") from None


def atoms_up(amount: Decimal, places: int = PLACES) -> int:
    """The fewest units of 10^-`places` that are not less than `amount`."""
    numerator, denominator = amount.as_integer_ratio()
    return -(-numerator * int(10**places) // denominator)


def from_atoms(whole: int) -> Decimal:
    """The amount of so many atoms."""
    return _times(_ATOM, whole)


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, with every digit."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
