"""A real browser before the real site. One server and one Chromium for all these tests."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from pytest_django import DjangoDbBlocker

from tests.browser.served import Site, served, two_seasons
from tests.browser.web import QUIET, ROOT


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; without one, these tests fail and say what to do."""
    found = subprocess.run([ROOT / "bin/find-chromium"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(found.stderr.strip(), pytrace=False)
    return found.stdout.strip()


@pytest.fixture(scope="session")
def site(chromium: str, migrated_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    with django_db_blocker.unblock(), served(migrated_template, "browser", two_seasons) as site:
        yield site


# The next three take the place of pytest-playwright's own, which leave an event loop running in this thread until the
# session ends: every later test that asks the database would be refused.


@pytest.fixture(scope="package")
def playwright(site: Site) -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(chromium: str, playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def browser_context_args(site: Site) -> dict[str, Any]:
    return {"base_url": site.address, "viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}


@pytest.fixture(scope="package")
def one_tab(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(**browser_context_args)
    yield context.new_page()
    context.close()


@pytest.fixture
def tab(site: Site, one_tab: Page) -> Iterator[Page]:
    """For whoever needs none of their own, whose opening takes as long as most of what is tried in it.

    Nothing is stored or held back in it, and no pointer rests on anything. Whoever listens to it, adds scripts to it
    or makes it another size takes `page`.
    """
    one_tab.goto(site.of("about"))
    one_tab.evaluate("localStorage.clear(), sessionStorage.clear()")
    one_tab.context.clear_cookies()
    one_tab.mouse.move(0, 0)
    yield one_tab
    one_tab.unroute_all()
    one_tab.goto("about:blank")  # the board of an open season would go on asking
