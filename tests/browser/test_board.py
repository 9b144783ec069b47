"""The leaderboard as somebody uses it: sorted, narrowed, gone back from, in other colours, and without scripts."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.reading import visit
from tests.browser.served import Site
from tests.browser.tabs import AHEAD_RULES, tab_of
from tests.pages.seasons import SCRIPT
from tests.support_engines import PATIENCE_S

ENTRY = ".leaderboard tbody .col-entry > a"
DARK, LIGHT = "rgb(19, 21, 25)", "rgb(251, 250, 245)"


@pytest.fixture
def board(site: Site, tab: Page) -> Page:
    visit(tab, site.of("board"))
    return tab


def names(page: Page) -> list[str]:
    return page.locator(ENTRY).all_inner_texts()


def is_page(page: Page) -> bool:
    return page.locator("header.masthead, footer.colophon").count() == 2


def is_whole(page: Page) -> bool:
    """Whether there is a page around the board, and not the bare part that htmx asks for."""
    return page.locator("header.masthead, #board, footer.colophon").count() == 3


def test_sorting_changes_the_order_and_the_address_and_asks_for_no_new_page(board: Page) -> None:
    as_ranked = names(board)
    board.evaluate("window.isTheSamePage = true")
    board.get_by_role("link", name=re.compile("^Entry")).click()
    board.wait_for_url("**/?sort=*")
    expect(board.locator("th.col-entry[aria-sort]").first).to_have_attribute("aria-sort", re.compile("cending"))
    assert names(board) != as_ranked
    assert sorted(names(board)) == sorted(as_ranked)
    assert board.evaluate("window.isTheSamePage")
    assert board.locator("#board").count() == 1


def test_going_back_and_loading_again_always_gives_a_whole_page(board: Page) -> None:
    as_ranked = names(board)
    board.get_by_role("link", name="Baselines").click()
    board.wait_for_url("**/?kind=baseline")
    expect(board.locator(".leaderboard tbody .kind").first).to_have_text("baseline")
    fewer = names(board)
    assert 0 < len(fewer) < len(as_ranked)
    board.reload()
    assert (names(board), is_whole(board)) == (fewer, True)
    board.go_back()
    board.wait_for_url(re.compile(r"/s/asked/$"))
    expect(board.locator(".leaderboard tbody .col-entry > a")).to_have_count(len(as_ranked))
    assert (names(board), is_whole(board)) == (as_ranked, True)
    board.go_forward()
    board.wait_for_url("**/?kind=baseline")
    expect(board.locator(".leaderboard tbody .col-entry > a")).to_have_count(len(fewer))
    assert is_whole(board)


def test_going_back_before_the_scripts_have_come_gives_a_whole_page_too(board: Page) -> None:
    as_ranked = names(board)
    board.get_by_role("link", name="Baselines").click()
    board.wait_for_url("**/?kind=baseline")
    board.route("**/htmx*.js", lambda route: route.abort())
    board.reload()
    board.go_back()
    board.wait_for_url(re.compile(r"/s/asked/$"))
    expect(board.locator(".leaderboard tbody .col-entry > a")).to_have_count(len(as_ranked))


def test_typing_a_name_leaves_only_whom_it_fits_and_keeps_what_was_typed(board: Page) -> None:
    board.get_by_role("searchbox").fill("oracle")
    board.wait_for_url("**find=oracle**")
    expect(board.locator(".leaderboard tbody .col-entry > a")).to_have_count(1)
    assert names(board) == ["Oracle"]
    expect(board.get_by_role("searchbox")).to_have_value("oracle")
    expect(board.get_by_role("searchbox")).to_be_focused()


def test_the_chart_is_drawn_over_its_still_picture_and_a_hostile_name_stays_text(board: Page) -> None:
    expect(board.locator(".chart-plot.is-drawn canvas").first).to_be_visible()
    assert f"Van{SCRIPT}dal" in names(board)


def test_on_a_phone_what_is_far_below_is_laid_out_and_drawn_when_somebody_comes_near(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site.of("board"))
    expect(page.locator(".latest")).to_have_css("content-visibility", "auto")
    page.locator(".latest li").last.scroll_into_view_if_needed()
    expect(page.locator(".latest li").last).to_be_in_viewport()
    page.locator(".chart-plot").scroll_into_view_if_needed()
    expect(page.locator(".chart-plot.is-drawn canvas").first).to_be_in_viewport()


def test_on_a_phone_the_masthead_is_two_rows(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site.of("board"))
    rows = page.evaluate("""() => [".sections > a", ".wordmark, .switch > summary, .theme"].map((row) =>
        new Set([...document.querySelectorAll(row)].map((one) => {
            const box = one.getBoundingClientRect();
            return Math.round((box.top + box.bottom) / 20);
        })).size)""")
    assert rows == [1, 1]


def test_a_browser_that_tells_nothing_of_its_painting_shows_all_of_the_board(site: Site, page: Page) -> None:
    page.add_init_script("PerformanceObserver.prototype.observe = () => {}")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site.of("board"))
    expect(page.locator(".board > .scroll")).to_have_css("content-visibility", "auto")
    expect(page.locator(".wish")).to_be_visible()


def test_what_a_pointer_and_a_key_change_comes_after_the_first_picture(board: Page) -> None:
    link = board.locator(ENTRY).first
    expect(link).to_have_css("text-decoration-line", "none")
    link.hover()
    expect(link).to_have_css("text-decoration-line", "underline")


def test_the_figures_of_the_chart_come_into_the_page_when_somebody_wants_them(board: Page) -> None:
    board.get_by_text("The same figures as a table").click()
    expect(board.locator("#figures table")).to_be_visible()
    assert is_whole(board)


def test_a_page_is_fetched_before_the_click_on_its_link(site: Site, page: Page) -> None:
    told: list[dict[str, Any]] = []
    protocol = page.context.new_cdp_session(page)
    protocol.on("Preload.prefetchStatusUpdated", lambda event: told.append(event))
    protocol.send("Preload.enable")
    page.goto(site.of("board"))
    page.locator(AHEAD_RULES).wait_for(state="attached")
    link = page.locator(ENTRY).first
    link.hover()
    give_up_at = time.monotonic() + PATIENCE_S
    while not any(event["status"] == "Ready" for event in told):
        assert time.monotonic() < give_up_at, told
        page.evaluate("1")  # a round trip, in which events arrive
    link.click()
    page.wait_for_url("**/e/**")
    assert page.evaluate("performance.getEntriesByType('navigation')[0].deliveryType") == "navigational-prefetch"


def test_a_page_is_drawn_before_the_click_on_its_link(site: Site, chromium: str) -> None:
    with tab_of(chromium) as tab:
        tab.goto(site.of("board"))
        tab.hover(ENTRY)
        tab.until_ahead("Ready")
        tab.click(ENTRY)
        tab.until("location.pathname.includes('/e/') && !document.prerendering")
        assert tab.read("performance.getEntriesByType('navigation')[0].activationStart") > 0
        tab.read("document.querySelector('.chart').scrollIntoView()")
        tab.until("document.querySelector('.chart-plot.is-drawn canvas')")


def test_the_theme_switch_is_remembered_on_every_page_until_it_is_undone(site: Site, board: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    board.get_by_role("button", name="Dark").click()
    expect(board.locator("html")).to_have_attribute("data-theme", "dark")
    assert DARK in (board.evaluate(background), board.evaluate(paper))
    board.goto(site.of("rules"))
    assert DARK in (board.evaluate(background), board.evaluate(paper))
    board.get_by_role("button", name="System").click()
    expect(board.locator("html")).not_to_have_attribute("data-theme", "dark")
    assert LIGHT in (board.evaluate(background), board.evaluate(paper))
    assert board.url == site.of("rules")


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_scripts_everything_is_there_and_links_and_forms_work(site: Site, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(site.of("board"))
    assert len(names(page)) > 6
    expect(page.locator(".chart-still")).to_be_visible()
    page.get_by_role("link", name="Baselines").click()
    assert page.url.endswith("?kind=baseline")
    wanted = names(page)[-1]
    page.get_by_role("searchbox").fill(wanted)
    page.get_by_role("button", name="Show").click()
    assert "find=" in page.url
    assert names(page) == [wanted]
    page.get_by_text("The same figures as a table").click()
    expect(page.locator("#figures table")).to_be_visible()
    assert is_page(page)
    page.go_back()
    page.locator(".leaderboard tbody .col-entry > a").first.click()
    assert "/e/" in page.url
    expect(page.get_by_role("heading", name="Decisions")).to_be_visible()
