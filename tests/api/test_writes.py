"""Writing needs a token with the scope; without one nothing is written, wherever it is tried."""

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from agents.core.answers import Answer, NoAnswer
from agents.models import Agent, Attempt, Budget
from competition.analyses import Analysis
from competition.models import Backtest, Season, Turn
from competition.services import analyses
from competition.services.ticking import ANALYSE, tick
from competition.tokens import ApiToken, Scope, make_token, revoke
from portfolio.models import Journal, Order
from tests.api.asking import V1, data, error_in
from tests.api.test_contract import WRITTEN
from tests.pages.seasons import START, Played, asking, running_season

BODIES: dict[str, dict[str, Any]] = {
    "analysis/run": {"season": "running", "entry": "steady"},
    "portfolio/reset": {"season": "played", "entry": "swinger"},
    "backtest/run": {
        "agents": ["equal-weight"],
        "symbols": ["BTCUSDT"],
        "first": "2024-01-01",
        "last": "2024-03-01",
        "source": "synthetic",
    },
}
SCOPES = {"analysis/run": Scope.ANALYSIS, "portfolio/reset": Scope.RESET, "backtest/run": Scope.BACKTEST}


@pytest.fixture(autouse=True)
def unhurried(settings: Settings) -> None:
    settings.API_WRITES_PER_MINUTE = 10**6


def token(*scopes: Scope, days: int = 1) -> str:
    now = timezone.now()
    text, row = make_token("a test", list(scopes), now - timedelta(days=2), now + timedelta(days=days), None)
    row.save()
    return text


def post(path: str, body: Any, bearer: str = "") -> HttpResponse:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    text = body if isinstance(body, str) else json.dumps(body)
    client = Client(raise_request_exception=False)
    return client.post(V1 + path, text, content_type="application/json", headers=headers)


def written() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Analysis, Season, Backtest, Journal, Order))


def test_every_route_that_is_no_read_is_known_here_and_guarded() -> None:
    """Deny by default: a new write that says nothing of a token fails this test."""
    writes = {
        path.removeprefix(V1): operation
        for path, methods in WRITTEN["paths"].items()
        for method, operation in methods.items()
        if method != "get"
    }
    assert writes.keys() == BODIES.keys()
    assert all(operation["security"] == [{"Bearer": []}] for operation in writes.values())


