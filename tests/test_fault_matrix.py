"""The fault matrix of docs/reliability.md has every row once, and names tests that exist or says why there is none."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
DOCUMENT = TESTS.parent / "docs" / "reliability.md"
ROWS = [*(f"F{n}" for n in range(1, 73)), *(f"M{n}" for n in range(1, 22)), *(f"W{n}" for n in range(1, 28))]
NAMED = re.compile(r"`([\w/.]+\.py)::(\w+)`")
WITHOUT = ("Not covered: ", "Left out: ")


def rows(text: str) -> Iterator[tuple[str, str]]:
    """The name of each row of the matrix and what stands in its last column."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[FMW]\d+", cells[0]):
            yield cells[0], cells[-1]


@cache
def names_in(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_"))


def problems(text: str) -> Iterator[str]:
    for name, told in rows(text):
        named = NAMED.findall(told)
        if told.startswith(WITHOUT):
            continue
        if not named:
            yield f"{name} names no test and does not say why"
        yield from (f"{name}: there is no {path}::{test}" for path, test in named if test not in names_in(TESTS / path))


def test_every_row_is_there_once_and_in_order() -> None:
    assert [name for name, _ in rows(DOCUMENT.read_text())] == ROWS


def test_every_test_that_is_named_exists() -> None:
    assert list(problems(DOCUMENT.read_text())) == []


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ("it is fine", "F1 names no test and does not say why"),
        ("`test_fault_matrix.py::test_of_nothing`", "F1: there is no test_fault_matrix.py::test_of_nothing"),
        ("`nowhere.py::test_x`", "F1: there is no nowhere.py::test_x"),
    ],
)
def test_a_row_that_shows_nothing_is_found(told: str, problem: str) -> None:
    assert list(problems(f"| F1 | a fault | {told} |")) == [problem]
