"""What differs between two documents, line by line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT: Any = None  # JSON has one nothing: a value that is not there, and one that is null, read the same


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that differs, under the names that lead to it, joined by dots. None where there was or is nothing."""

    path: str
    old: Any
    new: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Each value that differs, in the order of their names. Objects are looked into, lists are one value each."""
    return tuple(_between((), before, after))


def _between(names: tuple[str, ...], old: Any, new: Any) -> Iterator[Difference]:
    if (isinstance(old, Mapping) and isinstance(new, Mapping)) or _is_object_that_came_or_went(old, new):
        old, new = old or {}, new or {}
        for name in sorted({*old, *new}):
            yield from _between((*names, name), old.get(name, ABSENT), new.get(name, ABSENT))
    elif old != new:
        yield Difference(".".join(names), old, new)


def _is_object_that_came_or_went(old: Any, new: Any) -> bool:
    there, other = (old, new) if isinstance(old, Mapping) else (new, old)
    return isinstance(there, Mapping) and bool(there) and other is ABSENT
