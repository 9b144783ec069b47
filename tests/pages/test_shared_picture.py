"""What stands beside a shared link: a picture of the board, kept as boards are."""

import re

import pytest
from django.test import Client

from tests.pages.reading import Page
from tests.pages.seasons import SCRIPT, Played, running_season

PNG = b"\x89PNG\r\n\x1a\n"


def size_of(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def test_every_page_of_a_season_names_its_picture_and_its_own_address(played: Played) -> None:
    for path in ("", "rules/", "e/vandal/"):
        page = Page(played.get(path or "?sort=return"))
        (image,) = page.all("meta", property="og:image")
        (canonical,) = page.all("link", rel="canonical")
        assert image.attributes["content"] == "http://testserver/s/played/board.png"
        assert canonical.attributes["href"] == f"http://testserver/s/played/{path}"


def test_what_is_shared_has_the_title_and_the_description_of_its_page(played: Played, client: Client) -> None:
    for path in ("/s/played/", "/s/played/e/vandal/", "/s/played/c/3/", "/seasons/", "/status/", "/about/"):
        page = Page.of(client.get(path))
        shared = {name: page.all("meta", property=f"og:{name}")[0].attributes["content"] for name in ("title", "url")}
        assert f"{shared['title']} · Open Outcry" == page.tags[[tag.name for tag in page.tags].index("title")].text
        assert shared["url"] == f"http://testserver{path}"
        assert [tag.attributes["content"] for tag in page.all("meta", property="og:description", name_="description")]


def test_the_picture_is_drawn_from_the_board_and_is_small_enough_to_be_shown(played: Played) -> None:
    response = Client().get("/s/played/board.png")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/png")
    assert response.content.startswith(PNG)
    assert size_of(response.content) == (1200, 630)
    assert len(response.content) < 200_000
    assert response.headers["X-Season"] == "played"


def test_what_the_picture_says_is_what_the_board_says_and_hostile_names_stay_text(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr("competition.views.board.png_of", lambda svg: drawn.append(svg) or PNG)
    Client().get("/s/played/board.png")
    texts = [text.strip() for text in re.findall(r"<text[^>]*>(.*?)</text>", drawn[0])]
    (headline,) = Page(played.get()).texts("h1")
    assert headline in " ".join(texts)
    assert SCRIPT not in drawn[0]
    assert any("Simulated" in text for text in texts)


@pytest.mark.django_db
def test_before_the_first_week_has_closed_there_is_a_picture_too(client: Client) -> None:
    running_season()
    assert client.get("/s/running/board.png").content.startswith(PNG)
    assert client.get("/s/nope/board.png").status_code == 404
