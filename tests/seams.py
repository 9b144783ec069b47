"""The seams of the steps: clock, ids, randomness, network and messages come in as arguments. `make check` runs this.

A step that reads the clock or rolls dice by itself cannot be run under a made-up clock from a seed, and what cannot be
run again cannot be mended. What comes in may have a default; only a function named `..._now`, which is a door, may
name the clock of the wall in its body. A stopwatch (`time.monotonic`) measures and is let through.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = (
    "*/core/*.py",
    "competition/services/*.py",
    *(f"portfolio/{name}.py" for name in ("attempts", "queries", "reconciling", "services")),
    *(f"portfolio/{name}.py" for name in ("testnet_broker", "testnet_desk", "venue_session")),
    *(f"agents/{name}.py" for name in ("budget", "kept_replies", "prices", "recording")),
    *(f"market/{name}.py" for name in ("bulk_rows", "queries", "services")),
)
WORLD = {
    "timezone.now": "the clock",
    "datetime.now": "the clock",
    "datetime.utcnow": "the clock",
    "date.today": "the clock",
    "time.time": "the clock",
    "uuid.uuid4": "an id nobody can make again",
    "uuid.uuid1": "an id nobody can make again",
}
FROM_MODULES = {"time", "random", "secrets", "requests", "httpx"}
SENDS = {"delay", "apply_async"}
DOOR = "_now"


def step_files() -> list[Path]:
    found = {path for pattern in STEPS for path in ROOT.glob(pattern)}
    return sorted(path for path in found if ROOT / "tests" not in path.parents)


def breaches(path: str, text: str) -> Iterator[str]:
    """`path:line: what is wrong` for everything of the world that a step takes by itself."""
    tree = ast.parse(text, path)
    allowed = {id(node) for node in _allowed(tree)}
    for node in ast.walk(tree):
        if id(node) not in allowed and (why := _why(node)):
            yield f"{path}:{node.lineno}: {why}; take it as an argument"  # type: ignore[attr-defined]


def _allowed(tree: ast.AST) -> Iterator[ast.AST]:
    """Defaults of parameters and of fields, and the bodies of doors."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from ast.walk(node.value)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
                yield from ast.walk(default)
            if node.name.endswith(DOOR):
                yield from ast.walk(node)


def _why(node: ast.AST) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _why_import(node)
    if not isinstance(node, ast.Attribute):
        return ""
    name = ast.unparse(node)
    if name in WORLD:
        return f"{name} is {WORLD[name]}"
    if name.startswith("random.") and node.attr != "Random":
        return f"{name} is not seeded"
    if node.attr in SENDS:
        return f".{node.attr} sends a message from within a step"
    return ""


def _why_import(node: ast.Import | ast.ImportFrom) -> str:
    """Whole modules may be imported where only their harmless parts are used; names from them hide what they are."""
    if isinstance(node, ast.ImportFrom):
        module = (node.module or "").split(".")[0]
        names = {alias.name for alias in node.names}
        if module in FROM_MODULES or (module == "uuid" and names & {"uuid4", "uuid1"}):
            return f"from {module} import {', '.join(sorted(names))} brings the world in"
        return ""
    brought = {alias.name.split(".")[0] for alias in node.names} & {"requests", "httpx", "secrets"}
    return f"import {', '.join(sorted(brought))} brings the world in" if brought else ""


def main() -> int:
    files = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in step_files()]
    found = [breach for path, text in files for breach in breaches(path, text)]
    sys.stdout.write("".join(f"{breach}\n" for breach in found) or f"{len(files)} files of steps\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
