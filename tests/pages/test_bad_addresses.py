"""Whatever is typed into the address bar: a page, or a 404 that leads on. Never a 500, never another board."""

import gzip
import tracemalloc

import pytest
from django.test import Client

from tests.pages.reading import Page
from tests.pages.seasons import Played

HUGE = "9" * 40
NOT_THERE = [
    "/s/nope/",
    "/s/%00/",
    "/s/played%00/",
    "/s/../admin/",
    "/s/" + "x" * 5000 + "/",
    "/s/played/e/nobody/",
    "/s/played/e/%00/",
    "/s/nope/e/swinger/",
    "/s/played/c/0/",
    "/s/played/c/7/",
    "/s/played/c/-1/",
    "/s/played/c/+1/",
    "/s/played/c/1.5/",
    f"/s/played/c/{HUGE}/",
    "/s/played/c/2147483648/",
    "/s/played/c/" + "9" * 5000 + "/",
    "/s/nope/c/1/",
    "/s/nope/rules/",
    "/s/played/c/1/e/nobody/",
    "/s/played/c/7/e/swinger/",
    f"/s/played/c/{HUGE}/e/swinger/",
    "/s/nope/c/1/e/swinger/",
    "/s/played/c/1/e/nobody/brief.json",
    "/s/played/c/9/e/swinger/brief.json",
    f"/s/played/c/{HUGE}/e/swinger/brief.json",
    "/s/played/?sort=nope",
    "/s/played/?sort=%00",
    "/s/played/?sort=--fees",
    "/s/played/?sort=-",
    "/s/played/?kind=nope",
    "/s/played/?kind=%00",
    "/?sort=nope",
    "/s/played/?weeks=5",
    "/s/played/?weeks=%00",
    "/s/played/?returns=net",
    "/s/played/?page=2",
    "/s/played/?page=%00",
    "/s/played/?vendor=nope",
    "/s/played/?vendor=%00",
    "/s/played/e/swinger/?decisions=0",
    "/s/played/e/swinger/?decisions=-1",
    "/s/played/e/swinger/?decisions=x",
    "/s/played/e/swinger/?decisions=%00",
    "/s/played/e/swinger/?decisions=2",
    f"/s/played/e/swinger/?trades={HUGE}",
    "/s/played/e/swinger/?trades=1000000",
    "/s/played/e/swinger/?trades=%D9%A1",
    "/s/played/c/1/?page=2",
    "/s/played/c/1/?page=" + "9" * 5000,
]
HARMLESS = [
    "/s/played/?utm_source=x&y[]=1&%00=%00",
    "/s/played/?sort=fees&sort=return",
    "/s/played/?kind=&sort=&vendor=&weeks=&returns=&find=",
    "/s/played/?find=%00%E2%80%AE<script>" + "x" * 5000,
    "/s/played/?sort=fees&unknown=%E2%80%AE<script>",
    "/s/played/e/swinger/?decisions=&x=%00",
    "/s/played/c/1/?page=1&page=1",
    "/status/?x=%00",
]


@pytest.mark.parametrize("address", NOT_THERE)
def test_what_is_not_there_is_not_found_and_no_board_stands_in_for_it(
    played: Played, client: Client, address: str
) -> None:
    response = client.get(address)
    assert response.status_code == 404
    page = Page.of(response)
    assert not page.all("table")
    assert page.all("a", href="/")


@pytest.mark.parametrize("address", HARMLESS)
def test_what_is_unknown_or_repeated_in_a_query_does_no_harm(played: Played, client: Client, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 200
    assert "<script>" not in response.content.decode()


def test_an_unknown_season_names_the_seasons_there_are(played: Played, client: Client) -> None:
    page = Page.of(client.get("/s/nope/"))
    assert page.all("a", href="/s/played/")


def test_an_unknown_entry_names_the_entries_of_its_season(played: Played, client: Client) -> None:
    page = Page.of(client.get("/s/played/e/nobody/"))
    assert page.all("a", href="/s/played/e/swinger/")


def test_an_unknown_week_leads_to_the_first_and_the_newest(played: Played, client: Client) -> None:
    page = Page.of(client.get("/s/played/c/7/"))
    assert page.all("a", href="/s/played/c/1/")
    assert page.all("a", href="/s/played/c/6/")


def test_the_first_value_of_a_repeated_parameter_does_not_win_over_the_last(played: Played, client: Client) -> None:
    page = Page.of(client.get("/s/played/?sort=fees&sort=return"))
    assert page.all("th", class_="col-return", aria_sort="descending") or page.all(
        "th", class_="col-return ", aria_sort="descending"
    )


def test_a_host_that_is_not_ours_gets_a_400(played: Played, client: Client) -> None:
    assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 400


@pytest.mark.parametrize("pieces", ["bytes=0-0", "bytes=-1", "bytes=" + ",".join(f"{n}-{n}" for n in range(500))])
@pytest.mark.parametrize("address", ["/s/played/", "/s/played/equity.json", "/s/played/c/1/", "/api/v1/seasons"])
def test_a_page_asked_for_in_pieces_comes_whole(played: Played, client: Client, address: str, pieces: str) -> None:
    response = client.get(address, headers={"Range": pieces})
    assert response.status_code == 200
    assert "Content-Range" not in response.headers
    assert len(response.content) > 400


@pytest.mark.parametrize("address", ["/backtests/new/", "/backtests/new/check/", "/theme/", "/api/v1/backtest/run"])
def test_what_is_sent_packed_is_never_unpacked(played: Played, client: Client, address: str) -> None:
    bomb = gzip.compress(b"agents=" + b"x" * 50_000_000)
    tracemalloc.start()
    response = client.post(
        address, bomb, content_type="application/x-www-form-urlencoded", headers={"Content-Encoding": "gzip"}
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.status_code < 500
    assert most < 20_000_000
