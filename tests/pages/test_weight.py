"""A board is painted out of the first packets that a server sends: ten of them, 14,600 bytes, with its style sheet."""

import re
from pathlib import Path

import brotli
import pytest
from django.conf import settings
from django.test import Client

from agents.core.roster import Profile
from tests.pages.reading import Page
from tests.pages.seasons import play_season

FIRST_PACKETS = 14_600
HEADERS = 1200

pytestmark = pytest.mark.django_db


def compressed(content: bytes) -> int:
    return len(brotli.compress(content, quality=11))


def test_a_board_of_twenty_with_its_style_sheet_fits_into_the_first_packets() -> None:
    dice = [Profile(f"dice-{n}", f"Dice {n}", "single", "offline/vandal", {"seed": n}) for n in range(12)]
    played = play_season("heavy", weeks=26, entries=7, more=dice)
    response = Client().get(f"/s/{played.slug}/", headers={"Accept-Encoding": "identity"})
    page = Page.of(response)
    assert len(page.all("th", scope="row")) == 20
    assert not page.all("link", rel="stylesheet"), "painting would wait for it"
    assert not [tag for tag in page.all("script") if "src" in tag.attributes], "it would not be complete"
    assert settings.FIRST_STYLES in response.content.decode()
    assert settings.FIRST_SCRIPT in response.content.decode()
    weights = {"page": compressed(response.content), "headers": HEADERS}
    assert sum(weights.values()) <= FIRST_PACKETS, weights


def test_what_a_page_is_styled_by_is_two_files_that_import_nothing() -> None:
    for name in ("first.css", "all.css"):
        built = (Path(settings.BASE_DIR) / "static" / "built" / name).read_text()
        assert "@import" not in built
        assert not re.search(r"url\((?!\"data:)", built)
