"""The board on a slow phone: ours beside the same page out of Next.js, in a headless Chromium, taking turns.

The phone: 1.6 Mbit/s down, 750 kbit/s up, 150 ms a round trip, a processor four times as slow, nothing in its cache.
Then what a click on a link takes with 100 ms a round trip, when the pointer has rested on it for as long as it takes a
browser to fetch the page. Needs node on PATH.
"""

import gzip
import json
import re
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench._engines import engines_of_its_own
from bench._web_peers import next_js
from bench._web_site import fetched, free_ports, served

ROUNDS, CLICKS = 9, 9
SERVER_CORE = 0
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}
SLOW_PROCESSOR = 4
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
CLICK_LINE = {**LINE, "latency": 100, "downloadThroughput": -1, "uploadThroughput": -1}
LINK = ".leaderboard tbody .col-entry > a"
TIMES = """() => ({
    load: performance.getEntriesByType('navigation')[0].loadEventEnd,
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
    at: performance.timeOrigin,
    how: performance.getEntriesByType('navigation')[0].deliveryType,
})"""
DONE = "() => performance.getEntriesByType('navigation')[0].loadEventEnd > 0 && \
    performance.getEntriesByName('first-contentful-paint').length > 0"


@contextmanager
def visited(browser: Browser, line: dict[str, object], **device: object) -> Iterator[tuple[Page, CDPSession]]:
    """A visitor who comes for the first time, over this line."""
    context = browser.new_context(**device)
    try:
        page = context.new_page()
        protocol = context.new_cdp_session(page)
        protocol.send("Network.enable")
        protocol.send("Network.emulateNetworkConditions", line)
        yield page, protocol
    finally:
        context.close()


def first_visit(browser: Browser, url: str) -> dict[str, float]:
    """When the first text stands there, and when all has been loaded, in milliseconds."""
    with visited(browser, LINE, **PHONE) as (page, protocol):
        protocol.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_PROCESSOR})
        page.goto(url, wait_until="load")
        page.wait_for_function(DONE)
        return page.evaluate(TIMES)


def click(browser: Browser, url: str) -> float:
    """Milliseconds from a click on an entry, whose page was fetched meanwhile, to the first text of it."""
    with visited(browser, CLICK_LINE) as (page, protocol):
        ready: list[str] = []
        protocol.on("Preload.prefetchStatusUpdated", lambda event: ready.append(event["status"]))
        protocol.send("Preload.enable")
        page.goto(url, wait_until="load")
        page.locator(LINK).first.hover()
        for _ in range(100):
            if "Ready" in ready:
                break
            page.wait_for_timeout(50)
        page.evaluate(
            "() => document.addEventListener('click', () => sessionStorage.setItem('at', String(Date.now())))"
        )
        page.locator(LINK).first.click()
        page.wait_for_url(re.compile("/e/"))
        page.wait_for_function(DONE)
        told = page.evaluate(TIMES)
        if told["how"] != "navigational-prefetch":
            raise SystemExit(f"The page was not fetched before the click: {ready}")
        return told["at"] + told["paint"] - float(page.evaluate("() => sessionStorage.getItem('at')"))


def main() -> None:
    site_port, next_port = free_ports(2)
    chromium = subprocess.run(["bin/find-chromium"], capture_output=True, text=True, check=True).stdout.strip()
    with ExitStack() as stack:
        site = stack.enter_context(served(site_port, SERVER_CORE))
        body = re.search(r"<body>(.*)</body>", gzip.decompress(fetched(site)[0]).decode(), re.S)
        stack.enter_context(next_js(body.group(1) if body else "", port=next_port, core=SERVER_CORE))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium)
        urls = {"ours": site, "next start": f"http://127.0.0.1:{next_port}/"}
        visits: dict[str, list[dict[str, float]]] = {name: [] for name in urls}
        for _ in range(ROUNDS):
            for name, url in urls.items():
                visits[name].append(first_visit(browser, url))
        clicks = [click(browser, site) for _ in range(CLICKS)]
        browser.close()
    tell(visits, clicks)


def tell(visits: dict[str, list[dict[str, float]]], clicks: list[float]) -> None:
    took = {
        name: {what: statistics.median(visit[what] for visit in each) for what in ("paint", "load")}
        for name, each in visits.items()
    }
    for name, of_it in took.items():
        print(f"{name:<12} first text {of_it['paint']:>7,.0f} ms   loaded {of_it['load']:>7,.0f} ms")
    ratio = {what: round(took["ours"][what] / took["next start"][what], 2) for what in ("paint", "load")}
    after_click = {"median": round(statistics.median(clicks), 1), "max": round(max(clicks), 1)}
    print(json.dumps({"name": "phone", "ms": took, "ratio": ratio, "ms_after_a_click": after_click}))


if __name__ == "__main__":
    if missing := [name for name in ("node", "npm", "taskset") if not shutil.which(name)]:
        raise SystemExit(f"This benchmark needs {', '.join(missing)} on PATH.")
    with engines_of_its_own():
        main()
