"""The lint that keeps clocks, dice, ids and messages out of the steps finds what it says it finds."""

import pytest

from tests.seams import ROOT, breaches, step_files


def test_no_step_takes_the_world_by_itself() -> None:
    found = [breach for path in step_files() for breach in breaches(path.name, path.read_text(encoding="utf-8"))]
    assert not found, "\n" + "\n".join(found)


def test_the_steps_of_a_cycle_are_among_the_files() -> None:
    names = {str(path.relative_to(ROOT)) for path in step_files()}
    assert {"competition/services/trading.py", "portfolio/attempts.py", "agents/budget.py"} <= names
    assert "competition/core/engine.py" in names


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("now = timezone.now()", 1),
        ("at = datetime.now(UTC)", 1),
        ("began = time.time()", 1),
        ("\ntoken = uuid.uuid4()", 2),
        ("from uuid import uuid4", 1),
        ("x = random.choice([1])", 1),
        ("from random import shuffle", 1),
        ("import requests", 1),
        ("def f():\n    ask.delay(1)", 2),
        ("def f():\n    ask.apply_async(kwargs={})", 2),
        ("def f(clock=timezone.now):\n    return timezone.now()", 2),
    ],
)
def test_a_breach_is_told_with_its_line(text: str, line: int) -> None:
    (breach,) = breaches("competition/services/a.py", text)
    assert breach.startswith(f"competition/services/a.py:{line}: ")


@pytest.mark.parametrize(
    "text",
    [
        "def step(clock, new_token=uuid.uuid4):\n    return clock(), new_token()",
        "def ask_now(cycle_id):\n    return ask_cycle(cycle_id, timezone.now)",
        "dice = random.Random(7)",
        "def step(now: datetime) -> uuid.UUID: ...",
    ],
)
def test_what_comes_in_as_an_argument_is_let_through(text: str) -> None:
    assert list(breaches("competition/services/a.py", text)) == []
