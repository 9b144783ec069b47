"""A page asks the database a fixed number of questions, however many entries and weeks there are."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.pages.asked import Asked
from tests.pages.seasons import Played, play_season

PAGES = {
    "": 9,
    "?sort=fees&kind=model": 9,
    "?weeks=4&returns=gross": 12,
    "e/swinger/": 12,
    "c/3/": 7,
    "c/3/e/swinger/": 9,
    "rules/": 2,
    "m/BTCUSDT/": 8,
    "compare/?e=swinger&e=btc-hold": 8,
    "costs/": 5,
}
ASKED = {"costs/": 5, "e/council/firm/1/": 6, "e/council/": 12, "c/1/": 7, "c/1/e/council/": 8}
CALL = 4
SITE = {"/seasons/": 8, "/status/": 12, "/reliability/": 10, "/about/": 1, "/s/nope/": 2, "/livez": 0}


@pytest.mark.parametrize(("path", "queries"), PAGES.items())
def test_a_page_of_a_season_keeps_to_its_number_of_queries(
    played: Played, django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int
) -> None:
    with django_assert_num_queries(queries):
        played.get(path)


@pytest.mark.parametrize(("path", "queries"), ASKED.items())
def test_a_page_about_calls_keeps_to_its_number_of_queries_however_many_there_are(
    asked: Asked, django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int
) -> None:
    with django_assert_num_queries(queries):
        asked.get(path)


def test_the_page_of_a_call_keeps_to_its_number_of_queries(
    asked: Asked, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for call in (asked.calls[0], asked.calls[-1]):
        with django_assert_num_queries(CALL):
            client.get(f"/calls/{call.id}/")


@pytest.mark.parametrize(("path", "queries"), SITE.items())
def test_a_page_of_the_site_keeps_to_its_number_of_queries(
    played: Played, client: Client, django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int
) -> None:
    with django_assert_num_queries(queries):
        client.get(path)


@pytest.mark.parametrize(("path", "queries"), PAGES.items())
def test_a_smaller_season_takes_just_as_many(
    db: None, django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int
) -> None:
    small = play_season("small", weeks=5, entries=3)
    with django_assert_num_queries(queries):
        small.get(path.replace("swinger", "equal-weight"))


def test_what_htmx_polls_takes_fewer(
    played: Played, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        client.get("/s/played/", headers={"HX-Request": "true", "HX-Target": "clock"})
    with django_assert_num_queries(5):
        client.get("/s/played/c/3/", headers={"HX-Request": "true", "HX-Target": "progress"})


def test_no_page_takes_more_than_twelve() -> None:
    assert max(CALL, *PAGES.values(), *ASKED.values(), *SITE.values()) <= 12
