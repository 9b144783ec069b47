"""Guards are taken away in memory: the words of a function are changed, or a key or trigger dropped."""

import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.db import connection

from portfolio.prepared import Prepared

VENUE, ANY = "venue", ""


@dataclass(frozen=True, slots=True)
class Change:
    """In this function, `old` becomes `new`; the function is named as `module:name` or `module:Class.name`."""

    where: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Guard:
    """`name` is what is taken away; `dropped` are statements for the scratch database; the rest narrows the seeds.

    Of `is_restored` is missed what guards a backup that is put back: a month at the exchange, in which one is.
    """

    name: str
    changes: tuple[Change, ...]
    dropped: tuple[str, ...] = ()
    venue: str = ANY
    weeks: int = 1
    is_poor: bool = False
    is_restored: bool = False


@contextmanager
def without(guard: Guard) -> Iterator[None]:
    """The product without this guard. The scratch database is to be thrown away afterwards if keys were dropped."""
    with ExitStack() as stack:
        for where in dict.fromkeys(change.where for change in guard.changes):
            stack.enter_context(_changed(where, [change for change in guard.changes if change.where == where]))
        for statement in guard.dropped:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        yield


@contextmanager
def _changed(where: str, changes: Sequence[Change]) -> Iterator[None]:
    module_name, _, name = where.partition(":")
    module = import_module(module_name)
    owner_name, _, attribute = name.rpartition(".")
    owner: Any = getattr(module, owner_name) if owner_name else module
    original = getattr(owner, attribute)
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(original)))
    for change in changes:
        if change.old not in source:
            raise LookupError(f"{where} no longer has {change.old!r}; the guard moved, so move its removal too")
        source = source.replace(change.old, change.new)
    made: dict[str, Any] = {}
    exec(compile(source, module.__file__ or "", "exec"), module.__dict__, made)  # noqa: S102
    places = [(owner, attribute, original), *_places_of(original)]
    try:
        for place, as_name, before in places:
            now = made[attribute]
            setattr(place, as_name, type(before)(now) if isinstance(before, Prepared) else now)
        yield
    finally:
        for place, as_name, before in places:
            setattr(place, as_name, before)


def _places_of(original: object) -> Iterator[tuple[Any, str, object]]:
    """Everywhere in the product where the function is known by a name, or puts a query together, and what is there.

    But for the auditor, which judges by its own. A query is seen where a module has it under a name of its own.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(("competition.", "portfolio.", "agents.")) and "audit" not in name:
            for key, value in list(vars(module).items()):
                if value is original or (isinstance(value, Prepared) and value.build is original):
                    yield module, key, value
