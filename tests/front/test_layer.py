"""The layer before Django, with the real site and the real database behind it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from agents.models import Agent
from competition.front.layer import Front
from competition.models import Season
from tests.pages.seasons import asking, running_season
from tests.support_engines import until

pytestmark = [
    pytest.mark.usefixtures("own_database"),
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]
PATH = "/s/running/"


@pytest.fixture
def season(own_database: str) -> Season:
    return running_season()


@pytest.fixture
def front(season: Season) -> Iterator[Front]:
    made = Front(get_wsgi_application(), settings.ALLOWED_HOSTS, behind_proxy=False)
    yield made
    if made.changes:
        made.changes.stop()


@pytest.fixture
def get(front: Front) -> Callable[..., tuple[int, dict[str, str], str]]:
    def get(path: str = PATH, query: str = "", **environ: str) -> tuple[int, dict[str, str], str]:
        said: list[Any] = []
        asked = {"PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": "localhost", "REQUEST_METHOD": "GET", **environ}
        request = {**Client()._base_environ(), **asked}
        answer = front(request, lambda *start: said.extend(start))
        body = b"".join(answer).decode()
        if close := getattr(answer, "close", None):
            close()
        return int(said[0].split()[0]), dict(said[1]), body

    return get


Get = Callable[..., tuple[int, dict[str, str], str]]


def listening(front: Front) -> None:
    until(lambda: front.changes is not None and front.changes.listening.is_set(), "the front to listen")


def test_a_kept_board_is_djangos_own_and_takes_no_query(
    front: Front, get: Get, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    get()
    listening(front)
    plain = Client().get(PATH, headers={"host": "localhost"})
    with django_assert_num_queries(0):
        status, headers, body = get()
    assert (status, body) == (200, plain.content.decode())
    for name in ("Content-Type", "Content-Security-Policy", "X-Frame-Options", "Referrer-Policy"):
        assert headers[name] == plain.headers[name]
    assert "Set-Cookie" not in headers


def test_neither_unknown_parameters_nor_cookies_miss_it_or_change_it(
    front: Front, get: Get, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, _, body = get()
    listening(front)
    get()
    with django_assert_num_queries(0):
        assert get(query="utm_source=<script>")[2] == body
        assert get(HTTP_COOKIE="sessionid=stolen; csrftoken=x")[2] == body
        assert get(HTTP_X_FORWARDED_HOST="evil.example", HTTP_X_FORWARDED_PROTO="https")[2] == body


def test_a_strange_host_is_refused_and_leaves_nothing_behind(get: Get) -> None:
    assert get(HTTP_HOST="evil.example")[0] == 400
    assert "evil" not in get()[2]


def test_colours_and_parts_are_kept_apart(get: Get) -> None:
    assert 'data-theme="dark"' in get(HTTP_COOKIE="theme=dark")[2]
    assert '<html lang="en">' in get()[2]
    part = get(HTTP_HX_REQUEST="true", HTTP_HX_TARGET="clock")[2]
    assert part.strip().startswith("<dl")
    assert "<html" in get()[2]


def test_everything_else_is_still_there(get: Get) -> None:
    assert get("/livez")[2] == "ok"
    assert get("/s/nope/")[0] == 404
    assert "aria-sort" in get(query="sort=return")[2]
    assert get(query="sort=nonsense")[0] == 404


def test_a_committed_change_is_on_the_board_within_a_second(front: Front, season: Season, get: Get) -> None:
    before = get()[2]
    listening(front)
    assert get()[2] == before
    with transaction.atomic():
        asking(season)
        assert get()[2] == before
    committed_at = time.monotonic()
    until(lambda: get()[2] != before, "the new board")
    assert time.monotonic() - committed_at < 10  # of the second, the bench tells


def test_a_change_that_is_rolled_back_changes_nothing(front: Front, season: Season, get: Get) -> None:
    before = get()[2]
    listening(front)
    get()
    kept = dict(front.shelf._pages)
    with transaction.atomic():
        asking(season)
        transaction.set_rollback(True)
    Agent.objects.filter(entries__season=season).first().save()  # a change that is told, behind the one that was not
    until(lambda: front.shelf._pages != kept, "the later change to be heard")
    assert get()[2] == before


def test_a_new_name_of_an_agent_is_on_every_board(front: Front, season: Season, get: Get) -> None:
    assert "Renamed" not in get()[2]
    listening(front)
    get()
    agent = Agent.objects.filter(entries__season=season).first()
    assert agent
    agent.name = "Renamed"
    agent.save()
    until(lambda: "Renamed" in get()[2], "the new name")


def test_when_the_line_to_the_database_breaks_the_board_stands_and_what_was_missed_is_made_up_for(
    front: Front, season: Season, get: Get
) -> None:
    before = get()[2]
    listening(front)
    get()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query = 'LISTEN board' AND datname = current_database()"
        )
        assert cursor.rowcount == 1
    assert get()[2] == before
    asking(season)
    until(lambda: get()[2] != before, "what was missed")
