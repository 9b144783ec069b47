"""The pictures of the README: a site of its own on the demo's stored season, seen in the Chromium of the tests.

`make screenshots` runs it. It starts its engines under DATA/screenshots, loads the demo once, serves it as in
production, and writes docs/pictures. The season's market and its entries are seeded, so the same code gives the same
pictures but for the dates.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from config import engines
from tests.browser.web import QUIET, ROOT, web
from tests.live.servers import free_port

FOLDER = ROOT / "docs" / "pictures"
SEASON = "/s/demo-finished/"
DESK, PHONE = (1280, 900), (390, 844)
BYTES_MAX = 250_000
QUALITY = 82  # of WebP, out of 100: below, thin lines fray


@dataclass(frozen=True)
class Picture:
    """One page at one size in one theme; `scale` is how many pixels there are to a point."""

    name: str
    path: str
    theme: str = "light"
    size: tuple[int, int] = DESK
    scale: float = 1.5


PICTURES = (
    Picture("board-light", SEASON),
    Picture("board-dark", SEASON, theme="dark"),
    Picture("entry-light", f"{SEASON}e/momentum/"),
    Picture("entry-dark", f"{SEASON}e/momentum/", theme="dark"),
    Picture("turn-light", f"{SEASON}c/26/e/swinger/"),
    Picture("turn-dark", f"{SEASON}c/26/e/swinger/", theme="dark"),
    Picture("phone-light", SEASON, size=PHONE, scale=2),
    Picture("phone-dark", SEASON, theme="dark", size=PHONE, scale=2),
)


@contextmanager
def demo_site(data: Path) -> Iterator[str]:
    """The address of a site with the demo's seasons, over engines of its own under `data`."""
    found = engines.use(data)
    environ = {
        **os.environ,
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "DATA": str(data),
        "SECRET_KEY": engines.kept_secret(data, "secret_key"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    try:
        subprocess.run([sys.executable, "-m", "config.prepare", "demo"], env=environ, cwd=ROOT, check=True)
        port = free_port()
        with web(port, environ):
            yield f"http://127.0.0.1:{port}"
    finally:
        engines.release(data)


def take(browser: Browser, address: str, picture: Picture) -> bytes:
    """The picture as WebP, when the page with its fonts and charts has come to rest."""
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=picture.scale,
        color_scheme="dark" if picture.theme == "dark" else "light",
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        page.goto(address + picture.path)
        page.wait_for_load_state("networkidle")
        shot = context.new_cdp_session(page).send(
            "Page.captureScreenshot", {"format": "webp", "quality": QUALITY, "optimizeForSpeed": False}
        )
        return base64.b64decode(shot["data"])
    finally:
        context.close()


def main() -> None:
    found = subprocess.run([ROOT / "bin/find-chromium"], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit(found.stderr.strip())
    FOLDER.mkdir(exist_ok=True)
    with (
        demo_site(engines.data_folder(os.environ.get("DATA")) / "screenshots") as address,
        sync_playwright() as running,
    ):
        browser = running.chromium.launch(executable_path=found.stdout.strip(), args=QUIET)
        for picture in PICTURES:
            content = take(browser, address, picture)
            if len(content) > BYTES_MAX:
                sys.exit(
                    f"{picture.name} has {len(content):,} bytes; a picture of the README has {BYTES_MAX:,} at most."
                )
            (FOLDER / f"{picture.name}.webp").write_bytes(content)
            sys.stdout.write(f"{picture.name}.webp {len(content) / 1000:.0f} kB\n")
        browser.close()


if __name__ == "__main__":
    main()
