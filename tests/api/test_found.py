"""Programs find their way: twins of pages, the feed, the sitemap, robots.txt, llms.txt and the page about the API."""

import re
from xml.etree import ElementTree

import pytest
from django.test import Client

from tests.pages.asked import Asked
from tests.pages.reading import Page
from tests.pages.seasons import Played

PAGES = (
    *("/", "/s/played/", "/s/played/e/swinger/", "/s/played/c/3/", "/s/played/rules/", "/s/played/costs/"),
    *("/seasons/", "/status/", "/reliability/"),
)
ATOM = "{http://www.w3.org/2005/Atom}"


def twin(client: Client, path: str) -> str:
    (link,) = Page.of(client.get(path)).all("link", rel="alternate", type="application/json")
    return link.attributes["href"] or ""


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_its_json_twin_which_is_there(played: Played, client: Client, path: str) -> None:
    address = twin(client, path)
    found = client.get(address)
    assert (found.status_code, found["Content-Type"]) == (200, "application/json; charset=utf-8")
    if "/s/played/" in path:
        assert found.json()["data"]["provenance"]["season"] == "played"


def test_calls_and_firms_have_twins_too(asked: Asked, client: Client) -> None:
    for path in (f"/calls/{asked.calls[0].id}/", "/s/asked/e/council/firm/1/"):
        assert client.get(twin(client, path)).status_code == 200


def test_a_page_that_is_not_there_has_no_twin(db: None, client: Client) -> None:
    assert not Page.of(client.get("/s/nope/")).all("link", type="application/json")


def test_the_feed_has_the_cycles_that_ended_each_with_its_page(played: Played, client: Client) -> None:
    response = client.get("/cycles.atom")
    entries = ElementTree.fromstring(response.content).findall(f"{ATOM}entry")  # noqa: S314 - our own
    titles = [str(entry.findtext(f"{ATOM}title")) for entry in entries]
    ours = [title for title in titles if title.startswith("The played season")]
    assert (titles[0], len(ours)) == ("The played season, week 6: closed", 6)
    link = entries[0].find(f"{ATOM}link")
    assert link is not None
    assert client.get(link.attrib["href"].partition("testserver")[2]).status_code == 200


def test_the_sitemap_leads_to_pages_that_are_there(played: Played, client: Client) -> None:
    addresses = re.findall(r"<loc>http://testserver(.*?)</loc>", client.get("/sitemap.xml").content.decode())
    assert {"/", "/s/played/", "/s/played/rules/", "/s/played/e/swinger/", "/s/played/c/6/"} <= set(addresses)
    for address in addresses[:8]:
        assert client.get(address).status_code == 200, address


def test_robots_lead_to_the_sitemap_and_llms_to_what_can_be_read(played: Played, client: Client) -> None:
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").content.decode()
    text = client.get("/llms.txt").content.decode()
    for address in re.findall(r"\(http://testserver([^)]*)\)", text):
        assert client.get(address).status_code == 200, address


def test_the_page_about_the_api_has_examples_that_work_and_nothing_from_elsewhere(
    played: Played, client: Client
) -> None:
    response = client.get("/api/v1/docs")
    page = Page.of(response)
    commands = page.texts("code")
    for command in [command for command in commands if command.startswith("curl") and "-d" not in command]:
        address = command.removeprefix("curl ").strip("'").removeprefix("http://testserver")
        assert client.get(address).status_code == 200, command
    assert all((tag.attributes.get("src") or "/").startswith("/") for tag in page.all("script"))
    assert "unsafe" not in response["Content-Security-Policy"]
