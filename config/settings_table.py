"""The configuration table of the README, read from the settings themselves, so that the two cannot disagree.

The convention: each `env.type("NAME", default=...)` has a comment directly above it, which is its meaning; one that
starts with `Secret:` marks a secret. A variable read in two files needs the comment in one of them.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

START, END = "<!-- settings -->", "<!-- /settings -->"
SECRET = "Secret:"  # noqa: S105 - a mark, not a secret


class SettingsUndocumented(ValueError):
    """A variable that breaks the convention; the message names it and says what to write."""


class NoPlaceForTable(ValueError):
    """A text without the two marks between which the table belongs."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment. `default` is as an operator would write it; None when it must be set."""

    name: str
    default: str | None
    meaning: str
    is_secret: bool


def variables(sources: Iterable[str]) -> list[Variable]:
    """Every variable that the sources read, in their order, each once. Raises `SettingsUndocumented`."""
    found: dict[str, Variable] = {}
    for source in sources:
        lines = source.splitlines()
        for call in _env_calls(source):
            variable = _variable(call, lines)
            if variable.name not in found or not found[variable.name].meaning:
                found[variable.name] = variable
    if silent := [name for name, variable in found.items() if not variable.meaning]:
        raise SettingsUndocumented(f"{', '.join(silent)}: say in a comment directly above the env line what it is for.")
    return list(found.values())


def table(rows: Iterable[Variable]) -> str:
    """The variables as a markdown table."""
    lines = ["| Variable | Default | Meaning | Secret |", "| --- | --- | --- | --- |"]
    for row in rows:
        default = "must be set" if row.default is None else f"`{row.default}`" if row.default else "unset"
        cells = (f"`{row.name}`", default, row.meaning, "yes" if row.is_secret else "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def with_table(text: str, new_table: str) -> str:
    """`text` with `new_table` between the two marks. Raises `NoPlaceForTable`."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise NoPlaceForTable(f"Write {START} and {END} on lines of their own where the table belongs.")
    return f"{before}{START}\n{new_table}\n{END}{after}"


def _env_calls(source: str) -> list[ast.Call]:
    """Calls of `env` and of its methods, from top to bottom."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _is_env(node.func)]
    return sorted(calls, key=lambda call: call.lineno)


def _is_env(function: ast.expr) -> bool:
    target = function.value if isinstance(function, ast.Attribute) else function
    return isinstance(target, ast.Name) and target.id == "env"


def _variable(call: ast.Call, lines: list[str]) -> Variable:
    arguments = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    if len(arguments) != 1 or len(call.args) != 1 or not isinstance(arguments[0], str):
        # A second positional argument would be a cast, not a default.
        raise SettingsUndocumented(f'line {call.lineno}: write env.str("NAME", default=...) and nothing else before.')
    keywords: Mapping[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in call.keywords}
    default = _default(keywords["default"]) if "default" in keywords else None
    comment = _comment_above(lines, call.lineno)
    is_secret = comment.startswith(SECRET)
    meaning = comment.removeprefix(SECRET).strip()
    return Variable(arguments[0], default, meaning[:1].upper() + meaning[1:], is_secret)


def _default(value: ast.expr) -> str:
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        return _path_below_base(value)
    return ",".join(map(str, literal)) if isinstance(literal, list) else str(literal)


def _path_below_base(value: ast.expr) -> str:
    """The parts of a path that is joined with `/` below the project's folder; any other expression as it stands."""
    nodes = list(ast.walk(value))
    if not any(isinstance(node, ast.Name) and node.id == "BASE_DIR" for node in nodes):
        return ast.unparse(value)
    return "/".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _comment_above(lines: list[str], line_number: int) -> str:
    """The comment lines that end directly above line `line_number` (from 1), as one line."""
    found: list[str] = []
    for line in reversed(lines[: line_number - 1]):
        if not line.strip().startswith("#"):
            break
        found.append(line.strip().lstrip("#").strip())
    return " ".join(reversed(found))
