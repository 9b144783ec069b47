"""Backtests as pages: the list, one that waits, runs, failed, was cancelled or is done, and what leads to what."""

import csv
import io
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from competition.core.backtest_result import DecisionLine
from competition.models import Backtest
from competition.services import backtests
from competition.services.backtest_reads import document_of, result_of
from competition.services.backtest_requests import BacktestWish, ask_for
from competition.services.backtest_runs import run_backtest
from competition.services.backtests import Asker, cancel, claim, fail, finish, tell_progress
from tests.competition.backtested import DATA, NOW, a_result, parameters
from tests.pages.reading import Page
from tests.pages.seasons import HARM, HIDDEN, SCRIPT, TURNED

pytestmark = pytest.mark.django_db

MINE = UUID(int=1)
POLLS = {"HX-Request": "true", "HX-Target": "progress"}


def asked(**changes: Any) -> Backtest:
    return backtests.request_backtest(parameters(**changes), DATA, "no_model", Asker("command"), timezone.now())[0]


def running(**changes: Any) -> Backtest:
    held = claim(asked(**changes).key, MINE, timezone.now())
    assert held is not None
    return held


def done(result: Any = None, **changes: Any) -> Backtest:
    return finish(running(**changes), [result or a_result()], {"moments": 9}, 0.5, timezone.now())


@pytest.fixture
def played() -> Backtest:
    """A real one: an array rule and a baseline over two made-up months."""
    wish = BacktestWish(
        agents=("equal-weight", "ema-cross"),
        symbols=("BTCUSDT", "ETHUSDT"),
        first="2024-01-01",
        last="2024-03-01",
        source="synthetic",
    )
    backtest, _ = ask_for(wish, Asker("page"), NOW)
    assert run_backtest(backtest.key, timezone.now, MINE)
    backtest.refresh_from_db()
    assert backtest.state == "done", backtest.error
    return backtest


def picks(page: Page) -> list[str | None]:
    """The backtests that a list has, in its order."""
    return [tag.attributes["value"] for tag in page.all("input", type="checkbox") if tag.attributes["name"] == "b"]


def test_before_the_first_one_the_list_says_how_to_ask(client: Client) -> None:
    page = Page.of(client.get("/backtests/"))
    assert page.is_whole
    assert "Nobody has asked for one yet" in page.texts("p", class_="empty")[0]


def test_the_list_shows_state_agents_and_what_came_out_and_is_filtered_by_its_address(client: Client) -> None:
    over, waits = done(), asked(seed=2)
    page = Page.of(client.get("/backtests/"))
    assert page.all("a", href=f"/backtests/{over.key}/")
    assert page.all("a", href=f"/backtests/{waits.key}/")
    assert "+10.0%" in page.texts("span", class_="sign-up")
    only = Page.of(client.get("/backtests/?state=queued"))
    assert picks(only) == [waits.key]
    assert picks(Page.of(client.get("/backtests/?agent=momentum"))) == []
    assert picks(Page.of(client.get("/backtests/?agent=equal-weight"))) == [waits.key, over.key]
    part = client.get("/backtests/?state=done", headers={"HX-Request": "true", "HX-Target": "list"})
    assert not Page.of(part).is_whole


@pytest.mark.parametrize("query", ["state=lost", "label=x", "page=2", "page=x"])
def test_an_address_of_no_list_is_said_to_be_missing(client: Client, query: str) -> None:
    assert client.get(f"/backtests/?{query}").status_code == 404


def test_one_that_waits_polls_until_it_is_over_and_the_last_answer_has_no_trigger(client: Client) -> None:
    held = running()
    tell_progress(held, 1, 4, timezone.now())
    (section,) = Page.of(client.get(f"/backtests/{held.key}/")).all("section", id="progress")
    assert section.attributes["hx-trigger"] == "every 2s"
    part = client.get(f"/backtests/{held.key}/", headers=POLLS)
    (bar,) = Page.of(part).all("progress")
    assert (bar.attributes["value"], bar.attributes["max"]) == ("1", "4")
    assert part.headers["Cache-Control"] == "no-store"
    finish(held, [a_result()], {}, 0.5, timezone.now())
    last = client.get(f"/backtests/{held.key}/", headers=POLLS)
    assert last.headers["HX-Refresh"] == "true"
    assert not [tag for tag in Page.of(last).tags if "hx-trigger" in tag.attributes]


