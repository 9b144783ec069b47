"""Queries put together once and asked with other values each time.

To put one together takes the ORM longer than to ask it, and a page asks a dozen, the same for every visitor.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import Any

from django.db import connection
from django.db.models import Expression, Field, QuerySet


class Given(Expression):
    """A value of a query that is told only when the query is asked: it stands where the value would."""

    def __init__(self, name: str, output_field: "Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class Prepared:
    """Rows of the columns that `build` asks for with `values_list`, some of its values being `Given`."""

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build

    def rows(self, **values: Any) -> list[Any]:
        """A tuple of each row: one query. Raises `KeyError` for a value that is not told."""
        sql, params, converted = self._put_together
        told = [values[param.name] if isinstance(param, Given) else param for param in params]
        with connection.cursor() as cursor:
            cursor.execute(sql, told)
            return list(map(tuple, converted(cursor.fetchall())))

    @cached_property
    def _put_together(self) -> tuple[str, Sequence[Any], Callable[[list[Any]], Iterable[Any]]]:
        """The query with its parameters, and what makes of the driver's values those that Django gives."""
        compiler = self._build().query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([expression for expression, *_ in compiler.select])
        return sql, params, partial(compiler.apply_converters, converters=converters) if converters else iter
