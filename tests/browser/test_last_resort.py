"""Pages that nobody wants to see, on a phone and in both themes: no wider than it, readable, and with a way home."""

import logging

import pytest
from django.db.utils import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from playwright.sync_api import BrowserContext, expect

from competition.middleware import DatabaseAway
from competition.views.errors import broken
from tests.browser.reading import Watched
from tests.browser.served import Site
from tests.browser.test_every_page import BY_ROOM, PHONE

BROKEN = "/s/asked/"


def answered(status: int) -> HttpResponse:
    """What the site says when it breaks, and when its database is away."""
    request = RequestFactory().get(BROKEN)
    if status == 500:
        return broken(request)
    logging.getLogger("competition.middleware").disabled = True
    away = DatabaseAway(lambda request: HttpResponse()).process_exception(request, OperationalError("gone"))
    logging.getLogger("competition.middleware").disabled = False
    assert away is not None
    return away


@pytest.mark.parametrize("status", [404, 500, 503])
def test_it_fits_on_a_phone_in_both_themes_and_leads_home(site: Site, context: BrowserContext, status: int) -> None:
    watched = Watched(context.new_page())
    page = watched.page
    page.set_viewport_size(PHONE)
    if status != 404:
        said = answered(status)
        page.route(
            f"**{BROKEN}", lambda route: route.fulfill(status=status, body=said.content, headers=dict(said.items()))
        )
    found = page.goto("/s/nope/" if status == 404 else BROKEN)
    assert found is not None
    assert found.status == status
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal
        assert watched.beyond_the_edge() == []
        assert watched.axe(*BY_ROOM) == []
    page.unroute(f"**{BROKEN}")
    page.get_by_role("banner").get_by_role("link", name="Open Outcry").click()
    expect(page.locator("#board")).to_be_visible()
