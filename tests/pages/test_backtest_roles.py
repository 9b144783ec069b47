"""A firm's decision in a backtest says who of its six roles was called, and why the others were not."""

from typing import Any

import pytest
from django.test import Client

from agents.core.answers import Answer, NoAnswer, Question
from agents.models import Agent
from competition.models import Backtest
from competition.pages.backtest_roles import IN_PROCESS, MASKED
from tests.competition.test_backtest_models import MODEL, Desk, gpt, half_in, played, record_of  # noqa: F401
from tests.pages.deliberated import deliberation
from tests.pages.reading import Page

pytestmark = pytest.mark.django_db
ROLES = ("technical", "sentiment", "researcher", "trader", "risk")  # and no tokenomics


class Firm(Desk):
    """A runner that tells of five roles, and of what became of the sixth."""

    def __init__(self, *, is_silent: bool = False) -> None:
        super().__init__(half_in)
        self.is_silent = is_silent

    def answer(self, question: Question, said: str) -> Answer | NoAnswer:
        calls = tuple(
            record_of(question, said, 100).model_copy(update={"role": role})
            for role in ROLES[: 2 if self.is_silent else 5]
        )
        record = deliberation()
        if not self.is_silent:
            return Answer(said, calls=calls, deliberation=record)
        for role in ("researcher", "trader", "risk"):
            record["roles"][role] = {"status": "not asked", "why": "", "output": None}
        return NoAnswer("1 of 3 analysts are usable, the quorum is 2", calls=calls, deliberation=record)


def told(client: Client, key: str) -> dict[str, str]:
    page = Page.of(client.get(f"/backtests/{key}/firm/1/"))
    assert page.all("section", aria_labelledby="roles-title")
    return dict(line.split(": ", 1) for line in page.texts("li") if ": " in line)


def a_firm(**changes: Any) -> None:
    Agent.objects.create(slug="firm", name="Firm", kind="firm", **{"model": MODEL, **changes})


def test_who_made_no_call_is_named_with_the_reason(client: Client) -> None:
    a_firm()
    found = played(Firm(), agents=("firm",), max_usd="5", last="2024-01-09")
    assert found.status.error == ""
    roles = told(client, found.status.key)
    assert roles["Tokenomics analyst"] == ", no complete reply within 10 seconds."
    assert {roles[name] for name in ("Technical analyst", "Researcher", "Trader", "Risk manager")} == {", one call."}


def test_below_the_quorum_the_desk_was_not_asked(client: Client) -> None:
    a_firm()
    found = played(Firm(is_silent=True), agents=("firm",), max_usd="20", last="2024-01-09")
    assert found.status.error == ""
    roles = told(client, found.status.key)
    assert roles["Trader"] == ", 1 of 3 analysts are usable, the quorum is 2."
    assert roles["Technical analyst"] == ", one call."


def test_who_decides_by_script_or_behind_a_mask_says_where_its_calls_are(client: Client) -> None:
    a_firm()
    found = played(Firm(), agents=("firm",), max_usd="5", last="2024-01-09", mask=True)
    assert MASKED in Page.of(client.get(f"/backtests/{found.status.key}/firm/1/")).texts("p")
    Agent.objects.create(slug="script", name="Script", kind="firm", model="offline/desk", parameters={"seed": 1})
    found = played(Firm(), agents=("script",), max_usd=None, last="2024-01-09")
    assert found.status.error == ""
    assert IN_PROCESS in Page.of(client.get(f"/backtests/{found.status.key}/script/1/")).texts("p")


def test_who_is_no_firm_has_no_roles(client: Client) -> None:
    found = played(Desk(half_in), last="2024-01-09")
    assert Backtest.objects.get().state == "done"
    assert not Page.of(client.get(f"/backtests/{found.status.key}/gpt/1/")).all(
        "section", aria_labelledby="roles-title"
    )
