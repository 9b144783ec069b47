"""Hostile text in every place where somebody else writes, and every address of the site looked at with it in there."""

import json
from dataclasses import replace
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from agents.models import Agent, Attempt, Call
from competition.core.backtest_result import DecisionLine
from competition.models import Season
from competition.services.backtests import fail
from tests.browser.served import pages_of
from tests.competition.backtested import a_result
from tests.pages.asked import Asked
from tests.pages.reading import Page
from tests.pages.seasons import HIDDEN, SCRIPT, TURNED
from tests.pages.test_backtest_pages import done, running

LINK = "javascript:alert('x')"
NAME = f"{SCRIPT}{TURNED}{HIDDEN}<a href={LINK}>"
LINE = HIDDEN + NAME + "x" * 1_000_000
ADDRESSES = ("href", "src", "action", "formaction", "hx-get", "hx-post", "data-src")
# Not among the pages: asked by programs. The season's slug stands for {}.
FOR_PROGRAMS = (
    *(
        "/s/{}/equity/",
        "/s/{}/equity.json",
        "/s/{}/c/1/e/vandal/brief.json",
        "/cycles.atom",
        "/sitemap.xml",
        "/llms.txt",
        "/robots.txt",
    ),
    *("/api/v1/leaderboard?season={}", "/api/v1/seasons", "/api/v1/seasons/{}", "/api/v1/status"),
    *("/api/v1/entries/vandal?season={}", "/api/v1/entries/vandal/equity?season={}", "/api/v1/cycles/1?season={}"),
    *("/api/v1/portfolio/summary?season={}&entry=vandal", "/api/v1/portfolio/trades?season={}&entry=vandal"),
    *("/api/v1/analysis/logs?season={}", "/api/v1/backtest/runs", "/api/v1/openapi.json"),
)
# Answered without any text of somebody else, or only when something is sent.
WITHOUT_TEXT = {"home", "picture", "theme", "livez", "readyz", "backtest_check", "backtest_cancel"}


@pytest.fixture(scope="module")
def hostile(asked_once: Asked) -> dict[str, str]:
    """The addresses of the site by what they are, after its season, its agents and a reply have been given NAME."""
    Season.objects.filter(pk=asked_once.played.season.pk).update(name=NAME)
    for agent in Agent.objects.all():
        Agent.objects.filter(pk=agent.pk).update(name=f"{NAME[: 79 - len(agent.slug)]}{agent.slug}")
    like = next(call for call in asked_once.calls if call.reply)
    values = {column.attname: getattr(like, column.attname) for column in Call._meta.concrete_fields}
    call = Call.objects.create(**values | {"id": None, "position": 99, "reply": LINE, "error_detail": NAME[:30]})
    slug = asked_once.played.slug
    pages = {**pages_of(asked_once), **backtests(), "call with a line of a megabyte": f"/calls/{call.pk}/"}
    return pages | {path: path.format(slug) for path in (*FOR_PROGRAMS, f"/calls/{call.pk}/call.json")}


def backtests() -> dict[str, str]:
    """The addresses of a backtest whose agent wrote NAME wherever an agent writes, and of one that failed with it."""
    line = DecisionLine(
        "2024-01-01T00:00:00Z", "rejected", NAME, {}, NAME, 0, "0", [NAME], [f"rule: {NAME}"], {"note": NAME}
    )
    told, failed = done(replace(a_result(), decisions=[line])), fail(running(seed=2), NAME, timezone.now())
    other = done(replace(a_result(), decisions=[line]), seed=3)
    paths = ("", "equal-weight/1/", "backtest.json", "decisions.csv", "figures.csv", "trades.csv")
    return {
        **{f"backtest, {path}": f"/backtests/{told.key}/{path}" for path in paths},
        "failed backtest": f"/backtests/{failed.key}/",
        "backtests compared": f"/backtests/compare/?b={told.key}&b={other.key}",
    }


def is_inert(answer: HttpResponse) -> None:
    """Text stays text, in whatever form it is sent."""
    assert answer["X-Content-Type-Options"] == "nosniff"
    body, kind = answer.content.decode() if not answer.streaming else stream(answer), answer["Content-Type"]
    if "json" in kind:
        json.loads(body)
    elif "xml" in kind:
        assert SCRIPT not in body
        ElementTree.fromstring(body)  # noqa: S314  our own
    elif "html" in kind:
        assert SCRIPT not in body
        at = max(body.find(TURNED), body.find(HIDDEN))
        assert at < 0, f"what turns the writing, or hides, is not written out: {body[max(at - 60, 0) : at + 20]!r}"
        for tag in Page(body).tags:
            assert "alert(" not in tag.text or tag.name not in ("script", "style"), tag
            links = [value for name, value in tag.attributes.items() if name in ADDRESSES and value]
            assert not any(urlsplit(link.strip()).scheme == "javascript" for link in links), tag
            assert not any(name.startswith("on") for name in tag.attributes), tag
    else:
        assert kind.startswith(("text/plain", "text/csv")), kind


def stream(answer: HttpResponse) -> str:
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # of streaming answers


def test_no_address_lets_it_do_anything(hostile: dict[str, str], db: None) -> None:
    assert Attempt.objects.filter(reply__contains=SCRIPT).exists()
    wrong = []
    for what, path in hostile.items():
        answer = Client().get(path)
        assert answer.status_code == (404 if what == "not found" else 200), path
        try:
            is_inert(answer)
        except AssertionError as found:
            wrong.append(f"{path}: {str(found)[:200]}")
    assert wrong == []


def test_a_line_of_a_megabyte_leaves_the_page_small_and_is_there_for_programs(
    hostile: dict[str, str], db: None
) -> None:
    path = hostile["call with a line of a megabyte"]
    page, twin = Client().get(path), Client().get(f"{path}call.json")
    assert len(page.content) < 1_000_000 / 4
    assert json.loads(twin.content)["reply"] == LINE


def test_no_kind_of_address_is_left_out(hostile: dict[str, str]) -> None:
    resolver = get_resolver()
    looked_at = {
        resolver.resolve(urlsplit(path).path).url_name for what, path in hostile.items() if what != "not found"
    }
    patterns = {one.name for one in get_resolver("competition.urls").url_patterns}
    assert patterns - looked_at == WITHOUT_TEXT - looked_at
