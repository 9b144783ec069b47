"""Static files that were collected are sent compressed, and compressed again only when they have changed."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import RequestFactory
from pytest_django import Settings
from whitenoise.middleware import WhiteNoiseMiddleware

STYLES = "main { color: black } " * 100


@pytest.fixture
def source(tmp_path: Path, settings: Settings) -> Path:
    """A file to collect, and nothing else."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "site.css").write_text(STYLES)
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [folder], tmp_path / "collected"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.WHITENOISE_USE_FINDERS = False
    return folder / "site.css"


def collect() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)


def sent(**headers: str) -> Any:
    answer = WhiteNoiseMiddleware(lambda request: None)(RequestFactory().get("/static/site.css", **headers))
    answer.close()  # or the file it would be read from stays open
    return answer


@pytest.mark.parametrize(("asked", "given"), [("br, gzip", "br"), ("gzip", "gzip")])
def test_a_collected_file_is_sent_as_compressed_as_the_visitor_can_read_it(
    source: Path, asked: str, given: str
) -> None:
    collect()
    answer = sent(HTTP_ACCEPT_ENCODING=asked)
    assert answer.headers["Content-Encoding"] == given
    assert int(answer.headers["Content-Length"]) < len(STYLES) / 10
    assert "Content-Encoding" not in sent().headers


def test_a_file_is_compressed_again_only_when_it_has_changed(source: Path, settings: Settings) -> None:
    collect()
    packed = Path(settings.STATIC_ROOT) / "site.css.gz"
    os.utime(packed, (2**31, 2**31))
    before = packed.read_bytes(), packed.stat().st_mtime
    collect()
    assert (packed.read_bytes(), packed.stat().st_mtime) == before
    os.utime(packed, (0, 0))
    source.write_text(STYLES.replace("black", "navy"))
    os.utime(source, (2**31, 2**31))  # or it would count as collected already, within the same second
    collect()
    assert packed.read_bytes() != before[0]
