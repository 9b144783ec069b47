"""What is done with the body of a request before the site is asked. The served site has it in tests/live."""

import io
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from competition.front.bodies import BYTES_MAX, Bodies

CALLED: list[bytes] = []


def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    CALLED.append(environ["wsgi.input"].read())
    return [b"made"]


@pytest.fixture(autouse=True)
def nobody_called() -> Iterator[None]:
    yield
    CALLED.clear()


class Told:
    """A source that says when somebody begins to read it."""

    def __init__(self, source: Any, begun: Event) -> None:
        self.source, self.begun = source, begun

    def read(self, length: int) -> Any:
        self.begun.set()
        return self.source.read(length)


class Broken:
    def read(self, length: int) -> bytes:
        raise ConnectionResetError


def status_of(bodies: Bodies, source: Any, length: str, path: str = "/theme/") -> tuple[int, bytes]:
    said: list[str] = []
    environ = {"wsgi.input": source, "CONTENT_LENGTH": length, "PATH_INFO": path}
    answer = b"".join(bodies(environ, lambda status, headers: said.append(status)))  # type: ignore[arg-type,return-value]
    return int(said[0].split()[0]), answer


def test_what_came_whole_is_what_the_site_reads() -> None:
    assert status_of(Bodies(site), io.BytesIO(b"colours=dark"), "12") == (200, b"made")
    assert CALLED == [b"colours=dark"]


@pytest.mark.parametrize("length", ["", "0", "x", "-1", "\u0663"])
def test_without_a_length_there_is_nothing_to_wait_for(length: str) -> None:
    assert status_of(Bodies(site), io.BytesIO(), length)[0] == 200


def test_while_somebody_stops_within_their_body_others_are_told_to_come_back() -> None:
    bodies = Bodies(site, readers=1, patience_s=0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stopped, ThreadPoolExecutor(1) as elsewhere:
        theirs.sendall(b"half")
        slow = elsewhere.submit(status_of, bodies, Told(stopped, begun := Event()), "8")
        assert begun.wait(60)
        status, said = status_of(bodies, io.BytesIO(b"whole"), "5")
        assert (status, CALLED) == (503, [])
        assert b"Send it again in a few seconds." in said
        assert status_of(bodies, io.BytesIO(), "")[0] == 200, "who only reads needs no seat"
        theirs.sendall(b"half")
        assert slow.result(60)[0] == 200
    assert status_of(bodies, io.BytesIO(b"whole"), "5")[0] == 200
    assert CALLED == [b"", b"halfhalf", b"whole"]


def test_a_line_that_breaks_frees_its_seat() -> None:
    bodies = Bodies(site, readers=1)
    for _ in range(2):
        assert status_of(bodies, Broken(), "5")[0] == 400
    assert CALLED == []


def test_a_body_that_ends_early_is_no_request() -> None:
    status, _ = status_of(Bodies(site), io.BytesIO(b"agents=a"), "20")
    assert (status, CALLED) == (400, [])


def test_too_much_is_refused_unread_and_the_api_says_so_in_its_envelope() -> None:
    source = io.BytesIO(b"x")
    status, said = status_of(Bodies(site), source, str(BYTES_MAX + 1), "/api/v1/backtest/run")
    assert (status, source.tell()) == (413, 0)
    assert json.loads(said)["error"]["type"] == "too_large"
    assert status_of(Bodies(site), source, "9" * 5_000)[0] == 413
