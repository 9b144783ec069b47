"""The example agent is short, needs nothing but Python, and its reply counts under a season's own rules."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings

from agents.core.answers import Answer, NoAnswer
from agents.core.brief import Place
from competition.core.engine import Seat, brief_turn, decide_turn
from portfolio.core.decisions import VerdictKind
from tests.live.runners import asked, question
from tests.live.servers import free_port, until_answers
from tests.notation import B, S, rules, snapshot

FILE = settings.BASE_DIR / "docs" / "example_agent.py"
SEAT = Seat("season/example", Place(1, 4, "entry-01"))


@pytest.fixture(scope="module")
def agent() -> Iterator[str]:
    """The agent as a process of its own, in an environment that holds nothing of ours; its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-I", FILE, str(port)], env={"PATH": os.environ["PATH"]}, stderr=subprocess.DEVNULL
    )
    try:
        until_answers(f"http://127.0.0.1:{port}/livez")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=20)


@pytest.mark.parametrize(
    "limits",
    [{}, {"max_weight": "0.1", "min_cash": "0.2"}, {"max_weight": "0.9", "min_cash": "0.05", "max_turnover": "0.5"}],
    ids=str,
)
@pytest.mark.parametrize("book", ["1000 USDT", "100 USDT, 0.01 BTC, 0.1 ETH"])
def test_its_reply_counts_at_once_under_any_limits(agent: str, limits: dict[str, str], book: str) -> None:
    season = rules(universe=("BTCUSDT", "ETHUSDT"), **limits)
    market, symbols = snapshot("BTC 50000, ETH 2500", "BTC, ETH"), S("BTC, ETH")
    brief = brief_turn(SEAT, B(book), market, symbols, (), season)
    answers = []

    def decide(*_: object) -> Answer | NoAnswer:
        answers.append(asked(agent, question("example/even", brief=brief)))
        return answers[-1]

    verdict = decide_turn(brief, B(book), market.prices, symbols, season, decide)
    assert verdict.kind == VerdictKind.REBALANCE, verdict
    assert len(answers) == 1


def test_it_says_that_it_lives_and_has_no_other_door(agent: str) -> None:
    silent = asked(f"{agent}/elsewhere", question())
    assert silent == NoAnswer("the runner answered with status 404")


def test_it_is_short_and_imports_nothing_that_does_not_come_with_python() -> None:
    text = FILE.read_text()
    imported = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    code = [line for line in text.partition('"""\n\nimport')[2].splitlines() if line.strip()]
    assert len(code) <= 36