def test_a_failure_says_why_and_a_cancelled_one_how_to_ask_again(client: Client) -> None:
    failed = fail(running(), f"no candles {SCRIPT}", timezone.now())
    markup = client.get(f"/backtests/{failed.key}/").content.decode()
    assert SCRIPT not in markup
    assert "no candles &lt;script&gt;" in markup
    ended = cancel(asked(seed=2).key, timezone.now())
    assert Page.of(client.get(f"/backtests/{ended.key}/")).all("a", href=f"/backtests/new/?from={ended.key}")


def test_a_stranger_may_not_cancel_and_staff_may(client: Client, admin_client: Client) -> None:
    key = asked().key
    assert not Page.of(client.get(f"/backtests/{key}/")).all("form", id="cancel")
    assert client.post(f"/backtests/{key}/cancel/").status_code == 403
    assert admin_client.post(f"/backtests/{key}/cancel/").status_code == 302
    assert Backtest.objects.get(key=key).state == "cancelled"
    assert admin_client.post(f"/backtests/{key}/cancel/").status_code == 302  # it is over already


def test_a_finished_one_is_a_tear_sheet(client: Client, played: Backtest) -> None:
    response = client.get(f"/backtests/{played.key}/")
    page = Page.of(response)
    assert page.is_whole
    assert len(page.all("h1")) == 1
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    ids = [tag.attributes["id"] for tag in page.tags if "id" in tag.attributes]
    assert len(ids) == len(set(ids))
    chart = json.loads(page.texts("script", id="chart-data")[0])
    assert [line["slug"] for line in chart["lines"]] == [
        "equal-weight",
        "ema-cross",
        "held-btc_hold",
        "held-equal_weight",
    ]
    assert {line["values"][0] for line in chart["lines"]} == {"100.00"}
    assert len(page.all("tbody")) >= 5
    assert page.texts("pre") == [document_line(played)]
    assert played.parameters_sha256 in page.texts("code", class_="hash")
    assert page.all("aside", class_="simulated")
    links = {str(tag.attributes["href"]).partition("#")[0] for tag in page.all("a")}
    inner = [link for link in links if link.startswith("/") and not link.startswith("/static/")]
    assert [link for link in sorted(inner) if client.get(link).status_code != 200] == []


def document_line(played: Backtest) -> str:
    found = result_of(played.key, timezone.now())
    assert found is not None
    return found.status.command_line


def test_one_agent_in_detail_is_chosen_in_the_address(client: Client, played: Backtest) -> None:
    address = f"/backtests/{played.key}/?agent=ema-cross"
    part = Page.of(client.get(address, headers={"HX-Request": "true", "HX-Target": "agent"}))
    assert not part.is_whole
    assert part.texts("h2", id="agent-title") == ["EMA cross"]
    assert client.get(f"/backtests/{played.key}/?agent=nobody").status_code == 404
    assert client.get(f"/backtests/{played.key}/?decisions=99").status_code == 404


def test_a_decision_shows_its_brief_and_its_reason(client: Client, played: Backtest) -> None:
    run = played.runs.get(agent="equal-weight")
    page = Page.of(client.get(f"/backtests/{played.key}/equal-weight/1/"))
    assert page.is_whole
    assert page.all("a", href=f"/backtests/{played.key}/equal-weight/2/")
    assert client.get(f"/backtests/{played.key}/equal-weight/{run.decisions_count + 1}/").status_code == 404
    assert client.get(f"/backtests/{played.key}/equal-weight/0/").status_code == 404


