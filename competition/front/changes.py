"""Hears from PostgreSQL which boards have changed. Triggers tell of it when the change commits, and not before."""

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from django.db import connections
from django.db.utils import DatabaseError, InterfaceError
from psycopg import Error as PsycopgError

logger = logging.getLogger(__name__)

CHANNEL = "board"
EVERYTHING = "*"
GATHER_S = 0.1  # changes come in bursts; this long they are gathered into one
AGAIN_AFTER_S = 0.5


class Changes(threading.Thread):
    """Calls `renew` with the slugs of the seasons whose boards have changed, or with None when it might be any.

    What happened while nobody listened is unknown, so after each connecting everything is renewed. When `renew` says
    that it could not, it is called again.
    """

    def __init__(self, renew: Callable[[Collection[str] | None], bool]) -> None:
        super().__init__(name="board changes", daemon=True)
        self._renew = renew
        self._is_down = False
        self._stopping = threading.Event()
        self.listening = threading.Event()

    def stop(self) -> None:
        """End the thread and its connections; returns when they are gone."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (DatabaseError, InterfaceError, PsycopgError) as error:
                if not self._is_down:
                    logger.warning("changes of boards are not heard of until the database is back: %s", error)
                self._is_down = True
            self.listening.clear()
            self._stopping.wait(AGAIN_AFTER_S)
        connections.close_all()

    def _listen(self) -> None:
        wrapper = connections.create_connection("default")
        try:
            wrapper.ensure_connection()
            connection: Any = wrapper.connection
            connection.execute(f"LISTEN {CHANNEL}")
            self._is_down = False
            is_done = self._renew(None)
            self.listening.set()
            while not self._stopping.is_set():
                heard = _heard(connection)
                if heard or not is_done:
                    is_done = self._renew(heard if is_done and EVERYTHING not in heard else None)
        finally:
            wrapper.close()


def _heard(connection: Any) -> set[str]:
    """The payloads of the next burst; empty when none begins for a while."""
    first = {notice.payload for notice in connection.notifies(timeout=AGAIN_AFTER_S, stop_after=1)}
    return first | {notice.payload for notice in connection.notifies(timeout=GATHER_S)} if first else first
