"""What watches the system sees, and what a visitor sees when there is no database or no luck."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.http import HttpResponse
from django.template import loader
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from competition.services.ticking import heartbeat
from competition.views.errors import broken
from tests.pages.reading import Page
from tests.pages.seasons import asking, running_season


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], HttpResponse]:
    """Asks for an address in a thread whose connection finds nobody at the database's address."""
    monkeypatch.setitem(connections.settings["default"], "HOST", "/nonexistent")

    def get(address: str) -> HttpResponse:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(Client(raise_request_exception=False).get(address)))
        thread.start()
        thread.join()
        return found[0]

    return get


@pytest.mark.django_db
def test_a_ready_process_says_so(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert json.loads(response.content) == {"database": "ok", "migrations": "ok"}


@pytest.mark.django_db
def test_a_database_without_a_migration_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'competition'")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "manage.py migrate" in response.json()["migrations"]


@pytest.mark.django_db
def test_without_a_database_it_is_alive_and_not_ready(no_database: Callable[[str], HttpResponse]) -> None:
    assert no_database("/livez").content == b"ok"
    response = no_database("/readyz")
    assert response.status_code == 503
    assert json.loads(response.content)["database"] == "does not answer"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/", "/s/any/", "/s/any/c/1/", "/s/any/e/any/", "/seasons/", "/status/", "/about/"]
)
def test_without_a_database_a_page_says_when_to_come_back(
    no_database: Callable[[str], HttpResponse], address: str
) -> None:
    response = no_database(address)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "10"
    assert Page.of(response).texts("h1") == ["Back in a moment."]


@pytest.mark.django_db
def test_without_a_database_an_address_that_leads_nowhere_is_still_a_404(
    no_database: Callable[[str], HttpResponse],
) -> None:
    assert no_database("/nowhere/").status_code == 404


def test_a_broken_page_is_a_500_that_needs_no_database(rf: Any) -> None:
    response = broken(rf.get("/"))
    assert response.status_code == 500
    assert Page.of(response).texts("h1") == ["Something broke on our side."]


@pytest.mark.parametrize("template", ["500.html", "503.html"])
def test_the_pages_of_last_resort_need_no_context_and_say_what_to_do_next(template: str) -> None:
    page = Page(loader.render_to_string(template))
    assert page.is_whole
    first = {"500.html": "the current board", "503.html": "Load this page again"}[template]
    assert first in page.texts("a")


@pytest.mark.django_db
def test_status_is_well_while_everybody_ticks_and_nothing_is_overdue(client: Client) -> None:
    running_season(starts_at=timezone.now() + timedelta(hours=1))
    heartbeat("second ticker", timezone.now())
    page = Page.of(client.get("/status/"))
    assert page.texts("h1") == ["All is well."]
    assert "Alive" in page.texts("span", class_="mark mark-acted")


@pytest.mark.django_db
def test_status_names_who_has_fallen_silent(client: Client) -> None:
    running_season()
    heartbeat("beat and worker", timezone.now())
    heartbeat("second ticker", timezone.now() - timedelta(seconds=4 * max(10.0, settings.TICK_EVERY_S)))
    markup = client.get("/status/").content.decode()
    assert "Something needs attention." in markup
    assert "Not heard of lately: second ticker." in markup


@pytest.mark.django_db
def test_status_says_when_nobody_has_ever_ticked(client: Client) -> None:
    running_season()
    assert "nobody has ever ticked" in client.get("/status/").content.decode()


@pytest.mark.django_db
def test_status_says_when_a_week_is_overdue(client: Client) -> None:
    running_season()
    heartbeat("second ticker", timezone.now())
    assert "A week of The running season is due and has not opened." in client.get("/status/").content.decode()


@pytest.mark.django_db
def test_status_shows_the_cycle_under_way_and_htmx_gets_only_the_part_that_changes(client: Client) -> None:
    asking(running_season())
    page = Page.of(client.get("/status/", headers={"HX-Request": "true"}))
    assert page.tags[0].attributes["id"] == "status"
    assert page.tags[0].attributes["hx-trigger"] == "every 5s"
    assert page.all("a", href="/s/running/c/1/")
    assert not page.is_whole


@pytest.mark.django_db
def test_an_unexpected_error_is_a_500_page_not_a_traceback(settings: Settings, client: Client) -> None:
    season = running_season()
    type(season).objects.create(
        slug="torn", name="Torn", rules={}, state="open", opened_at=timezone.now(), rules_sha256="x", symbols=[]
    )
    client.raise_request_exception = False
    response = client.get("/s/torn/")
    assert response.status_code == 500
    assert "Traceback" not in response.content.decode()
