"""Queries put together once and asked with other values each time.

To put one together takes the ORM longer than to ask it. A page asks a dozen, the same for every visitor, and whoever
looks at what is due, leases or settles asks the same few all day. One that locks rows is asked in a transaction, or it
raises `TransactionManagementError`, as Django's own would.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from django.db import connection, transaction
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import get_related_populators


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
        self.build = build

    def rows(self, **values: Any) -> list[Any]:
        """A tuple of each row: one query. Raises `KeyError` for a value that is not told."""
        return list(map(tuple, self._ask(values)))

    def each(self, chunk: int, **values: Any) -> Iterator[Any]:
        """A tuple of each row, of which so many are held at once, as by `QuerySet.iterator`."""
        return map(tuple, self._ask_for(chunk, values))

    def _ask(self, values: dict[str, Any]) -> Iterable[Sequence[Any]]:
        sql, told = self._told(values)
        with connection.cursor() as cursor:
            cursor.execute(sql, told)
            return self._converted(cursor.fetchall())

    def _ask_for(self, chunk: int, values: dict[str, Any]) -> Iterator[Sequence[Any]]:
        sql, told = self._told(values)
        is_read_at_once = connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS", False)
        with connection.cursor() if is_read_at_once else connection.chunked_cursor() as cursor:
            cursor.execute(sql, told)
            while rows := cursor.fetchmany(chunk):
                yield from self._converted(rows)

    def _told(self, values: dict[str, Any]) -> tuple[str, list[Any]]:
        sql, params, _, compiler = self._put_together
        if compiler.query.select_for_update and connection.get_autocommit():
            raise transaction.TransactionManagementError("a lock outside a transaction would hold nothing")
        return sql, [values[param.name] if isinstance(param, Given) else param for param in params]

    def _converted(self, rows: list[Any]) -> Iterable[Sequence[Any]]:
        """What Django makes of the driver's values."""
        *_, converters, compiler = self._put_together
        converted: Iterable[Sequence[Any]] = compiler.apply_converters(rows, converters) if converters else rows
        return converted

    @cached_property
    def _put_together(self) -> tuple[str, Sequence[Any], dict[int, Any], Any]:
        """The query with its parameters, what converts which of its columns, and the compiler that knows them."""
        compiler = self.build().query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        if compiler.has_extra_select:
            raise TypeError("what a prepared query is ordered by has to be among its columns")
        return sql, params, compiler.get_converters([expression for expression, *_ in compiler.select]), compiler


class PreparedObjects[M: Model](Prepared):
    """Objects as `build` would give them, with those it selects as related; some of its values being `Given`."""

    def __init__(self, build: Callable[[], QuerySet[M]]) -> None:
        super().__init__(build)

    def all(self, **values: Any) -> list[M]:
        """An object of each row: one query. Raises `KeyError` for a value that is not told."""
        return list(map(self._maker, self._ask(values)))

    def each(self, chunk: int, **values: Any) -> Iterator[M]:
        """An object of each row, of which so many are held at once, as by `QuerySet.iterator`."""
        return map(self._maker, self._ask_for(chunk, values))

    def first(self, **values: Any) -> M | None:
        """The first object, or None. Every row is read, so that `build` should limit them."""
        return next(iter(self.all(**values)), None)

    def get(self, **values: Any) -> M:
        """The object that there has to be. Raises the model's `DoesNotExist` if there is none."""
        found = self.first(**values)
        if found is None:
            raise self.build().model.DoesNotExist(f"nothing has {values}")
        return found

    @cached_property
    def _maker(self) -> Callable[[Sequence[Any]], M]:
        """As Django's own iteration over a query does it, from what the query's compiler knows of its columns."""
        *_, compiler = self._put_together
        info, using = compiler.klass_info, connection.alias
        if compiler.annotation_col_map:
            raise TypeError("prepared objects have no annotations; ask for rows")
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        names = [column.target.attname for column, *_ in compiler.select[first:last]]
        related = get_related_populators(info, compiler.select, using)  # type: ignore[call-arg]  # stubs are ahead

        def make(row: Sequence[Any]) -> M:
            made: M = info["model"].from_db(using, names, row[first:last])
            for populator in related:
                populator.populate(row, made)
            return made

        return make
