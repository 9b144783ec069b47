"""What models write is data: shown as it came, escaped, and with nothing hidden in it."""

import hashlib

import pytest
from django.test import Client

from agents.models import Call
from competition.pages.text import LINE_CHARACTERS_MAX, REPLY_CHARACTERS_MAX, line, reply, visible
from tests.pages.asked import Asked
from tests.pages.reading import Page
from tests.pages.seasons import HARM, HIDDEN, SCRIPT, TURNED, Played

PATHS = ["", "?kind=model", "e/vandal/", "compare/?e=swinger&e=vandal", "c/1/", "c/2/", "c/3/", "c/6/"]
TURNS = [f"c/{number}/e/vandal/" for number in (1, 2, 3, 6)]


@pytest.mark.parametrize("path", [*PATHS, *TURNS])
def test_a_planted_script_is_text_and_nothing_more(played: Played, path: str) -> None:
    markup = played.get(path)
    assert SCRIPT not in markup
    assert "&lt;script&gt;" in markup
    assert not any("alert" in tag.text for tag in Page(markup).all("script"))


@pytest.mark.parametrize("path", [*PATHS, *TURNS])
def test_a_character_that_hides_or_turns_the_writing_is_written_out(played: Played, path: str) -> None:
    markup = played.get(path)
    assert TURNED not in markup
    assert HIDDEN not in markup


@pytest.mark.parametrize("path", ["c/1/e/council/", "e/council/firm/1/", "e/council/firm/1/?attempt=1"])
def test_nor_does_harm_come_from_what_models_said_to_each_other(asked: Asked, path: str) -> None:
    markup = asked.get(path)
    assert not any(harm in markup for harm in (SCRIPT, TURNED, HIDDEN))
    assert "&lt;script&gt;" in markup


@pytest.mark.parametrize("field", ["role", "requested_model", "returned_model", "finish_reason", "provider_request_id"])
def test_what_a_runner_says_about_a_call_is_text_and_nothing_more(asked: Asked, client: Client, field: str) -> None:
    harm = f"{SCRIPT[:17]}{TURNED}{HIDDEN}"
    like = asked.calls[1]
    values = {column.attname: getattr(like, column.attname) for column in Call._meta.concrete_fields}
    call = Call.objects.create(**values | {"id": None, "position": 99, field: harm})
    for address in (f"/calls/{call.id}/", f"/s/asked/c/1/e/{call.attempt.brief.turn.entry.slug}/", "/s/asked/costs/"):
        markup = client.get(address).content.decode()
        assert harm not in markup
        assert not any(letter in markup for letter in (TURNED, HIDDEN))
    assert "&lt;script&gt;" in client.get(f"/calls/{call.id}/").content.decode()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_harmful_reply_is_shown_in_full_whatever_became_of_it(played: Played, number: int) -> None:
    replies = [tag.text for tag in Page(played.get(f"c/{number}/e/vandal/")).all("pre", class_="reply")]
    assert any(visible(HARM) in shown for shown in replies)


def test_a_harmful_name_in_a_violation_is_shown_and_escaped(played: Played) -> None:
    page = Page(played.get("c/1/e/vandal/"))
    assert any(visible(HARM).replace("  ", " ") in cell for cell in page.texts("td", class_="wrap"))


def test_a_brief_can_be_fetched_byte_for_byte_and_has_the_hash_that_is_shown(played: Played, client: Client) -> None:
    body = client.get("/s/played/c/3/e/swinger/brief.json")
    assert body.headers["Content-Type"].startswith("application/json")
    assert hashlib.sha256(body.content).hexdigest() in Page(played.get("c/3/e/swinger/")).texts("code", class_="hash")


@pytest.mark.parametrize(
    "letter",
    [
        "\u200b",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u00ad",
        "\ufe0f",
        "\U000e0041",
        "\u3164",
        "\u2028",
        "\x07",
        "\r",
        "\ue000",
    ],
)
def test_nothing_that_prints_as_nothing_stays_unseen(letter: str) -> None:
    assert visible(f"a{letter}b") == f"a⟦U+{ord(letter):04X}⟧b"


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "naïve 東京 🙂", "100\u00a0%"])
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_a_line_has_no_line_breaks_and_an_end() -> None:
    assert line("a\n b\r\n\tc") == "a b c"
    assert len(line("x" * 10_000)) == LINE_CHARACTERS_MAX
    assert line("x" * 10_000).endswith("…")


def test_a_long_reply_is_cut_and_says_by_how_much() -> None:
    shown, left_off = reply("x" * (REPLY_CHARACTERS_MAX + 7))
    assert (len(shown), left_off) == (REPLY_CHARACTERS_MAX, 7)
