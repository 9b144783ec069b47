"""Each page of a season in each state it can be in: quiet, under way, out of date, and without its database."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from competition.models import Heartbeat
from competition.pages.stale import STALE_AFTER
from competition.services.ticking import heartbeat
from tests.databases import checked
from tests.pages.reading import Page
from tests.pages.seasons import asking, running_season

OPENED = "/s/quiet/"
UNDER_WAY = "/s/busy/"
# what each says while nothing has happened
QUIET = {
    "": "Nobody leads yet",
    "e/swinger/": "It has not been asked yet",
    "m/BTCUSDT/": "Nobody has traded BTC.",
    "compare/": "Choose from 2 to 4.",
    "compare/?e=swinger&e=btc-hold": "Nobody has been asked yet.",
    "costs/": "Costs",
    "rules/": "Rules",
}
BUSY = {"c/1/": "0 of 13 have decided", "c/1/e/swinger/": "It has not been asked.", "e/swinger/": "No decision yet"}
KEPT = {""}  # a board is kept until the season changes, so it asks for the banner


@pytest.fixture(scope="module")
def seasons(kept: None) -> None:
    asking(running_season("busy"))
    checked(running_season("quiet"))


@pytest.fixture
def page_at(seasons: None, db: None, client: Client) -> Callable[[str], Page]:
    def get(address: str) -> Page:
        response = client.get(address)
        assert response.status_code == 200, address
        return Page.of(response)

    return get


@pytest.fixture
def no_database(seasons: None, db: None) -> Iterator[None]:
    def refuse(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(refuse):
        yield


def words_of(page: Page) -> str:
    return " ".join(" ".join(tag.text.split()) for tag in page.tags)


ADDRESSES = {**{OPENED + path: words for path, words in QUIET.items()}, **{UNDER_WAY + p: w for p, w in BUSY.items()}}


@pytest.mark.parametrize(("address", "words"), ADDRESSES.items())
def test_a_page_with_nothing_to_show_yet_says_so_and_leads_on(
    page_at: Callable[[str], Page], address: str, words: str
) -> None:
    page = page_at(address)
    assert words in words_of(page)
    assert page.all("a", href=f"/s/{address.split('/')[2]}/rules/")
    assert "Stale" not in page.texts("strong")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_says_that_nothing_runs_any_more_when_the_newest_heartbeat_is_old(
    page_at: Callable[[str], Page], address: str
) -> None:
    heartbeat("beat and worker", timezone.now() - STALE_AFTER - timedelta(minutes=1))
    page = page_at(address)
    (place,) = page.all("aside", id="stale")
    assert place.attributes["hx-get"] == "/status/"
    assert ("Stale" in page.texts("strong")) is (address.removeprefix(OPENED) not in KEPT)
    heartbeat("second ticker", timezone.now())
    assert "Stale" not in page_at(address).texts("strong")


@pytest.mark.parametrize("address", [*ADDRESSES, "/seasons/", "/status/", "/reliability/", "/backtests/", "/about/"])
def test_a_page_whose_database_has_gone_says_when_to_come_back(no_database: None, client: Client, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert Page.of(response).texts("h1") == ["Back in a moment."]


def test_the_banner_by_itself_is_a_sentence_or_nothing(
    seasons: None, db: None, client: Client, django_assert_num_queries: Callable[[int], Any]
) -> None:
    def banner() -> HttpResponse:
        with django_assert_num_queries(1):
            return client.get("/status/", headers={"HX-Request": "true", "HX-Target": "stale"})

    assert banner().content.strip() == b""
    heartbeat("second ticker", timezone.now() - STALE_AFTER - timedelta(minutes=1))
    assert Page.of(banner()).texts("strong") == ["Stale"]
    Heartbeat.objects.update(at=timezone.now())
    assert banner().content.strip() == b""
