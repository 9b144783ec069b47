"""Whatever is asked wrongly: the right status in the same envelope, nothing of the inside, never another board."""

import threading
import uuid

import pytest
from django.db import connections
from django.test import Client
from pytest_django import Settings

from competition.api import boards, throttles
from tests.api.asking import V1, data, error, error_in, get
from tests.pages.seasons import Played

UNKNOWN = [
    "leaderboard?season=nope",
    "seasons/nope",
    "entries/nobody",
    "entries/swinger?season=nope",
    "entries/nobody/equity",
    "cycles/7",
    "cycles/3?entry=nobody",
    "market/candles?symbol=DOGEUSDT",
    "market/price?symbol=DOGEUSDT",
    "market/indicators?symbol=DOGEUSDT",
    "portfolio/summary?entry=nobody",
    "portfolio/trades?season=nope&entry=swinger",
    "leaderboard/",
    "nothing/of/the/kind",
    "",
]
WRONG = {
    "leaderboard?sesaon=played": "sesaon",
    "leaderboard?season=played&season=nope": "season",
    "leaderboard?season=%00": "season",
    "seasons?limit=0": "limit",
    "seasons?limit=x": "limit",
    "seasons?before=99999999999999999999": "before",
    "entries/swinger/equity?after=-1": "after",
    "cycles/0": "number",
    "cycles/2147483648": "number",
    "cycles/x": "number",
    "market/candles": "symbol",
    "market/candles?symbol=BTCUSDT&before=2024-01-01": "before",
    "portfolio/summary": "entry",
    "portfolio/trades?entry=%E2%80%AE": "entry",
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_does_not_exist_is_a_404_and_nothing_stands_in_for_it(played: Played, path: str) -> None:
    assert error(path, 404)["type"] == "not_found"


@pytest.mark.parametrize(("path", "field"), WRONG.items())
def test_a_wrong_parameter_is_named(played: Played, path: str, field: str) -> None:
    said = error(path, 422)
    assert list(said["fields"]) == [field]
    assert said["fields"][field][0]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_another_method_is_refused_with_those_there_are(played: Played, method: str) -> None:
    response = getattr(Client(), method)(V1 + "leaderboard")
    assert error_in(response, 405)["type"] == "method_not_allowed"
    assert response["Allow"] == "GET, HEAD"


def test_a_preflight_lets_any_site_read_and_none_write(db: None) -> None:
    response = Client().options(V1 + "leaderboard")
    assert response.status_code == 204
    assert "POST" not in response["Access-Control-Allow-Methods"]
    assert "authorization" not in response["Access-Control-Allow-Headers"].lower()


def test_a_host_that_is_not_ours_is_refused_in_the_envelope(db: None) -> None:
    assert error_in(get("leaderboard", host="elsewhere.example"), 400)["type"] == "bad_request"


def test_what_breaks_here_is_a_500_that_tells_nothing_of_the_inside(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(boards, "season_of", broken)
    response = get("leaderboard")
    assert error_in(response, 500)["type"] == "broken"
    assert b"hunter2" not in response.content


def test_a_database_that_is_away_is_a_503_with_when_to_try_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "HOST", "/nonexistent")
    found = []
    thread = threading.Thread(target=lambda: found.append(get("leaderboard")))
    thread.start()
    thread.join()
    assert error_in(found[0], 503)["type"] == "away"
    assert found[0]["Retry-After"] == "10"


@pytest.fixture
def counted_anew(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A minute that nobody has been counted in, with two reads."""
    settings.API_READS_PER_MINUTE = 2
    minute = 60.0 * uuid.uuid4().time_low
    monkeypatch.setattr(throttles.READS, "clock", lambda: minute)
    monkeypatch.setattr(throttles.PerClient, "away_until", 0.0)


def reads_of(address: str) -> list[int]:
    return [Client(REMOTE_ADDR=address).get(V1 + "seasons").status_code for _ in range(3)]


def test_a_client_that_asks_too_often_is_told_how_long_to_wait(db: None, counted_anew: None) -> None:
    assert reads_of("192.0.2.1") == [200, 200, 429]
    refused = Client(REMOTE_ADDR="192.0.2.1").get(V1 + "seasons")
    assert error_in(refused, 429)["type"] == "too_many_requests"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert reads_of("192.0.2.2")[0] == 200


def test_one_customer_of_ipv6_is_one_client_whatever_the_address(db: None, counted_anew: None) -> None:
    statuses = [Client(REMOTE_ADDR=f"2001:db8::{n}").get(V1 + "seasons").status_code for n in range(1, 4)]
    assert statuses == [200, 200, 429]


def test_without_redis_the_api_answers_and_still_counts(
    db: None, counted_anew: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {**settings.CACHES[throttles.SHARED], "LOCATION": "redis://127.0.0.1:1"}
    monkeypatch.setitem(throttles.caches.settings, throttles.SHARED, away)
    monkeypatch.delattr(throttles.caches._connections, "shared counts", raising=False)
    assert reads_of("192.0.2.3") == [200, 200, 429]
    assert throttles.PerClient.away_until > 0
    monkeypatch.delattr(throttles.caches._connections, "shared counts", raising=False)


def test_an_address_that_a_client_made_up_does_not_count(settings: Settings, rf: object) -> None:
    request = rf.get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="198.51.100.7, 203.0.113.9")  # type: ignore[attr-defined]
    assert throttles.client_of(request) == "192.0.2.1"
    settings.BEHIND_TLS_PROXY = True
    assert throttles.client_of(request) == "203.0.113.9"


def test_a_success_is_not_disturbed_by_what_stands_in_a_reply(played: Played) -> None:
    """The vandal's words are data: the envelope around them is whole."""
    (turn,) = data("cycles/3?entry=vandal")["turns"]
    assert "<script>" in turn["rationale"]
    assert get("cycles/3?entry=vandal")["Content-Type"] == "application/json; charset=utf-8"
