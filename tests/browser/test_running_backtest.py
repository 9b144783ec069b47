"""A backtest from the form to its result, on a page that renews itself."""

import re
import uuid

from django.utils import timezone
from playwright.sync_api import Page, expect

from competition.services import backtest_runs
from tests.browser.reading import Watched, visit
from tests.browser.served import Site


def play_what_is_due() -> None:
    backtest_runs.run_due(timezone.now, uuid.uuid4)


def test_a_backtest_is_asked_for_watched_and_read_without_touching_anything(site: Site, page: Page) -> None:
    watched = Watched(page)
    visit(page, site.of("backtest form"))
    expect(page.locator("#estimate")).to_contain_text("it costs nothing")
    page.get_by_label("To", exact=False).first.wait_for()
    page.get_by_role("button", name=re.compile("^Start")).click()
    page.wait_for_url(re.compile(r"/backtests/[0-9a-z-]+/$"))
    expect(page.locator("#progress-title")).to_have_text("Waiting")
    site.in_its_database(play_what_is_due)
    expect(page.locator(".chart-plot.is-drawn")).to_be_visible(timeout=20_000)
    expect(page.locator("#progress")).to_have_count(0)
    assert watched.axe() == []
    assert watched.refused() == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert watched.beyond_the_edge() == []
