"""The tree is the architecture: who may import whom, what a pure core may not do, and how long things may be."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("market", "portfolio", "agents", "competition")  # each may import those before it
OTHER_PACKAGES = ("config", "tests", "bench")
HOMES = {
    **dict.fromkeys(("litellm", "openai"), "agents/llm.py"),
    "binance": "tests/venue/test_conformance.py",  # docs/decisions/0014: no part of the product speaks through it
    **dict.fromkeys(("pandas", "pandas_ta_classic"), "market/core/indicator_arrays.py"),
}

FOREIGN_IN_CORE = {"numpy", "pydantic"}  # NumPy stays out of what the web process imports
OUTSIDE = {
    *(
        "asyncio",
        "glob",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "secrets",
        "shutil",
        "signal",
        "socket",
    ),
    *("sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "concurrent"),
}
READS_THE_CLOCK = {"now", "utcnow", "today"}
ASKS_THE_WORLD = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}

FUNCTION_LINES_MAX, FILE_LINES_MAX, TEST_FILE_LINES_MAX = 50, 300, 400
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "exceptions", "tools", "lib"}
IN_TEMPLATES = {
    r"\bhx-boost\b": "hx-boost: a boosted page breaks charts and the Back button",
    r"(?<![\w-])style\s*=\s*[\"']": "inline style: the content security policy refuses it; use a class",
    r"(?<![\w-])on[a-z]+\s*=\s*[\"']": "inline handler: the content security policy refuses it; use a script file",
    r"(?<![\w-])hx-on\b": "hx-on: an inline handler by another name; use a script file",
    r"\bjavascript:": "javascript: in a link is an inline handler; use a script file",
}

Check = Callable[[str, str], Iterator[str]]  # (path from the root, text) -> "path:line: what is wrong"


def layer_of(path: str) -> int | None:
    top = path.split("/")[0]
    return LAYERS.index(top) if top in LAYERS else None


def is_core(path: str) -> bool:
    return layer_of(path) is not None and path.split("/")[1] == "core"


class Content(NamedTuple):
    """What a file imports, as line and dotted name, and its functions as line, name and number of lines."""

    imports: list[tuple[int, str]]
    functions: list[tuple[int, str, int]]


@cache
def content(path: str, text: str) -> Content:
    """Wherever in the file it is; `from a import b` counts as `a.b`. A file is parsed once for all checks of these."""
    package, found = path.removesuffix(".py").split("/")[:-1], Content([], [])
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Import):
            found.imports.extend((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            found.imports.extend((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found.functions.append((node.lineno, node.name, lines))
    return found


def imports_point_down(path: str, text: str) -> Iterator[str]:
    layer = layer_of(path)
    for line, name in content(path, text).imports:
        top = name.split(".")[0]
        if layer is None or top not in (*LAYERS, *OTHER_PACKAGES):
            continue
        if top == "config" and "/management/commands/" in path:
            continue  # a command is a door: what it prints may be the configuration
        if top not in LAYERS[: layer + 1]:
            yield f"{path}:{line}: {path.split('/')[0]} imports {name}; imports go {' -> '.join(reversed(LAYERS))}"


def core_imports_are_pure(path: str, text: str) -> Iterator[str]:
    for line, name in content(path, text).imports if is_core(path) else ():
        top, *rest = name.split(".")
        if top in LAYERS:
            if rest[:1] != ["core"]:
                yield f"{path}:{line}: core imports {name}; only other cores are values in, values out"
        elif top in OUTSIDE:
            yield f"{path}:{line}: core imports {name}, which reaches the world outside; take it as an argument"
        elif top not in sys.stdlib_module_names and top not in FOREIGN_IN_CORE and HOMES.get(top) != path:
            yield f"{path}:{line}: core imports {name}; of foreign libraries only {', '.join(FOREIGN_IN_CORE)} may be"


def core_reads_no_clock_and_rolls_no_dice(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text, path)) if is_core(path) else ():
        if isinstance(node, ast.Attribute) and node.attr in READS_THE_CLOCK:
            yield f"{path}:{node.lineno}: .{node.attr} reads the clock; take the instant as an argument"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            if node.attr != "Random":
                yield f"{path}:{node.lineno}: random.{node.attr} is not seeded; use random.Random(seed)"
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            yield f"{path}:{node.lineno}: import random and write random.Random(seed), so that the seed is seen"
        elif isinstance(node, ast.Call):
            yield from _calls_of_core(path, node)


def _calls_of_core(path: str, call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    if name in ASKS_THE_WORLD:
        yield f"{path}:{call.lineno}: {name}() in a core; take the value as an argument"
    if name == "random.Random" and not call.args:
        yield f"{path}:{call.lineno}: random.Random() without a seed"


def foreign_libraries_have_one_home(path: str, text: str) -> Iterator[str]:
    for line, name in content(path, text).imports:
        home = HOMES.get(name.split(".")[0])
        if home and path != home and layer_of(path) is not None:
            yield f"{path}:{line}: imports {name}; its one home is {home}"


def functions_are_short(path: str, text: str) -> Iterator[str]:
    for line, name, lines in content(path, text).functions:
        if lines > FUNCTION_LINES_MAX:
            yield f"{path}:{line}: {name} has {lines} lines, more than {FUNCTION_LINES_MAX}"


def files_are_short(path: str, text: str) -> Iterator[str]:
    lines = text.count("\n")
    limit = TEST_FILE_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
    if lines > limit:
        yield f"{path}:{limit}: the file has {lines} lines, more than {limit}; split it by noun"


def names_say_something(path: str, text: str) -> Iterator[str]:
    for part in path.removesuffix(".py").split("/"):
        if part in NAMES_THAT_SAY_NOTHING:
            yield f"{path}:1: {part} says nothing; name the file after what is in it"


def templates_are_plain(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        yield from (f"{path}:{number}: {why}" for found, why in IN_TEMPLATES.items() if re.search(found, line, re.I))


ON_PYTHON: tuple[Check, ...] = (
    imports_point_down,
    core_imports_are_pure,
    core_reads_no_clock_and_rolls_no_dice,
    foreign_libraries_have_one_home,
    functions_are_short,
    files_are_short,
    names_say_something,
)


def python_files() -> list[Path]:
    folders = [ROOT / name for name in (*LAYERS, *OTHER_PACKAGES)]
    found = (path for folder in folders for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts)
    return [ROOT / "manage.py", *found]


def problems(check: Check, paths: list[Path]) -> list[str]:
    named = ((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths)
    return [problem for path, text in named for problem in check(path, text)]


@pytest.mark.parametrize("check", ON_PYTHON, ids=lambda check: check.__name__)
def test_of_every_python_file(check: Check) -> None:
    found = problems(check, python_files())
    assert not found, "\n" + "\n".join(found)


def test_of_every_template() -> None:
    templates = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())
    assert templates
    found = problems(templates_are_plain, templates)
    assert not found, "\n" + "\n".join(found)


def test_every_package_has_its_place_in_the_order_and_every_app_a_core() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    apps = {path.parent.name for path in ROOT.glob("*/apps.py")}
    assert packages <= {*LAYERS, *OTHER_PACKAGES}, "a new package: give it a place in LAYERS or OTHER_PACKAGES"
    assert apps == set(LAYERS), "a new app: give it a place in LAYERS"
    assert [name for name in LAYERS if not (ROOT / name / "core" / "__init__.py").exists()] == []


LONG_FUNCTION = "def long():\n" + "    x = 1\n" * 50


@pytest.mark.parametrize(
    ("check", "path", "text", "line"),
    [
        (imports_point_down, "market/services.py", "import json\nfrom portfolio.core.book import Book", 2),
        (imports_point_down, "portfolio/core/book.py", "def f():\n    import agents.runner", 2),
        (imports_point_down, "agents/models.py", "from competition import models", 1),
        (imports_point_down, "competition/tasks.py", "from config.celery import app", 1),
        (imports_point_down, "market/services.py", "from tests.notation import B", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "from django.db import models", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "from portfolio.models import Journal", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "from market.services import closes", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "from market import queries", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "from ..models import Journal", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "import time", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "from os import environ", 1),
        (core_imports_are_pure, "portfolio/core/book.py", "import requests", 1),
        (core_imports_are_pure, "market/core/candles.py", "import pandas_ta_classic", 1),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "at = datetime.now(UTC)", 1),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "day = date.today()", 1),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "clock = datetime.utcnow", 1),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "\n\nx = random.choice([1])", 3),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "dice = random.Random()", 1),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "from random import shuffle", 1),
        (core_reads_no_clock_and_rolls_no_dice, "market/core/a.py", "text = open('a').read()", 1),
        (foreign_libraries_have_one_home, "agents/runner.py", "def f():\n    from litellm import completion", 2),
        (foreign_libraries_have_one_home, "agents/llm_transport.py", "import litellm.exceptions", 1),
        (foreign_libraries_have_one_home, "agents/llm_transport.py", "import openai", 1),
        (foreign_libraries_have_one_home, "market/services.py", "import binance.client", 1),
        (foreign_libraries_have_one_home, "portfolio/core/metrics.py", "import pandas as pd", 1),
        (functions_are_short, "market/services.py", f"\n{LONG_FUNCTION}", 2),
        (functions_are_short, "market/services.py", LONG_FUNCTION.replace("def", "async def"), 1),
        (files_are_short, "market/services.py", "\n" * 301, 300),
        (files_are_short, "tests/test_x.py", "\n" * 401, 400),
        (names_say_something, "market/utils.py", "", 1),
        (names_say_something, "market/common/candles.py", "", 1),
        (templates_are_plain, "templates/a.html", "<body hx-boost>", 1),
        (templates_are_plain, "templates/a.html", '<p\n  style="color:red">', 2),
        (templates_are_plain, "templates/a.html", "<a onclick='go()'>", 1),
        (templates_are_plain, "templates/a.html", '<a hx-on:click="go()">', 1),
        (templates_are_plain, "templates/a.html", '<a href="javascript:go()">', 1),
    ],
)
def test_a_breach_is_told_with_file_and_line(check: Check, path: str, text: str, line: int) -> None:
    (problem,) = check(path, text)
    assert problem.startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        (imports_point_down, "competition/services/a.py", "from agents.core import reply\nfrom market import models"),
        (imports_point_down, "config/urls.py", "from competition import views"),
        (imports_point_down, "competition/management/commands/a.py", "from config.settings_table import table"),
        (core_imports_are_pure, "portfolio/core/book.py", "import json\nfrom pydantic import BaseModel"),
        (core_imports_are_pure, "market/core/indicator_arrays.py", "import pandas_ta_classic"),
        (core_imports_are_pure, "market/services.py", "import time\nfrom market.models import Candle"),
        (core_reads_no_clock_and_rolls_no_dice, "agents/core/a.py", "import random\ndice = random.Random(7)"),
        (core_reads_no_clock_and_rolls_no_dice, "agents/core/a.py", "with archive.open(name) as member: pass"),
        (core_reads_no_clock_and_rolls_no_dice, "agents/services.py", "at = datetime.now(UTC)"),
        (foreign_libraries_have_one_home, "agents/llm.py", "import litellm"),
        (templates_are_plain, "templates/a.html", '<p class="style" data-on="x" aria-label="on = off">{{ style }}</p>'),
    ],
)
def test_what_is_allowed_is_let_through(check: Check, path: str, text: str) -> None:
    assert list(check(path, text)) == []
