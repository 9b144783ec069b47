"""Whether a model may have read the very past it is tested on, by the stated cutoffs of its training."""

from collections.abc import Iterable
from datetime import date, datetime

NO_MODEL, BEFORE, UNKNOWN, AFTER = "no_model", "before", "unknown", "after"


def contamination(first: datetime, cutoffs: Iterable[date | None]) -> str:
    """The label of a backtest that begins at `first`, with the cutoff of every model asked; None where unknown.

    `after`: all of it lies after every cutoff. `before`: some of it lies before one, and that model may remember it.
    """
    stated = list(cutoffs)
    if not stated:
        return NO_MODEL
    if any(cutoff is not None and first.date() <= cutoff for cutoff in stated):
        return BEFORE
    return UNKNOWN if None in stated else AFTER
