"""Lines to the database: a few connections that are used again and again, each lent to one actor at a time.

Between an actor and PostgreSQL stands its `Line`: there it can be killed, cut off, or told a lie about a commit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from tests.simulation.actors import Actor

# As in production, but for the patience with locks: whoever holds one here goes on in made-up time, and of those who
# wait for each other the stage ends one, since which one PostgreSQL would end depends on milliseconds.
SESSION = "SET deadlock_timeout = '1h'; SET lock_timeout = '60s'; SET synchronous_commit = off"


class Fate(Protocol):
    """What may befall an actor at its line; each may raise, or give the turn to others."""

    def before_statement(self, actor: Actor, sql: str) -> None: ...
    def before_commit(self, actor: Actor) -> None: ...
    def after_commit(self, actor: Actor) -> None: ...
    def after_rollback(self, actor: Actor) -> None: ...
    def while_waiting(self, actor: Actor) -> None: ...


class Line:
    """One connection. Lent with `actor`, and clean again after `give_back`."""

    def __init__(self, lines: "Lines") -> None:
        self.lines = lines
        self.actor: Actor | None = None
        self.wrapper: DatabaseWrapper = connections.create_connection("default")
        self.wrapper.inc_thread_sharing()
        self.wrapper.ensure_connection()
        with self.wrapper.cursor() as cursor:
            cursor.execute(SESSION)
        self.pid: int = self._raw.info.backend_pid
        self.wrapper.execute_wrappers.append(self._execute)
        self._really_commit, self._really_roll_back = self.wrapper._commit, self.wrapper._rollback
        self.wrapper._commit, self.wrapper._rollback = self._commit, self._roll_back
        self._really_close = self.wrapper.close
        self.wrapper.close = self._end_transaction

    @property
    def _raw(self) -> psycopg.Connection[Any]:
        return self.wrapper.connection

    def use_here(self) -> None:
        """Make it Django's connection in this thread."""
        connections["default"] = self.wrapper

    def is_in_transaction(self) -> bool:
        """By PostgreSQL's word: at a commit Django already believes that it is over."""
        return self.actor is not None and self._raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def cut(self) -> None:
        """What the actor had not committed is gone, as when its process or its connection ends."""
        self._raw.rollback()

    def give_back(self) -> None:
        self.actor = None
        self._end_transaction()

    def close(self) -> None:
        self.actor = None
        self._really_close()

    def _end_transaction(self) -> None:
        self._raw.rollback()
        wrapper = self.wrapper
        wrapper.in_atomic_block, wrapper.needs_rollback, wrapper.commit_on_exit = False, False, True
        wrapper.savepoint_ids, wrapper.atomic_blocks, wrapper.run_on_commit = [], [], []
        wrapper.closed_in_transaction = wrapper.errors_occurred = False
        wrapper.savepoint_state = 0
        if not self._raw.autocommit:
            wrapper.set_autocommit(True)

    def _execute(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        actor = self.actor
        if actor is None:
            return execute(sql, params, many, context)
        actor.go_on_if_alive()
        self.lines.fate.before_statement(actor, sql)
        if self.lines.others_hold_locks(self):
            if not _reads_only(sql):
                actor.queue_up()
            result = actor.statement(lambda: execute(sql, params, many, context))
        else:
            result = execute(sql, params, many, context)
        if sql.startswith("ROLLBACK TO"):
            self.lines.fate.after_rollback(actor)
        return result

    def _commit(self) -> None:
        actor = self.actor
        if actor is None:
            self._really_commit()
            return
        actor.go_on_if_alive()
        self.lines.fate.before_commit(actor)
        if self.lines.others_hold_locks(self):
            actor.queue_up()
            actor.statement(self._really_commit)
        else:
            self._really_commit()
        self.lines.fate.after_commit(actor)

    def _roll_back(self) -> None:
        self._really_roll_back()
        if self.actor is not None and not self.actor.is_killed:
            self.lines.fate.after_rollback(self.actor)


class Lines:
    """All lines of a scratch database, and one beside them that watches who waits for whom."""

    def __init__(self, number: int) -> None:
        self.fate: Fate
        self.all = [Line(self) for _ in range(number)]
        params = connection.get_connection_params()
        for name in ("cursor_factory", "context", "server_side_binding"):
            params.pop(name, None)
        self.watch = psycopg.connect(**{key: value for key, value in params.items() if value}, autocommit=True)

    def free(self) -> Line | None:
        return next((line for line in self.all if line.actor is None), None)

    def others_hold_locks(self, line: Line) -> bool:
        return any(other is not line and other.is_in_transaction() for other in self.all)

    def waits_for_a_lock(self, pid: int) -> bool:
        return bool(self.blocked_by([pid])[pid])

    def blocked_by(self, pids: list[int]) -> dict[int, list[int]]:
        rows = self.watch.execute("SELECT pid, pg_blocking_pids(pid) FROM unnest(%s::int[]) AS pid", [pids])
        return dict(rows.fetchall())

    def end_statement(self, pid: int) -> None:
        """As PostgreSQL does to one of those who wait for each other: its transaction has failed."""
        self.watch.execute("SELECT pg_cancel_backend(%s)", [pid])

    def close(self) -> None:
        for line in self.all:
            line.close()
        self.watch.close()


def _reads_only(sql: str) -> bool:
    """Whether a statement never waits for a row that somebody else has locked."""
    return sql.startswith("SELECT") and (" FOR " not in sql or "SKIP LOCKED" in sql)


@contextmanager
def lines(number: int = 6) -> Iterator[Lines]:
    opened = Lines(number)
    try:
        yield opened
    finally:
        opened.close()
