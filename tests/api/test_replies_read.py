"""What models said, read through the API. Apart from the other reads, whose season must be the newest there is."""

from django.test import Client

from tests.api.asking import data
from tests.pages.asked import Asked


def test_replies_and_calls_are_on_record_word_for_word(asked: Asked) -> None:
    turns = data(f"cycles/1?season={asked.played.slug}&entry=council")["turns"]
    attempts = turns[0]["attempts"]
    assert any(attempt["reply"] for attempt in attempts)
    for call in [call for attempt in attempts for call in attempt["calls"]][:3]:
        assert Client().get(f"/calls/{call}/call.json").status_code == 200
