"""What a page did while it was looked at, and what axe says of it."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Page

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_LISTEN = """
    window.refused = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
# Nothing but what scrolls by itself may reach beyond the edge.
_BEYOND = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll"))
    .map((one) => `${one.tagName}.${one.getAttribute("class")}`).slice(0, 5)"""


def visit(page: Page, address: str) -> None:
    """Until the scripts are there, too: they come when the page is complete, and htmx after what listens to it."""
    page.goto(address)
    page.wait_for_function("() => 'htmx' in window")


class Watched:
    """A page from its first byte on: what it complained of, and what the content security policy refused it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.add_init_script(_LISTEN)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def refused(self) -> list[str]:
        return list(self.page.evaluate("window.refused"))

    def beyond_the_edge(self) -> list[str]:
        """What makes the whole page scroll sideways; empty when it does not."""
        is_wide = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return self.page.evaluate(_BEYOND) or ["something"] if is_wide else []

    def axe(self, *rules: str) -> list[str]:
        """What axe finds: by these rules, or by all that WCAG 2.2 AA and good practice ask for."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        only: dict[str, Any] = {"type": "rule" if rules else "tag", "values": rules or WCAG}
        options = {"resultTypes": ["violations"], "preload": False, "runOnly": only}
        found: Sequence[dict[str, Any]] = self.page.evaluate("(options) => axe.run(options)", options)["violations"]
        return [
            f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for one in found
            for node in one["nodes"][:4]
        ]
