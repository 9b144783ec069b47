"""A tab of Chromium as a visitor has it. Where Playwright looks on, Chromium draws no page ahead of a click."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.browser.web import QUIET
from tests.support_engines import PATIENCE_S, until

AHEAD_RULES = "script[type=speculationrules]"
MIDDLE = """(() => {
    const link = document.querySelector(%s);
    link.scrollIntoView({ block: "center", behavior: "instant" });
    const { x, y, width, height } = link.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
})()"""


class Tab:
    """What it shows, and a pointer over it. One browser tab, one DevTools connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._sent, self._page = socket, 0, ""
        self._told: list[dict[str, Any]] = []
        target = self._ask("Target.createTarget", {"url": "about:blank", "forTab": True})["targetId"]
        tab = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        every = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True, "filter": [{}]}
        self._ask("Target.setAutoAttach", every, tab)
        self._page = self._attached()[0]
        for domain in ("Page", "Network", "Preload"):
            self.ask(f"{domain}.enable")

    def _attached(self) -> list[str]:
        return [told["params"]["sessionId"] for told in self._told if told["method"] == "Target.attachedToTarget"][1:]

    def until_ahead(self, status: str) -> None:
        """Returns when Chromium has told this of a page that it draws ahead; fails when it does not."""
        until(lambda: self.read("true") and status in self._ahead(), f"a page drawn ahead to be {status}")

    def _ahead(self) -> list[str]:
        told = [told["params"] for told in self._told if told["method"] == "Preload.prerenderStatusUpdated"]
        return [one.get("prerenderStatus") or one["status"] for one in told]

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the page that is shown answers to this command of the DevTools protocol."""
        return self._ask(method, params or {}, self._page)

    def _ask(self, method: str, params: Mapping[str, Any], session: str = "") -> dict[str, Any]:
        self._sent += 1
        whose = {"sessionId": session} if session else {}
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": params, **whose}))
        while "id" not in (told := json.loads(self._socket.recv(PATIENCE_S))):
            self._told.append(told)
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        return dict(told["result"])

    def read(self, expression: str) -> Any:
        """The value of this JavaScript in the page."""
        return self.ask("Runtime.evaluate", {"expression": expression, "returnByValue": True})["result"].get("value")

    def until(self, expression: str) -> None:
        """Returns when this is true in the page; fails when it does not become so."""
        until(lambda: self.read(f"Boolean({expression})"), expression)

    def goto(self, url: str) -> None:
        """Returns when one of our pages is there and has told Chromium which pages it may draw ahead."""
        self.ask("Page.navigate", {"url": url})
        self.until(f"location.href === {json.dumps(url)} && document.querySelector('{AHEAD_RULES}')")

    def hover(self, selector: str) -> tuple[float, float]:
        """The pointer rests on what the selector finds first; where that is."""
        x, y = self.read(MIDDLE % json.dumps(selector))
        self.ask("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        return x, y

    def click(self, selector: str) -> None:
        """The page that is shown afterwards may be one that was drawn ahead; what is asked next is asked of it."""
        x, y = self.hover(selector)
        drawn_ahead = self._attached()[1:]
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})
        self._page = (drawn_ahead or [self._page])[-1]


@contextmanager
def tab_of(chromium: str) -> Iterator[Tab]:
    """A tab in a browser of its own, in which nothing is kept."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        arguments = [*QUIET, "--headless", "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
        browser = subprocess.Popen([chromium, *arguments], stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(folder) / "DevToolsActivePort"), max_size=None) as socket:
                yield Tab(socket)
        finally:
            browser.terminate()
            browser.wait(PATIENCE_S)


def _address(written: Path) -> str:
    """Where Chromium listens, which it writes when it does."""
    until(lambda: written.exists() and len(written.read_text().split()) == 2, "Chromium to say where it listens")
    port, path = written.read_text().split()
    return f"ws://127.0.0.1:{port}{path}"
