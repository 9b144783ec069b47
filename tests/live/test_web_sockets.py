"""The served site before raw sockets: senders that stop, that say nothing, that say too much or everything at once."""

import json
import resource
import select
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, parse_headers
from typing import BinaryIO

import pytest
from pytest_django import DjangoDbBlocker

from competition.front.bodies import READERS
from config.processes import HOST, TABLE
from tests.browser.served import environ_of
from tests.browser.web import ROOT
from tests.databases import connected_to, database
from tests.live.servers import free_port, until_answers
from tests.pages.seasons import running_season
from tests.support_engines import PATIENCE_S, until

HEAD_WITHIN_MS = 1_000  # instead of ten seconds: what is waited for is the same
CONNECTIONS_MAX = 1_024  # of a worker, by default
FILES = 4_096


@pytest.fixture(scope="module")
def many_files() -> Iterator[None]:
    """A thousand connections have two ends each; the server inherits what this process may open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(FILES, before[1])), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def port(many_files: None, migrated_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """Where the site answers, served by the command of production."""
    with django_db_blocker.unblock(), database("sockets", template=migrated_template):
        with connected_to("sockets"):
            running_season()
            environ = environ_of("sockets")
        port = free_port()
        command = TABLE["web"].replace("10000", str(HEAD_WITHIN_MS)).format(python=sys.executable, host=HOST, port=port)
        process = subprocess.Popen(shlex.split(command), cwd=ROOT, env=environ)
        try:
            until_answers(f"http://{HOST}:{port}/livez")
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=PATIENCE_S)


@contextmanager
def many(port: int, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections at once, each of which has said this and no more."""
    with ExitStack() as stack:
        lines = [stack.enter_context(connected(port)) for _ in range(count)]
        for line in lines:
            line.sendall(said)
        yield lines


def head(path: str, method: str = "GET", **headers: object) -> bytes:
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{named}\r\n".encode()


def asked(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    line = HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        line.request(method, path, body, headers)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def answers_on(line: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """The next answers on this line."""
    with line.makefile("rb") as file:
        return [_answer_in(file) for _ in range(count)]


def _answer_in(file: BinaryIO) -> tuple[int, bytes]:
    status, headers = int(file.readline().split()[1]), parse_headers(file)
    if headers["Transfer-Encoding"] != "chunked":
        return status, file.read(int(headers["Content-Length"]))
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return status, body


def has_answer(line: socket.socket, within_s: float) -> bool:
    """Whether anything is said on this line. Unlike select, poll minds no number of open files."""
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return bool(poll.poll(within_s * 1_000))


def is_ended(line: socket.socket) -> bool:
    """Whether the server hangs up, waited for; what it says before is read."""
    try:
        while line.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


# Idle


def test_a_thousand_connections_that_say_nothing_keep_nobody_waiting(port: int) -> None:
    with many(port, 1_000):
        began = time.monotonic()
        assert [asked(port, path)[0] for path in ("/s/running/", "/about/", "/status/")] == [200] * 3
        assert time.monotonic() - began < PATIENCE_S / 4


def test_a_worker_holds_so_many_connections_and_the_next_is_served_when_one_goes(port: int) -> None:
    with many(port, CONNECTIONS_MAX) as lines, connected(port) as late:
        late.sendall(head("/livez"))
        assert not has_answer(late, 0.3), "nobody listens to it yet"
        for line in lines:
            line.close()
        assert answers_on(late, 1)[0][0] == 200


def test_who_stops_within_a_request_or_after_an_answer_is_ended(port: int) -> None:
    with many(port, 3) as lines:
        for line, said in zip(lines, (b"GET /s/runn", head("/livez")[:-2], head("/livez")), strict=True):
            line.sendall(said)
        assert all(is_ended(line) for line in lines)


# All at once


def test_requests_sent_without_waiting_are_answered_one_by_one_in_their_order(port: int) -> None:
    with connected(port) as line:
        line.sendall(head("/livez") + head("/nope/") + head("/s/running/") + head("/livez"))
        answers = answers_on(line, 4)
    assert [status for status, _ in answers] == [200, 404, 200, 200]
    assert b"The running season" in answers[2][1]


def test_what_is_asked_for_in_pieces_or_sent_packed_is_neither_cut_nor_unpacked(port: int) -> None:
    whole = asked(port, "/s/running/")
    assert asked(port, "/s/running/", Range="bytes=0-0") == whole
    bomb = b"\x1f\x8b\x08" + bytes(2_000_000)
    status, _ = asked(port, "/api/v1/backtest/run", "POST", bomb, **{"Content-Encoding": "gzip"})
    assert 400 <= status < 500


def test_a_hundred_requests_on_eight_lines_are_all_answered(port: int) -> None:
    paths = ("/s/running/", "/", "/api/v1/leaderboard", "/seasons/")
    with many(port, 8) as lines:
        for turn in range(12):
            for line in lines:
                line.sendall(head(paths[turn % len(paths)]))
            assert {answers_on(line, 1)[0][0] for line in lines} == {200}


# Bodies


@pytest.mark.parametrize("path", ["/backtests/new/", "/api/v1/backtest/run", "/admin/login/"])
def test_ten_megabytes_are_not_read(port: int, path: str) -> None:
    with connected(port) as line:
        line.sendall(head(path, "POST", Content_Length=10_000_000, Content_Type="application/x-www-form-urlencoded"))
        ((status, said),) = answers_on(line, 1)
    assert status == 413
    assert b"Send less." in said
    if path.startswith("/api/"):
        assert json.loads(said)["error"]["type"] == "too_large"


def test_ten_thousand_fields_and_deep_json_are_refused(port: int) -> None:
    fields = "&".join(f"a{number}=1" for number in range(10_000)).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert asked(port, "/backtests/new/", "POST", fields, **form)[0] in (400, 403)
    deep = b"[" * 100_000
    assert 400 <= asked(port, "/api/v1/backtest/run", "POST", deep, **{"Content-Type": "application/json"})[0] < 500


def test_senders_that_stop_within_their_bodies_keep_nobody_from_any_page(port: int) -> None:
    stopped = head("/backtests/new/", "POST", Content_Length=1_000, Content_Type="text/plain") + b"x"
    with many(port, 12, stopped) as lines:
        assert [asked(port, path)[0] for path in ("/livez", "/s/running/", "/about/", "/status/")] == [200] * 4
        until(
            lambda: sum(has_answer(line, 0) for line in lines) >= 12 - READERS,
            "those who are not listened to to be told",
        )
        told = [answers_on(line, 1)[0][0] for line in lines if has_answer(line, 0)]
    assert set(told) == {503}, "only some are listened to at a time, and the others are told"
    assert len(told) == 12 - READERS
    until(lambda: asked(port, "/backtests/new/", "POST", b"x")[0] == 403, "the seats of those who left to be free")
