"""While an answer is held back the page says what it waits for; what is dear is fetched when it has been painted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route, expect

from tests.browser.reading import Watched, visit
from tests.browser.served import Site

LIBRARY, SHEET = re.compile(r"/lightweight-charts"), re.compile(r"/built/all\b")


@contextmanager
def held_back(page: Page, address: re.Pattern[str]) -> Iterator[list[Route]]:
    """What is asked of such addresses in here is answered when this ends."""
    waiting: list[Route] = []
    page.route(address, lambda route: waiting.append(route))
    yield waiting
    for route in waiting:
        route.continue_()
    page.unroute(address)


def test_a_board_that_is_asked_for_again_is_dimmed_until_it_comes(site: Site, tab: Page) -> None:
    visit(tab, site.of("board"))
    board = tab.locator("#board")
    with held_back(tab, re.compile(r"kind=baseline")) as waiting:
        tab.get_by_role("link", name="Baselines").click()
        expect(board).to_have_attribute("aria-busy", "true")
        expect(board).to_have_css("opacity", "0.5")
        assert len(waiting) == 1
    expect(board.locator("tbody .kind").first).to_have_text("baseline")
    expect(board).not_to_have_attribute("aria-busy", "true")
    expect(board).to_have_css("opacity", "1")


def test_an_estimate_that_is_made_anew_is_busy_and_the_button_stays(site: Site, page: Page) -> None:
    watched = Watched(page)
    visit(page, site.of("backtest form"))
    estimate = page.locator("#estimate")
    with held_back(page, re.compile(r"/check/")):
        page.get_by_label("Capital").fill("-1")
        expect(estimate).to_have_attribute("aria-busy", "true")
        expect(estimate).to_have_css("opacity", "0.5")
    expect(page.locator("#error-capital")).to_contain_text("leaves nothing to invest")
    expect(page.locator("#estimate")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#estimate")).to_have_css("opacity", "1")
    assert watched.refused() == []


def test_who_gets_no_answer_is_not_left_with_a_busy_page(site: Site, tab: Page) -> None:
    visit(tab, site.of("backtests"))
    tab.route(re.compile(r"state=failed"), lambda route: route.abort())
    tab.locator("#state-failed").click()
    expect(tab.locator("#list")).not_to_have_attribute("aria-busy", "true")
    expect(tab.locator("#list")).to_have_css("opacity", "1")
    tab.unroute(re.compile(r"state=failed"))
    tab.locator("#state-failed").click()
    tab.wait_for_url("**state=failed**")


def test_the_chart_library_is_asked_for_only_when_the_page_has_been_painted(site: Site, tab: Page) -> None:
    with held_back(tab, LIBRARY) as waiting:
        with tab.expect_request(LIBRARY):
            tab.goto(site.of("board"))
        assert tab.evaluate("document.readyState") == "complete", "the page waited for it"
        # The browser notes a painting a little after it; that it notes one while the library is out is what counts.
        tab.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length === 1")
        assert len(waiting) == 1
        expect(tab.locator(".chart-still")).to_be_visible()
        expect(tab.locator(".leaderboard tbody tr").first).to_be_visible()
        assert tab.locator("head script[src*=lightweight]").evaluate("(one) => one.async") is False
    expect(tab.locator(".chart-plot.is-drawn canvas").first).to_be_visible()


def test_the_form_of_a_board_works_even_where_its_style_sheet_comes_last(site: Site, tab: Page) -> None:
    with held_back(tab, SHEET) as waiting:
        tab.goto(site.of("board"))
        tab.wait_for_function("() => window.htmx")
        assert len(waiting) == 1
        expect(tab.locator("#find")).to_have_count(0)
    tab.evaluate("window.isTheSame = true")
    tab.locator("#find").fill("all cash")
    tab.wait_for_url("**find=all*cash**")
    expect(tab.locator(".leaderboard tbody .col-entry")).to_have_count(1)
    assert tab.evaluate("window.isTheSame"), "the whole page came anew"


def test_the_form_of_a_board_is_there_without_its_style_sheet(site: Site, tab: Page) -> None:
    tab.route(SHEET, lambda route: route.abort())
    tab.goto(site.of("board"))
    tab.locator("#find").fill("all cash")
    tab.wait_for_url("**find=all*cash**")
    tab.unroute(SHEET)


def test_a_page_without_a_chart_asks_for_no_library(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for kind in ("rules", "status", "seasons", "backtest form"):
        page.goto(site.of(kind), wait_until="networkidle")
    assert not [url for url in asked if LIBRARY.search(url)]