def test_what_an_agent_says_is_text_and_nothing_more(client: Client) -> None:
    line = DecisionLine(
        "2024-01-01T00:00:00Z", "rejected", HARM, {}, HARM, 0, "0", [HARM], [f"rule: {HARM}"], {"note": HARM}
    )
    key = done(replace(a_result(), decisions=[line])).key
    for path in ("", "equal-weight/1/"):
        markup = client.get(f"/backtests/{key}/{path}").content.decode()
        assert not any(harm in markup for harm in (SCRIPT, TURNED, HIDDEN))
        assert "&lt;script&gt;" in markup


def test_files_hold_everything_and_no_cell_of_theirs_is_a_formula(client: Client) -> None:
    line = replace(a_result().decisions[0], rationale='=HYPERLINK("x")')
    found = done(replace(a_result(), decisions=[line]))
    body = b"".join(client.get(f"/backtests/{found.key}/decisions.csv").streaming_content)  # type: ignore[attr-defined]
    (row,) = csv.DictReader(io.StringIO(body.decode()))
    assert row["rationale"] == '\'=HYPERLINK("x")'
    document = b"".join(client.get(f"/backtests/{found.key}/backtest.json").streaming_content)  # type: ignore[attr-defined]
    result = result_of(found.key, timezone.now())
    assert result is not None
    assert json.loads(document) == json.loads(json.dumps(document_of(result)))
    for table in ("figures", "curves", "trades"):
        assert client.get(f"/backtests/{found.key}/{table}.csv").status_code == 200
    assert client.get(f"/backtests/{found.key}/secrets.csv").status_code == 404


def test_two_to_four_stand_side_by_side_and_what_differs_is_told(client: Client) -> None:
    keys = [done(seed=seed).key for seed in (1, 2)]
    page = Page.of(client.get("/backtests/compare/", {"b": keys}))
    assert page.is_whole
    assert any("seed 2" in text for text in page.texts("td", class_="wrap"))
    assert client.get("/backtests/compare/", {"b": [*keys, "none"]}).status_code == 404


@pytest.mark.parametrize(("chosen", "said"), [(0, "Tick 2 to 4"), (1, "1 is ticked"), (5, "5 are ticked")])
def test_too_few_or_too_many_to_compare_can_be_chosen_again(client: Client, chosen: int, said: str) -> None:
    keys = [done(seed=seed).key for seed in range(1, 7)]
    running(seed=9)
    response = client.get("/backtests/compare/", {"b": keys[:chosen]})
    page = Page.of(response)
    assert (response.status_code, page.is_whole) == (200, True)
    assert any(said in text for text in page.texts("p"))
    ticked = [tag.attributes["value"] for tag in page.all("input", type="checkbox") if "checked" in tag.attributes]
    assert sorted(ticked) == sorted(keys[:chosen])
    assert sorted(picks(page)) == sorted(keys)


def test_what_was_asked_behind_the_mask_is_told_apart_from_the_same_without_it(client: Client) -> None:
    keys = [done(mask=mask).key for mask in (False, True)]
    page = Page.of(client.get("/backtests/compare/", {"b": keys}))
    assert {"as they are", "without dates, names and levels of prices"} <= set(page.texts("td", class_="wrap"))
    listed = Page.of(client.get("/backtests/")).texts("p", class_="small")
    assert sum("masked" in text for text in listed) == 1


def test_no_page_takes_more_than_its_queries(
    client: Client, played: Backtest, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = done()
    pages = {
        "/backtests/": 3,
        f"/backtests/{played.key}/": 4,
        f"/backtests/{played.key}/equal-weight/1/": 3,
        f"/backtests/compare/?b={played.key}&b={other.key}": 3,
        "/backtests/new/": 10,
    }
    for address, queries in pages.items():
        with django_assert_num_queries(queries):
            assert client.get(address).status_code == 200
    with django_assert_num_queries(1):
        client.get(f"/backtests/{other.key}/", headers=POLLS)
