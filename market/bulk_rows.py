"""Many rows changed by one statement. Django's own `bulk_update` takes half a millisecond of CPU for every value."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from django.db import connection, models


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write these fields of these saved rows, all of one model: `UPDATE … FROM unnest(…)`, a column an array."""
    if not rows:
        return
    meta: Any = type(rows[0])._meta
    columns = [meta.get_field(name) for name in fields]
    quote = connection.ops.quote_name
    assigned = ", ".join(f"{quote(column.column)} = new.{quote(column.column)}" for column in columns)
    arrays = ", ".join(f"%s::{_type_of(column)}[]" for column in (meta.pk, *columns))
    names = ", ".join(quote(column.column) for column in (meta.pk, *columns))
    table, key = quote(meta.db_table), quote(meta.pk.column)
    # Names come from the models, values go as parameters.
    sql = f"UPDATE {table} SET {assigned} FROM unnest({arrays}) AS new({names}) WHERE {table}.{key} = new.{key}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [[_prepared(column, row) for row in rows] for column in (meta.pk, *columns)])


def _type_of(column: Any) -> str:
    return str(column.rel_db_type(connection) if column.primary_key else column.db_type(connection))


def _prepared(column: Any, row: models.Model) -> Any:
    value = getattr(row, column.attname)
    return column.get_db_prep_save(value.value if isinstance(value, Enum) else value, connection)
