"""What is kept, shown and told of a reply's violations: all of them while they are few, and always storable text."""

from collections.abc import Sequence

from agents.core.text import storable
from portfolio.core.decisions import Violation

VIOLATIONS_KEPT = 50
DETAIL_CHARACTERS_MAX = 300


def kept(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """The violations as they can be stored; beyond the first 50 only how many more there were is told.

    A name out of a reply stands in them, so a reply of 64 KiB could make megabytes of them, or carry NUL.
    """
    first = [_bounded(violation) for violation in violations[:VIOLATIONS_KEPT]]
    more = len(violations) - len(first)
    return (*first, Violation("and_more", f"and {more} more")) if more else tuple(first)


def _bounded(violation: Violation) -> Violation:
    detail = storable(violation.detail)
    if len(detail) > DETAIL_CHARACTERS_MAX:
        detail = f"{detail[:DETAIL_CHARACTERS_MAX]}…"
    return Violation(storable(violation.rule)[:100], detail)
