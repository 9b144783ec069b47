"""A scratch database that is put back to where a schedule begins: one statement, instead of a copy of everything.

The record is append-only, and its triggers refuse to delete. So each beginning is kept in a schema of its own, and put
back with the triggers off, which only a superuser of the server may do. They are on again before a schedule begins.
"""

from collections.abc import Callable, Hashable

from django.db import connection

APPS = ("market", "portfolio", "agents", "competition")
VACUUM_EVERY = 25


class NotAllowed(Exception):
    """The database's user may not put a scratch database back; the message says what is needed."""


class Scratch:
    """The connected database, which holds nothing that anybody wants to keep."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('is_superuser')")
            if cursor.fetchone() != ("on",):
                raise NotAllowed(
                    "The simulator needs a database user that is a superuser: it makes and resets databases."
                )
            cursor.execute(_COLUMNS)
            self._columns = dict(cursor.fetchall())
        self._begins: dict[Hashable, str] = {}
        self._kept: list[str] = []
        self._tables = [name for name in connection.introspection.table_names() if name.startswith(_PREFIXES)]
        self._used = 0
        self._empty = self.keep("empty")

    def begin(self, shape: Hashable, build: Callable[[], object]) -> None:
        """Put the database to where schedules of this shape begin: as `build` leaves an empty one."""
        if shape not in self._begins:
            self.put_back(self._empty)
            build()
            self._begins[shape] = self.keep(f"begin_{len(self._begins)}")
        else:
            self.put_back(self._begins[shape])
        self._used += 1
        if self._used % VACUUM_EVERY == 0:
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")

    def keep(self, name: str) -> str:
        """Keep what is there under this name, and return the statements that bring it back."""
        back = ["BEGIN", "SET LOCAL session_replication_role = replica"]
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {name}")
            self._kept.append(name)
            for table in self._tables:
                back.append(f"DELETE FROM {table}")
                cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
                if cursor.fetchone() == (True,):
                    columns = self._columns[table]
                    cursor.execute(f"CREATE TABLE {name}.{table} AS SELECT {columns} FROM public.{table}")
                    back.append(f"INSERT INTO {table} ({columns}) SELECT * FROM {name}.{table}")
            cursor.execute("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1")
            for sequence, last in cursor.fetchall():
                if sequence.startswith(_PREFIXES):
                    back.append(f"SELECT setval('{sequence}', {last or 1}, {'true' if last else 'false'})")
        return "; ".join([*back, "COMMIT"])

    def put_back(self, statements: str) -> None:
        """To what `keep` kept, as a restored backup would."""
        with connection.cursor() as cursor:
            cursor.execute(statements)

    def forget_all(self) -> None:
        """Drop everything that was kept."""
        with connection.cursor() as cursor:
            for name in self._kept:
                cursor.execute(f"DROP SCHEMA {name} CASCADE")
        self._kept.clear()


# What PostgreSQL generates it takes from nobody.
_COLUMNS = """
    SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)
    FROM information_schema.columns WHERE table_schema = 'public' AND is_generated = 'NEVER' GROUP BY table_name
"""
_PREFIXES = tuple(f"{app}_" for app in APPS)