@pytest.mark.parametrize("path", BODIES)
def test_without_a_token_that_may_nothing_is_written(played: Played, path: str) -> None:
    running_season()
    before = written()
    others = [scope for scope in Scope if scope != SCOPES[path]]
    expired, revoked = token(SCOPES[path], days=-1), token(SCOPES[path])
    revoke(list(ApiToken.objects.order_by("-id").values_list("id", flat=True)[:1]), timezone.now())
    for bearer in ("", "oo_guessed", expired, revoked, "\u2603".encode().decode("latin-1")):
        refused = post(path, BODIES[path], bearer)
        assert error_in(refused, 401)["type"] == "no_token"
        assert refused["WWW-Authenticate"] == "Bearer"
    assert error_in(post(path, BODIES[path], token(*others)), 403)["type"] == "not_allowed"
    assert written() == before


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", ["", "{", "[]", '{"season": 1}', '{"more": 1}', "\x00"])
def test_a_body_that_is_none_is_refused_and_nothing_is_written(played: Played, path: str, body: str) -> None:
    before = written()
    assert post(path, body, token(SCOPES[path])).status_code in (400, 422)
    assert written() == before


def test_a_token_is_kept_as_a_hash_and_says_when_it_was_used(db: None) -> None:
    text = token(Scope.RESET)
    row = ApiToken.objects.get()
    assert text not in json.dumps([str(value) for value in vars(row).values()])
    assert row.last_used_at is None
    post("portfolio/reset", {"season": "nope", "entry": "nope"}, text)
    row.refresh_from_db()
    assert row.last_used_at is not None


def test_a_token_is_shown_once_in_the_admin_and_never_again(admin_client: Client) -> None:
    form = {"name": "the bot of Ada", "scopes": [Scope.BACKTEST.value], "days": "30"}
    shown = admin_client.post("/admin/competition/apitoken/add/", form)
    assert shown.status_code == 200, shown.context and shown.context.get("errors")
    text = shown.context["token"]
    assert text in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    row = ApiToken.objects.get()
    assert (row.scopes, row.created_by.get_username()) == (["backtest:run"], "admin")
    for page in ("", f"{row.pk}/change/"):
        again = admin_client.get(f"/admin/competition/apitoken/{page}")
        assert again.status_code == 200
        assert text not in again.content.decode()
    admin_client.post("/admin/competition/apitoken/", {"action": "revoke", "_selected_action": [row.pk]})
    assert error_in(post("backtest/run", BODIES["backtest/run"], text), 401)


def test_a_backtest_is_put_into_the_queue_once_and_told_of(db: None) -> None:
    bearer = token(Scope.BACKTEST)
    first, again = (post("backtest/run", BODIES["backtest/run"], bearer) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    key = first.json()["data"]["key"]
    assert [row["key"] for row in data("backtest/runs")["items"]] == [key]
    told = data(f"backtest/runs/{key}")
    assert (told["backtest"]["state"], told["result"]) == ("queued", None)


def test_a_backtest_that_cannot_be_played_says_why_beside_the_field(db: None) -> None:
    wrong = {**BODIES["backtest/run"], "agents": ["nobody"]}
    assert list(error_in(post("backtest/run", wrong, token(Scope.BACKTEST)), 422)["fields"]) == ["agents"]


def test_a_token_may_ask_for_no_more_than_a_visitor_of_the_pages(db: None) -> None:
    Agent.objects.create(slug="foreign", version=1, name="Foreign", kind="single", model="own/foreign")
    bearer = token(Scope.BACKTEST)
    for beyond, field in (
        ({"agents": ["foreign"]}, "agents"),  # whoever answers for it is paid by somebody
        ({"every": "candle", "first": "2020-01-01"}, "every"),
        ({"every": "1d", "first": "1980-01-01"}, "first"),
    ):
        refused = post("backtest/run", {**BODIES["backtest/run"], **beyond}, bearer)
        assert list(error_in(refused, 422)["fields"]) == [field]
    assert Backtest.objects.count() == 0


def test_a_token_has_one_backtest_under_way_and_waits_with_the_next(db: None) -> None:
    bearer = token(Scope.BACKTEST)
    assert post("backtest/run", BODIES["backtest/run"], bearer).status_code == 202
    assert (
        "under way already"
        in error_in(post("backtest/run", {**BODIES["backtest/run"], "seed": 2}, bearer), 409)["detail"]
    )
    assert post("backtest/run", {**BODIES["backtest/run"], "seed": 2}, token(Scope.BACKTEST)).status_code == 202
    assert set(Backtest.objects.values_list("requested_via", flat=True)) == {"api"}


def test_a_reset_drafts_a_new_season_and_leaves_the_old_ledger_as_it_is(played: Played) -> None:
    journals = list(Journal.objects.values_list("hash", flat=True))
    done = post("portfolio/reset", BODIES["portfolio/reset"], token(Scope.RESET))
    assert done.status_code == 201, done.content
    drafted = Season.objects.get(slug=done.json()["data"]["new_season"])
    assert drafted.state == "draft"
    assert set(drafted.entries.values_list("slug", flat=True)) == {"swinger", "btc-hold"}
    assert list(Journal.objects.values_list("hash", flat=True)) == journals
    assert error_in(post("portfolio/reset", BODIES["portfolio/reset"], token(Scope.RESET)), 409)["detail"]


def answering(answer: Answer | NoAnswer) -> Any:
    @asynccontextmanager
    async def runner() -> Any:
        async def ask(question: Any, admit: Any = None) -> Answer | NoAnswer:
            return answer

        yield ask

    return runner


def test_an_analysis_says_what_the_agent_would_do_and_trades_nothing(db: None) -> None:
    asking(running_season())
    before = (Order.objects.count(), Journal.objects.count(), Turn.objects.exclude(verdict="").count())
    done = post("analysis/run", BODIES["analysis/run"], token(Scope.ANALYSIS))
    assert done.status_code == 202, done.content
    number = done.json()["data"]["id"]
    assert error_in(post("analysis/run", BODIES["analysis/run"], token(Scope.ANALYSIS)), 409)["detail"]
    sent: list[tuple[str, int]] = []
    tick(START, lambda step, row_id: sent.append((step, row_id)))
    assert (ANALYSE, number) in sent
    reply = '{"action": "rebalance", "allocations": {"BTCUSDT": 0.5}, "rationale": "why not"}'
    analyses.analyse(number, timezone.now, answering(Answer(reply)))
    told = data(f"analysis/runs/{number}")
    assert (told["state"], told["verdict"], told["weights"]) == ("ended", "rebalance", {"BTCUSDT": "0.5"})
    assert (Order.objects.count(), Journal.objects.count(), Turn.objects.exclude(verdict="").count()) == before
    (line,) = data("analysis/logs?season=running&entry=steady")["items"]
    assert (line["analysis"], line["cycle"], line["reply"]) == (number, None, reply)


def test_an_analysis_uses_up_nothing_of_what_turns_may_use(db: None) -> None:
    asking(running_season())
    number = post("analysis/run", BODIES["analysis/run"], token(Scope.ANALYSIS)).json()["data"]["id"]
    analyses.analyse(number, timezone.now, answering(NoAnswer("gone", calls_known=False)))
    assert data(f"analysis/runs/{number}")["verdict"] == "silent"
    scopes = Budget.objects.values_list("scope", flat=True)
    assert all(scope.startswith(("analysis ", "analyses ")) for scope in scopes)


def test_an_analysis_whose_asker_died_ends_all_the_same(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asking(running_season())
    number = post("analysis/run", BODIES["analysis/run"], token(Scope.ANALYSIS)).json()["data"]["id"]
    monkeypatch.setattr(analyses, "_keep", lambda *args: None)  # the process is gone before it can write
    analyses.analyse(number, timezone.now, answering(NoAnswer("lost")))
    assert Attempt.objects.filter(brief__analysis=number).exists()
    later = timezone.now() + timedelta(seconds=3 * analyses.ANSWER_S)
    assert analyses.waiting(later) == [number]
    analyses.analyse(number, lambda: later, answering(NoAnswer("lost")))
    assert (data(f"analysis/runs/{number}")["state"], analyses.waiting(later)) == ("ended", [])
