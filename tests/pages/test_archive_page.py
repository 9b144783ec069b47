"""The archive: nobody and nothing is left out, and whoever wants to can take it away and verify it."""

import pytest
from django.test import Client

from agents.core.roster import Profile
from competition.pages import retired, seasons
from competition.pages.exports import TABLES
from competition.pages.seasons import archive_page
from competition.pages.trails import heads
from tests.pages.reading import Page
from tests.pages.seasons import play_season, running_season

pytestmark = pytest.mark.django_db
GONE = Profile("gone", "Gone", "single", "offline/vandal")


@pytest.fixture
def past() -> None:
    """A finished season in which one took part who never came back, and one that runs."""
    play_season("past", weeks=2, entries=3, more=(GONE,))
    running_season()


def test_every_season_has_its_head_and_every_file(past: None, client: Client) -> None:
    page = Page.of(client.get("/seasons/"))
    assert [head.sha256 in page.texts("code") for head in heads(10)] == [True, True]
    links = {tag.attributes["href"] or "" for tag in page.all("a")}
    for slug in ("past", "running"):
        assert page.all("div", id=slug)
        assert {f"/api/v1/seasons/{slug}/export/{name}.csv" for name in TABLES} <= links
    assert client.get("/api/v1/seasons/past/export/fills.csv").status_code == 200
    assert "testserver/api/v1/seasons/running/export/postings.ndjson | python3" in page.texts("pre")[0]


def test_who_never_came_back_is_listed_with_how_it_ended(past: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = archive_page(1).retirement.lines
    assert [(one.entry.slug, one.season.text) for one in lines] == [
        ("gone", "The past season"),
        ("vandal", "The past season"),
    ]
    assert lines[0].href == "/s/past/e/gone/"
    assert all(one.net_return for one in lines)
    monkeypatch.setattr(retired, "RETIRED_MAX", 1)
    short = archive_page(1).retirement
    assert ([one.entry.slug for one in short.lines], short.more) == (["gone"], 1)


def test_seasons_come_by_pages(past: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seasons, "PAGE_LENGTH", 1)
    first, second = (Page.of(client.get(f"/seasons/{query}")) for query in ("", "?page=2"))
    assert first.texts("a", rel="next") == ["Older seasons →"]
    assert second.all("div", id="past")
    assert client.get("/seasons/?page=3").status_code == 404
