"""The board on a slow phone: ours beside the same page out of Next.js, in a headless Chromium, taking turns.

The phone: 1.6 Mbit/s down, 750 kbit/s up, 150 ms a round trip, a processor four times as slow, nothing in its cache.
"Loaded" is the page's own load event; "all here" is when the last script has come that it fetches then.
Then what a click on a link takes with 100 ms a round trip, when the pointer has rested on it for as long as it takes a
browser to draw the page unseen. Needs node on PATH.
"""

import gzip
import json
import re
import shutil
import statistics
import subprocess
from contextlib import ExitStack

from playwright.sync_api import Browser, sync_playwright

from bench._engines import engines_of_its_own
from bench._web_peers import next_js
from bench._web_site import fetched, free_ports, served
from tests.browser.tabs import tab_of

ROUNDS, CLICKS = 15, 15
SERVER_CORE = 0
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}
SLOW_PROCESSOR = 4
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
CLICK_LINE = {**LINE, "latency": 100, "downloadThroughput": -1, "uploadThroughput": -1}
LINK = ".leaderboard tbody .col-entry > a"
TIMES = """() => ({
    load: performance.getEntriesByType('navigation')[0].loadEventEnd,
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
    all: Math.max(...performance.getEntriesByType('resource').map((one) => one.responseEnd)),
})"""
SAID = {"paint": "first text", "load": "loaded", "all": "all here"}
CLICKED = "document.addEventListener('click', () => sessionStorage.setItem('at', String(Date.now())))"
SHOWN = "location.pathname.includes('/e/') && performance.getEntriesByName('first-contentful-paint').length > 0"
TOOK = """(() => {
    const [page] = performance.getEntriesByType('navigation');
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    return {
        ahead: page.activationStart > 0,
        ms: performance.timeOrigin + paint.startTime - Number(sessionStorage.getItem('at')),
    };
})()"""
DONE = "() => performance.getEntriesByType('navigation')[0].loadEventEnd > 0 && \
    performance.getEntriesByName('first-contentful-paint').length > 0"


def first_visit(browser: Browser, url: str) -> dict[str, float]:
    """When the first text stands there, when the page is loaded, and when all of it has come, in milliseconds."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    protocol.send("Network.emulateNetworkConditions", LINE)
    protocol.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_PROCESSOR})
    page.goto(url, wait_until="load")
    page.wait_for_function(DONE)
    page.wait_for_load_state("networkidle")
    times = page.evaluate(TIMES)
    context.close()
    return dict(times)


def click(chromium: str, url: str) -> float:
    """Milliseconds from a click on an entry, whose page was drawn unseen meanwhile, to the first text of it."""
    with tab_of(chromium) as tab:
        tab.ask("Network.emulateNetworkConditions", CLICK_LINE)
        tab.goto(url)
        tab.hover(LINK)
        tab.until_ahead("Ready")
        tab.read(CLICKED)
        tab.click(LINK)
        tab.until(SHOWN)
        told = tab.read(TOOK)
    if not told["ahead"]:
        raise SystemExit("The page was not drawn before the click.")
    return float(told["ms"])


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
        browser.close()
        clicks = [click(chromium, site) for _ in range(CLICKS)]
    tell(visits, clicks)


def tell(visits: dict[str, list[dict[str, float]]], clicks: list[float]) -> None:
    took = {
        name: {what: statistics.median(visit[what] for visit in each) for what in SAID} for name, each in visits.items()
    }
    for name, of_it in took.items():
        times = (f"{words} {of_it[what]:>7,.0f} ms" for what, words in SAID.items())
        print(f"{name:<12} {'   '.join(times)}")
    ratio = {what: round(took["ours"][what] / took["next start"][what], 2) for what in SAID}
    after_click = {"median": round(statistics.median(clicks), 1), "max": round(max(clicks), 1)}
    print(json.dumps({"name": "phone", "ms": took, "ratio": ratio, "ms_after_a_click": after_click}))


if __name__ == "__main__":
    if missing := [name for name in ("node", "npm", "taskset") if not shutil.which(name)]:
        raise SystemExit(f"This benchmark needs {', '.join(missing)} on PATH.")
    with engines_of_its_own():
        main()
