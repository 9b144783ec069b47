"""The processes of a test in a browser: how the site is served, and how Chromium is started."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.live.servers import until_answers
from tests.support_engines import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
GRANIAN = (
    "-W ignore::UserWarning:django.core.handlers.base -m granian --interface wsgi --host 127.0.0.1 "
    "--workers 1 --blocking-threads 4 --no-ws --log-level error"
)
# Nothing of it is for looks: no sandbox, because tests may run as root; and no word to its maker.
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@contextmanager
def web(port: int, environ: Mapping[str, str]) -> Iterator[None]:
    """One process that serves the site, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, *GRANIAN.split(), "--port", str(port), "config.wsgi:application"],
        cwd=ROOT,
        env={**environ, "ALLOWED_HOSTS": "127.0.0.1"},
    )
    try:
        until_answers(f"http://127.0.0.1:{port}/livez")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
