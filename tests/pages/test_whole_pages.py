"""Every page answers in full to a plain request, and says what is simulated."""

import hashlib
import json

import pytest
from django.conf import settings
from django.test import Client

from competition.pages.about import MANIFEST
from tests.pages.asked import Asked
from tests.pages.reading import Page
from tests.pages.seasons import Played, running_season

ABOUT_A_SEASON = [
    "",
    "e/swinger/",
    "e/all-cash/",
    "e/refuser/",
    "c/1/",
    "c/6/",
    "c/6/e/swinger/",
    "rules/",
    "costs/",
    "m/BTCUSDT/",
    "compare/?e=swinger&e=vandal",
]
ABOUT_THE_SITE = ["/", "/seasons/", "/status/", "/reliability/", "/about/"]


@pytest.mark.parametrize("path", ABOUT_A_SEASON)
def test_a_page_of_a_season_is_whole_and_has_one_headline(played: Played, path: str) -> None:
    page = Page(played.get(path))
    assert page.is_whole
    assert len(page.all("h1")) == 1
    assert page.texts("title")[0].endswith("· Open Outcry")


@pytest.mark.parametrize("path", ABOUT_THE_SITE)
def test_a_page_of_the_site_is_whole_and_has_one_headline(played: Played, client: Client, path: str) -> None:
    page = Page.of(client.get(path))
    assert page.is_whole
    assert len(page.all("h1")) == 1


def test_pages_about_calls_are_whole_and_every_link_of_theirs_leads_somewhere(asked: Asked, client: Client) -> None:
    addresses = [
        f"/calls/{asked.calls[0].id}/",
        *(f"/s/asked/{path}" for path in ("costs/", "e/council/firm/1/", "c/1/", "c/1/e/council/")),
    ]
    for address in addresses:
        response = client.get(address)
        page = Page.of(response)
        assert page.is_whole
        assert len(page.all("h1")) == 1
        assert page.all("aside", class_="simulated")
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        ids = [tag.attributes["id"] for tag in page.tags if "id" in tag.attributes]
        assert len(ids) == len(set(ids))
        links = {str(tag.attributes["href"]) for tag in page.all("a")}
        assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
        inner = {link.partition("#")[0] for link in links if link.startswith("/") and not link.startswith("/static/")}
        assert [link for link in sorted(inner) if client.get(link).status_code != 200] == []


@pytest.mark.parametrize("path", ABOUT_A_SEASON)
def test_every_page_of_a_season_on_a_made_up_market_carries_the_banner(played: Played, path: str) -> None:
    assert Page(played.get(path)).all("aside", class_="simulated")


def test_a_scripted_entry_is_labelled_wherever_it_is_listed(played: Played, client: Client) -> None:
    scripted = played.season.entries.filter(agent__model__startswith="offline/").count()
    board = Page(played.get())
    # once in the legend of the chart, once in the table, once in the words
    assert len(board.texts("span", class_="kind kind-simulated")) == 3 * scripted
    assert len(Page(played.get("c/6/")).texts("span", class_="kind kind-simulated")) == scripted
    assert Page(played.get("e/swinger/")).texts("span", class_="kind kind-simulated")


def test_every_page_names_the_rules_it_stands_under_and_who_drew_the_charts(played: Played) -> None:
    for path in ABOUT_A_SEASON:
        page = Page(played.get(path))
        assert played.season.rules_sha256[:12] in page.texts("code")
        assert page.all("a", href="https://www.tradingview.com/")


@pytest.mark.parametrize("path", [*ABOUT_A_SEASON, *ABOUT_THE_SITE])
def test_a_page_is_sent_with_a_policy_that_allows_nothing_inline(played: Played, client: Client, path: str) -> None:
    response = client.get(path if path.startswith("/") else f"/s/played/{path}")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", [*ABOUT_THE_SITE, "/api/v1/leaderboard", "/s/played/c/1/e/swinger/brief.json"])
def test_a_browser_is_told_to_guess_no_type_and_to_frame_nothing(played: Played, client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Cross-Origin-Opener-Policy" not in headers, "Chromium would start the page in another process"


@pytest.mark.parametrize("path", [*ABOUT_A_SEASON, *ABOUT_THE_SITE])
def test_caches_are_told_what_a_page_depends_on(played: Played, client: Client, path: str) -> None:
    response = client.get(path if path.startswith("/") else f"/s/played/{path}")
    assert {"Cookie", "HX-Request"} <= {name.strip() for name in response.headers["Vary"].split(",")}


@pytest.mark.parametrize("path", [*ABOUT_A_SEASON, *ABOUT_THE_SITE])
def test_pages_only_read(played: Played, client: Client, path: str) -> None:
    address = path if path.startswith("/") else f"/s/played/{path}"
    assert client.post(address).status_code == 405
    assert client.head(address).status_code == 200


def test_every_link_of_every_page_leads_somewhere(played: Played, client: Client) -> None:
    found: set[str] = set()
    for path in ABOUT_A_SEASON:
        page = Page(played.get(path))
        links = (tag.attributes["href"] or "" for tag in page.all("a"))
        found |= {link.partition("#")[0] for link in links if link.startswith("/")}
    assert f"/s/{played.slug}/c/5/" in found
    broken = [link for link in sorted(found) if not link.startswith("/static/") and client.get(link).status_code != 200]
    assert broken == []


def test_a_turn_opens_in_the_page_of_its_week_and_is_a_page_of_its_own_without_scripts(
    played: Played, client: Client
) -> None:
    page = Page(played.get("c/6/"))
    asked = [tag.attributes["hx-get"] or "" for tag in page.all("p", class_="turn-way")]
    assert asked == [tag.attributes["href"] for tag in Page(played.get()).all("a", class_="deed-who")]
    for address in asked[:2]:
        assert page.all("a", href=address)
        part = Page.of(client.get(address, headers={"HX-Request": "true"}))
        assert part.tags[0].attributes["class"] == "turn-body"
        assert not part.is_whole
        whole = Page.of(client.get(address))
        assert {tag.text for tag in part.all("pre")} <= {tag.text for tag in whole.all("pre")}
        assert whole.is_whole


@pytest.mark.parametrize("path", ["/seasons/", "/status/", "/about/"])
def test_a_page_of_the_site_leads_to_the_board_and_rules_of_the_newest_open_season(
    played: Played, client: Client, path: str
) -> None:
    running_season()
    page = Page.of(client.get(path))
    assert page.all("a", href="/s/running/rules/")
    assert "Board" in page.texts("a", href="/s/running/")


def test_the_icon_is_found_where_browsers_look_for_it_unasked(client: Client) -> None:
    response = client.get("/favicon.ico")
    assert (response.status_code, response.headers["Location"]) == (302, "/static/icon.svg")


def test_the_licence_of_every_library_is_a_text_that_a_browser_shows() -> None:
    for row in json.loads((settings.BASE_DIR / MANIFEST).read_text())["files"]:
        licence = settings.BASE_DIR / "static" / "vendor" / row["licence_file"]
        assert licence.suffix == ".txt"
        assert hashlib.sha256(licence.read_bytes()).hexdigest() == row["licence_sha256"]
