"""Being one of many, told to the database as one array.

`__in` makes a parameter of each: to prepare and quote two hundred of them takes longer than to ask.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.db.models import F, Lookup

from portfolio.prepared import Given

if TYPE_CHECKING:
    Values = Lookup[list[int] | list[str] | Given]
else:
    Values = Lookup  # takes no argument when it runs


class OneOf(Values):
    """A condition for `filter`: the column is one of these whole numbers, or texts.

    To `exclude` by it takes a column that is never null, or those that are would be left out, too.
    """

    lookup_name = "one_of"
    prepare_rhs = False

    def __init__(self, column: str, values: Collection[int] | Collection[str] | Given) -> None:
        super().__init__(F(column), values if isinstance(values, Given) else list(values))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*params, self.rhs]
