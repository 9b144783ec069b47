"""Brings a used test database back to what it was when it was copied, from outside, past every trigger."""

from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg import sql

LARGE_BYTES = 1024 * 1024  # rows that were deleted are still read over; a large table is vacuumed
PATIENCE_MS = 10_000
# Whatever a test may do to a schema shows here: tables, columns, indexes, constraints, triggers and functions.
SCHEMA = """
    SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
        SELECT concat_ws(' ', oid, relname, relkind) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', attrelid, attname, attnotnull) FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0
        UNION ALL SELECT concat_ws(' ', oid, conname, convalidated) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
        UNION ALL SELECT concat_ws(' ', oid, md5(prosrc)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS lines (line)
"""
SEQUENCES = "SELECT sequencename, COALESCE(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'"
LARGE = "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND pg_relation_size(oid) > %s"


@dataclass(frozen=True)
class Blank:
    """What a database looks like before a test: its schema, the rows that migrations made, and its sequences."""

    schema: str
    empty: tuple[str, ...]
    filled: tuple[tuple[str, str], ...]  # tables and the hash of their rows
    sequences: dict[str, int]

    @classmethod
    def of(cls, admin: psycopg.Connection) -> Self:
        rows = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        tables = tuple(name for (name,) in rows)
        filled = _with_rows(admin, tables)
        return cls(
            _one(admin, SCHEMA),
            tuple(name for name in tables if name not in filled),
            tuple((name, _content(admin, name)) for name in filled),
            _sequences(admin),
        )

    def restore(self, admin: psycopg.Connection) -> bool:
        """End all other sessions and take out what came since; False if that is not enough and nobody may use it."""
        admin.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            [PATIENCE_MS],
        )
        if _one(admin, SCHEMA) != self.schema or any(_content(admin, name) != was for name, was in self.filled):
            return False
        admin.execute("SET session_replication_role = replica")
        for name in _with_rows(admin, self.empty):
            admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        for (name,) in admin.execute(LARGE, [list(self.empty), LARGE_BYTES]).fetchall():
            admin.execute(sql.SQL("VACUUM {}").format(sql.Identifier(name)))
        for name, value in _sequences(admin).items():
            if value != self.sequences[name]:
                before = self.sequences[name]
                admin.execute("SELECT setval(%s::regclass, %s, %s)", [f'"{name}"', before or 1, before > 0])
        return _sequences(admin) == self.sequences and not _with_rows(admin, self.empty)


def _with_rows(admin: psycopg.Connection, tables: tuple[str, ...]) -> set[str]:
    each = (
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
        for name in tables
    )
    return {name for (name,) in admin.execute(sql.SQL(" UNION ALL ").join(each)).fetchall()}


def _content(admin: psycopg.Connection, table: str) -> str:
    lines = sql.SQL("SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} AS t")
    return _one(admin, lines.format(sql.Identifier(table)))


def _sequences(admin: psycopg.Connection) -> dict[str, int]:
    return {str(name): int(value) for name, value in admin.execute(SEQUENCES).fetchall()}


def _one(admin: psycopg.Connection, query: str | sql.Composed) -> str:
    row = admin.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return str(row[0])
