"""Rows as CSV, piece by piece, so that a table of any length is written with the memory of a few hundred rows.

A cell of text that came from elsewhere may begin as a formula does; spreadsheets would compute it, so an apostrophe
goes before it, as they know it themselves. Numbers are of our own making and stay as they are, minus signs included.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import batched
from typing import Any

from market.core.canonical import canonical_json, plain, utc_text

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
LINES_AT_ONCE = 500


def csv_blocks(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The rows as text, some hundred lines at a time. Absent values are empty cells, nested ones canonical JSON."""
    echo = csv.writer(_Echo(), lineterminator="\r\n")
    for some in batched(rows, LINES_AT_ONCE):
        yield "".join(echo.writerow([_cell(value) for value in row]) for row in some)


class _Echo:
    """A file that hands back what is written to it, so that the writer's rows can be sent on."""

    def write(self, text: str) -> str:
        return text


def _cell(value: Any) -> Any:
    match value:
        case str():
            return f"'{value}" if value.startswith(_BEGINS_A_FORMULA) else value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case datetime():
            return utc_text(value)
        case dict() | list():
            return canonical_json(value)
    return value
