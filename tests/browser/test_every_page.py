"""Every page in Chromium: nothing refused or complained of, readable by everybody, and never wider than a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.reading import Watched
from tests.browser.served import Site

KINDS = (
    "board",
    "board of a season that has just opened",
    "entry",
    "entry of a firm",
    "cycle",
    "turn",
    "call",
    "firm",
    "market",
    "compare",
    "compare, nobody chosen",
    "costs",
    "rules",
    "backtests",
    "backtest form",
    "seasons",
    "status",
    "reliability",
    "about",
    "API docs",
    "not found",
)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# What other colours, and less room, can make worse.
BY_COLOUR = ("color-contrast", "link-in-text-block")
BY_ROOM = (*BY_COLOUR, "target-size", "scrollable-region-focusable", "aria-hidden-focus", "heading-order", "region")


@pytest.fixture(scope="module")
def visitor(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Watched]:
    """Goes from page to page in one tab: to open one takes longer than to look at most pages."""
    context = browser.new_context(**browser_context_args)
    yield Watched(context.new_page())
    context.close()


@pytest.fixture
def watched(visitor: Watched) -> Watched:
    """The visitor's tab, empty, in the light on a desk."""
    visitor.page.goto("about:blank")
    visitor.page.set_viewport_size(DESK)
    visitor.page.emulate_media(color_scheme="light")
    visitor.complaints.clear()
    return visitor


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_accessible_in_both_themes_and_on_a_phone(site: Site, watched: Watched, kind: str) -> None:
    page = watched.page
    page.goto(site.of(kind))
    page.wait_for_load_state("networkidle")
    if kind == "API docs":
        page.wait_for_selector(".opblock")
    expected = 1 if kind == "not found" else 0  # the browser itself tells of the 404
    assert len(watched.complaints) == expected, watched.complaints
    assert watched.refused() == []
    assert watched.axe() == []
    page.emulate_media(color_scheme="dark")
    assert watched.axe(*BY_COLOUR) == []
    page.set_viewport_size(PHONE)
    assert watched.beyond_the_edge() == []
    assert watched.axe(*BY_ROOM) == []


def test_no_kind_of_page_is_left_out(site: Site) -> None:
    assert set(KINDS) == set(site.pages)
