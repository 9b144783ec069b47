"""Which requests are for a kept board, and what of them may make a difference to it."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.front.places import Place, place_of

HOSTS = ("localhost", "arena.example", ".wild.example")
HERE = Place("http", "localhost", "/")


def place(path: str = "/", query: str = "", host: str = "localhost", behind_proxy: bool = False, **more: Any) -> Any:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": host, **more}
    return place_of(environ, HOSTS, behind_proxy=behind_proxy)


@pytest.mark.parametrize("path", ["/", "/s/winter-2026/", "/s/a_b/"])
def test_every_board_has_its_place(path: str) -> None:
    assert place(path) == Place("http", "localhost", path)


@pytest.mark.parametrize(
    "path", ["", "/s/", "/s/a/e/b/", "/s/a", "/s/ä/", "/s/a b/", "//", "/admin/", f"/s/{'a' * 41}/"]
)
def test_what_is_no_board_is_djangos(path: str) -> None:
    assert place(path) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE", "get"])
def test_only_reading_is_answered(method: str) -> None:
    assert place(REQUEST_METHOD=method) is None


@pytest.mark.parametrize("query", ["sort=return", "kind=firm&x=1", "x=1&sort=", "so%72t=return", "x=" + "y" * 2000])
def test_a_board_sorted_or_filtered_is_djangos(query: str) -> None:
    assert place(query=query) is None


@given(st.text().filter(lambda name: name not in ("sort", "kind")), st.text())
def test_no_unknown_parameter_makes_a_difference(name: str, value: str) -> None:
    assert place(query=urlencode({name: value})[:2000]) == HERE


@pytest.mark.parametrize("host", ["evil.example", "", "localhost:80:80", "a.wild.example", "localhost\r\nX: y", "[::1"])
def test_a_host_that_is_not_listed_by_name_is_djangos(host: str) -> None:
    assert place(host=host) is None


def test_hosts_differ_by_port_and_not_by_case() -> None:
    assert place(host="LocalHost:8000") == Place("http", "localhost:8000", "/")


@pytest.mark.parametrize(
    ("cookie", "theme"),
    [
        ("theme=dark", "dark"),
        ("sessionid=1; theme=light; x=y", "light"),
        ("theme=pink", ""),
        ("nottheme=dark", ""),
        ("theme", ""),
        ("", ""),
    ],
)
def test_of_all_cookies_only_the_colours_make_a_difference(cookie: str, theme: str) -> None:
    assert place(HTTP_COOKIE=cookie) == Place("http", "localhost", "/", theme)


def test_the_parts_that_htmx_asks_for_have_places_of_their_own_and_others_are_djangos() -> None:
    assert place(HTTP_HX_REQUEST="true", HTTP_HX_TARGET="clock") == Place("http", "localhost", "/", "", "clock")
    assert place(HTTP_HX_REQUEST="true", HTTP_HX_TARGET="strange") is None
    assert place(HTTP_HX_REQUEST="true") is None
    restored = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "clock", "HTTP_HX_HISTORY_RESTORE_REQUEST": "true"}
    assert place(**restored) is None


def test_only_a_proxy_that_is_there_says_what_the_scheme_is() -> None:
    assert place(HTTP_X_FORWARDED_PROTO="https").scheme == "http"
    assert place(HTTP_X_FORWARDED_PROTO="https", behind_proxy=True).scheme == "https"
    assert place(behind_proxy=True, **{"wsgi.url_scheme": "https"}).scheme == "http"


def test_the_request_for_a_place_leads_back_to_it() -> None:
    for wanted in (
        Place("https", "arena.example", "/s/a/", "dark", "clock"),
        Place("http", "localhost:8000", "/"),
    ):
        assert place_of(wanted.environ(), HOSTS, behind_proxy=True) == wanted
