"""Telling the database for whom it is asked, so that what changes of the configuration is remembered under a name."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection

_SAY = "SELECT set_config('outcry.who', %s, false)"


@contextmanager
def acting(who: str) -> Iterator[None]:
    """What is written on this thread's connection meanwhile is by `who`: an operator's name, or a token's."""
    _say(who)
    try:
        yield
    finally:
        try:
            _say("")
        except (DatabaseError, InterfaceError):
            connection.close()  # the next one knows of nobody


def _say(who: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SAY, [who])
