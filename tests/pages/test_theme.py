"""Light, dark or the system's: a cookie, no script, and a way back that never leads off the site."""

from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.pages.reading import Page

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_is_rendered_by_the_server_from_then_on(client: Client, theme: str) -> None:
    client.post("/theme/?next=/about/", {"theme": theme})
    page = Page.of(client.get("/about/"))
    assert page.all("html")[0].attributes["data-theme"] == theme
    assert page.all("button", value=theme)[0].attributes["aria-pressed"] == "true"


def test_the_systems_theme_is_the_one_without_a_cookie(client: Client) -> None:
    client.post("/theme/", {"theme": "dark"})
    client.post("/theme/", {"theme": "auto"})
    assert "data-theme" not in Page.of(client.get("/about/")).all("html")[0].attributes


@pytest.mark.parametrize("theme", ["", "<script>", "DARK", "x" * 9999])
def test_a_theme_nobody_offers_is_no_theme(client: Client, theme: str) -> None:
    client.post("/theme/", {"theme": theme})
    client.cookies["theme"] = theme[:50]
    assert "data-theme" not in Page.of(client.get("/about/")).all("html")[0].attributes


@pytest.mark.parametrize("address", ["/s/x/?sort=fees&kind=model", "/about/"])
def test_the_way_back_is_the_page_the_form_was_on(client: Client, address: str) -> None:
    action = f"/theme/?{urlencode({'next': address})}"
    assert client.post(action, {"theme": "dark"}).headers["Location"] == address


def test_the_form_of_a_page_leads_back_to_it(client: Client) -> None:
    page = Page.of(client.get("/backtests/?state=done&label=%26next=/about/"))
    (form,) = page.all("form", class_="theme")
    back = client.post(form.attributes["action"], {"theme": "dark"}).headers["Location"]
    assert back == "/backtests/?state=done&label=%26next=/about/"


def test_the_way_back_remembers_what_htmx_put_into_the_address(client: Client) -> None:
    referer = "http://testserver/s/x/?sort=fees"
    response = client.post("/theme/?next=/", {"theme": "dark"}, headers={"referer": referer})
    assert response.headers["Location"] == referer


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "///evil.example",
        "javascript:alert(1)",
        "http://testserver@evil.example/",
        "http:evil.example",
        "\x00/about/",
        "",
    ],
)
def test_the_way_back_never_leads_off_the_site(client: Client, address: str) -> None:
    action = f"/theme/?{urlencode({'next': address})}"
    response = client.post(action, {"theme": "dark"}, headers={"referer": address})
    assert response.headers["Location"] == "/"


def test_the_switch_is_not_a_link_that_a_crawler_could_follow(client: Client) -> None:
    assert client.get("/theme/").status_code == 405


def test_it_works_without_a_token_so_that_pages_are_the_same_for_everybody() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/theme/", {"theme": "dark"}).status_code == 302
    assert "csrfmiddlewaretoken" not in strict.get("/about/").content.decode()
