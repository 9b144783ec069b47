"""A board is painted out of the first packets that a server sends: ten of them, 14,600 bytes, with its style sheet."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from agents.core.roster import Profile, house
from competition.core.play import play
from competition.front.kept import kept_page
from competition.models import Season
from competition.services.loading import save_played_season
from competition.services.markets import candles_of
from competition.services.playing import contestants_for
from competition.services.seasons import draft_season
from market.queries import listed_symbols
from tests.pages.reading import Page
from tests.pages.seasons import rules_of

FIRST_PACKETS = 14_600
OF_THE_SERVER = "HTTP/1.1 200 OK\r\nserver: granian\r\ndate: Sat, 28 Nov 2026 03:55:56 GMT\r\n\r\n"

pytestmark = pytest.mark.django_db


def sent(response: HttpResponse) -> dict[str, int]:
    """The bytes of a board as it is kept and sent, in the encoding that browsers ask for."""
    said: list[Any] = []
    page = kept_page(list(response.headers.items()), response.content)
    asked = {"REQUEST_METHOD": "GET", "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd"}
    body = b"".join(page.answer(asked, lambda *start: said.extend(start)))
    headers = "".join(f"{name}: {value}\r\n" for name, value in said[1])
    return {"page": len(body), "headers": len(headers) + len(OF_THE_SERVER)}


def season_of_twenty_that_differ() -> Season:
    """The whole house and dice of many seeds, half a year: curves that are alike would weigh less."""
    rules = rules_of(26)
    dice = [Profile(f"dice-{n}", f"Dice {n}", "baseline", "baseline/random", {"seed": n}) for n in range(7)]
    profiles = [*house(1, rules.universe), *dice]
    season = draft_season("heavy", "The heavy season", rules, profiles)
    played = play("heavy", rules, listed_symbols(rules.universe), contestants_for(profiles), candles_of(rules))
    return save_played_season(season, played, "the calendar has ended")


def test_a_board_of_twenty_with_its_style_sheet_fits_into_the_first_packets() -> None:
    season = season_of_twenty_that_differ()
    response = Client().get(f"/s/{season.slug}/", headers={"Accept-Encoding": "identity"})
    page = Page.of(response)
    assert len(page.all("th", scope="row")) == 20
    without_scripts = re.compile(r"<noscript>.*?</noscript>", re.DOTALL)
    assert 'rel="stylesheet"' in without_scripts.findall(response.content.decode())[0]
    assert 'rel="stylesheet"' not in without_scripts.sub("", response.content.decode()), "painting would wait for it"
    assert not [tag for tag in page.all("script") if "src" in tag.attributes], "it would not be complete"
    assert settings.FIRST_STYLES in response.content.decode()
    assert settings.FIRST_SCRIPT in response.content.decode()
    weights = sent(response)
    assert sum(weights.values()) <= FIRST_PACKETS, weights


def test_what_a_page_is_styled_by_is_two_files_that_import_nothing() -> None:
    for name in ("first.css", "all.css"):
        built = (Path(settings.BASE_DIR) / "static" / "built" / name).read_text()
        assert "@import" not in built
        assert not re.search(r"url\((?!\"data:)", built)
