"""The admin's policy is looser than that of public pages, so no text of a model or of a runner is in it."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from agents.models import Attempt, Brief, Call
from competition.models import Cycle, Turn
from tests.pages.asked import Asked
from tests.pages.seasons import HARM, HIDDEN, TURNED, VANDAL, Played

STRICT = "default-src 'self'"
TOLD = (
    *("role", "requested_model", "returned_model", "finish_reason", "provider_request_id", "error_detail", "reply"),
    *("messages", "parameters", "usage_raw"),
)
SAID = ("alert(", "backwards", TURNED, HIDDEN)


@pytest.fixture
def operator(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def shown(operator: Client, row: Model) -> str:
    """The page of a row, and the list it stands in."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    addresses = [reverse(f"{name}_change", args=[row.pk]), reverse(f"{name}_changelist")]
    answers = [operator.get(address) for address in addresses]
    assert [answer.status_code for answer in answers] == [200, 200]
    return "".join(answer.content.decode() for answer in answers)


def test_nothing_that_an_entry_said_is_in_the_admin(operator: Client, played: Played) -> None:
    turns = Turn.objects.filter(entry__slug="vandal", cycle__season__slug="played").order_by("cycle__number")
    assert any("alert(" in str(turn.violations) or "alert(" in str(turn.decision) for turn in turns)
    for turn in turns[:3]:
        for row in (turn, turn.cycle, turn.brief, *turn.brief.attempts.all()):
            markup = shown(operator, row).replace(escape(VANDAL.name), "")  # an operator's text
            assert not any(said in markup for said in SAID), row


def test_nor_what_a_runner_says_about_a_call(operator: Client, asked: Asked) -> None:
    like = asked.calls[0]
    values = {column.attname: getattr(like, column.attname) for column in Call._meta.concrete_fields}
    harm: dict[str, Any] = {
        name: {"said": HARM} if isinstance(values[name], dict | list) else HARM[:20] for name in TOLD
    }
    call = Call.objects.create(**values | {"id": None, "position": 99} | harm)
    markup = shown(operator, call) + shown(operator, call.attempt)
    assert "&lt;script&gt;al" not in markup.replace(escape(VANDAL.name), "")
    assert "<script>al" not in markup
    assert f'href="/calls/{call.pk}/"' in markup, "where it can be read"


def test_nor_why_an_attempt_failed_in_the_words_of_its_runner(operator: Client, played: Played) -> None:
    attempt = Attempt.objects.filter(brief__turn__cycle__season__slug="played").latest("id")
    values = {column.attname: getattr(attempt, column.attname) for column in Attempt._meta.concrete_fields}
    Attempt.objects.create(**values | {"id": None, "number": 9, "run_token": uuid.uuid4(), "reason": HARM})
    added = Attempt.objects.latest("id")
    markup = (shown(operator, added) + shown(operator, added.brief)).replace(escape(VANDAL.name), "")
    assert not any(said in markup for said in SAID)


@pytest.mark.parametrize("model", [Turn, Attempt, Brief, Cycle], ids=lambda model: model.__name__)
def test_only_admin_pages_may_evaluate_text_and_no_other_site_has_a_hold_on_their_window(
    operator: Client, played: Played, model: type[Model]
) -> None:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    response = operator.get(address)
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline' 'unsafe-eval'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.startswith(STRICT)


@pytest.mark.parametrize("address", ["/", "/status/", "/s/played/c/1/", "/backtests/new/", "/nowhere/", "/admin"])
def test_every_other_page_keeps_the_strict_policy(operator: Client, played: Played, address: str) -> None:
    policy = operator.get(address).headers["Content-Security-Policy"]
    assert policy.startswith(STRICT)
    assert "unsafe" not in policy


@pytest.mark.parametrize("address", ["/", "/status/", "/s/played/c/1/"])
def test_public_pages_load_nothing_of_the_admin(client: Client, played: Played, address: str) -> None:
    markup = client.get(address).content.decode()
    assert "unfold" not in markup
    assert "market/admin" not in markup
