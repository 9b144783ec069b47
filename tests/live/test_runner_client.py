"""The client against runners that lie, break off, never end or send too much: no answer, and no harm to the next."""

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from agents.contract import REQUEST_BYTES_MAX, AgentPart, PreflightRequest
from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.reply import REPLY_BYTES_MAX
from agents.runner_client import RESPONSE_BYTES_MAX, Unheard, addresses_in, preflight, request_of, runners_at
from tests.live.runners import BRIEF, all_asked, asked, question
from tests.live.servers import free_port, one_answer_server
from tests.support_engines import PATIENCE_S

MIB = 1_048_576
JSON = "Content-Type: application/json\r\n"
CALL = {
    "role": "single",
    "number": 1,
    "requested_model": "a/b",
    "messages": [{"role": "user", "content": "?"}],
    "started_at": "2026-01-01T00:00:00Z",
    "latency_ms": 1,
}


def ours(seconds: float = 5) -> Question:
    return Question("t", "offline/steady", {}, BRIEF, (), seconds)


def http(body: bytes, status: str = "200 OK", length: int | None = None, headers: str = JSON) -> bytes:
    head = f"HTTP/1.1 {status}\r\n{headers}"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def said(**content: Any) -> bytes:
    return http(json.dumps({"run_token": "t", "reply": "x", **content}).encode())


def unknown(reason: str) -> NoAnswer:
    """No answer, and nobody can say what was called on the way."""
    return NoAnswer(reason, calls_known=False)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (said(run_token="another"), "the runner answered another question"),
        (http(b'{"reply": "x"}'), "the runner answered another question"),
        (said(reply=7), "the runner's answer is not by the contract: reply: Input should be a valid string"),
        (http(b'{"run_token": "t"}'), "the runner's answer is not by the contract: reply: Field required"),
        (http(b"<html>hello</html>"), "the runner's answer is not JSON: Expecting value at character 0"),
        (http(b"[" * 100_000), "the runner's answer is not JSON: it is nested too deeply"),
        (http(b"[]"), "the runner's answer is not JSON: it is not an object"),
        (http(bytes(range(256)) * 4), "the runner's answer is not JSON: it is not UTF-8"),
        (
            http(b'{"run_token": "t", "reply": "x", "reply": "y"}'),
            "the runner's answer is not JSON: a name stands twice in one object",
        ),
        (http(b'{"run_token": "t", "reply": "x"}' * 2), "the runner's answer is not JSON: Extra data at character 32"),
        (http(b"{}", headers="Content-Type: text/html\r\n"), "the runner's answer is not called JSON"),
        (http(b"{}", headers=""), "the runner's answer is not called JSON"),
        (http(b"\x1f\x8b", headers=f"{JSON}Content-Encoding: gzip\r\n"), "the runner's answer is packed"),
        (http(b"oh", "500 Internal Server Error"), "the runner answered with status 500"),
        (http(b"busy", "503 Service Unavailable"), "the runner answered with status 503"),
        (http(b'{"error": 7}', "503 Service Unavailable"), "the runner answered with status 503"),
        (http(b'{"error": "' + b"x" * 5_000 + b'"}', "503 Busy"), "the runner answered with status 503"),
        (http(b'{"error": "oh"}', "500 Internal Server Error"), "the runner answered with status 500"),
        (http(b"", "204 No Content"), "the runner answered with status 204"),
        (http(b"", "307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"), "the runner answered with status 307"),
        (http(b'{"run_token": "t"', length=100), "the runner could not be asked: ClientPayloadError"),
        (b"", "the runner could not be asked: ServerDisconnectedError"),
        (b"\x00\xff\x00\xff garbage\r\n\r\n", "the runner could not be asked: ClientResponseError"),
        (http(b" " * (RESPONSE_BYTES_MAX + 1)), f"the runner sent more than {RESPONSE_BYTES_MAX} bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_whatever_a_runner_sends_wrongly_is_no_answer_with_the_reason(response: bytes, reason: str) -> None:
    with one_answer_server(response) as url:
        assert asked(url, ours()) == unknown(reason)


@pytest.mark.parametrize(
    "wrong",
    [
        {"usage": {"prompt": -1, "completion": 0}},
        {"usage": {"prompt": 2**40, "completion": 0}},
        {"number": 0},
        {"latency_ms": -1},
        {"started_at": "yesterday"},
        {"returned_model": "m" * 201},
        {"error_class": "bad luck"},
        {"usd": "0"},
    ],
    ids=str,
)
def test_a_call_that_cannot_have_been_makes_the_whole_answer_none(wrong: dict[str, Any]) -> None:
    with one_answer_server(said(calls=[{**CALL, **wrong}])) as url:
        answer = asked(url, ours())
    assert isinstance(answer, NoAnswer)
    assert answer.reason.startswith("the runner's answer is not by the contract: calls.0")
    assert not answer.calls_known


def test_more_calls_than_any_turn_makes_are_none() -> None:
    with one_answer_server(said(calls=[CALL] * 101)) as url:
        answer = asked(url, ours())
    assert isinstance(answer, NoAnswer)
    assert not answer.calls_known


def test_a_reply_without_calls_is_an_answer() -> None:
    with one_answer_server(said(reply="I hold.", mood="good")) as url:
        assert asked(url, ours()) == Answer("I hold.")


def test_no_reply_comes_with_its_reason_and_its_calls() -> None:
    with one_answer_server(said(reply=None, reason="no credit", calls=[CALL])) as url:
        answer = asked(url, ours())
    assert isinstance(answer, NoAnswer)
    assert (answer.reason, answer.calls_known, len(answer.calls)) == ("no credit", True, 1)


def test_a_reply_that_is_too_large_is_none_but_its_calls_are_known() -> None:
    with one_answer_server(said(reply="é" * (REPLY_BYTES_MAX // 2 + 1), calls=[CALL])) as url:
        answer = asked(url, ours())
    assert isinstance(answer, NoAnswer)
    assert answer.reason == f"the reply has {REPLY_BYTES_MAX + 2} bytes, more than {REPLY_BYTES_MAX}"
    assert len(answer.calls) == 1


def test_what_no_database_can_keep_is_replaced_in_everything_that_was_said() -> None:
    calls = [{**CALL, "reply": "\x00", "usage_raw": {"n\x00": "\ud800"}}]
    with one_answer_server(said(reply="a\x00b\ud800", calls=calls, deliberation={"x": ["\x00"]})) as url:
        answer = asked(url, ours())
    assert isinstance(answer, Answer)
    assert "\x00" not in answer.text
    assert (answer.calls[0].reply, list(answer.calls[0].usage_raw)) == ("\ufffd", ["n\ufffd"])
    assert "\ud800" not in answer.text + repr(answer.calls)
    assert answer.deliberation == {"x": ["\ufffd"]}


def test_a_refusal_by_the_contract_means_that_nothing_was_called() -> None:
    with one_answer_server(http(b"{}", "422 Unprocessable Content")) as url:
        assert asked(url, ours()) == NoAnswer("the runner answered with status 422")
    with one_answer_server(http(b'{"error": "Too many questions are open."}', "503 Service Unavailable")) as url:
        assert asked(url, ours()) == NoAnswer("the runner answered with status 503")


def test_a_runner_that_is_not_there_was_not_asked() -> None:
    answer = asked(f"http://127.0.0.1:{free_port()}", question())
    assert answer == NoAnswer("the runner could not be asked: ClientConnectorError")
    assert asked("not an address", question()) == NoAnswer("the runner's address is none")


def test_a_question_no_runner_takes_is_not_sent() -> None:
    large = question(brief=Brief({"cycle": 1, "text": "x" * REQUEST_BYTES_MAX}, "0" * 64))
    answer = asked("http://127.0.0.1:1", large)
    assert isinstance(answer, NoAnswer)
    assert (answer.reason.partition(" bytes")[2], answer.calls_known) == (", more than a runner takes", True)


def test_a_runner_gets_less_time_than_there_is_so_that_its_answer_is_in_time() -> None:
    assert request_of(ours(seconds=100)).seconds == 98
    assert request_of(ours(seconds=2)).seconds == pytest.approx(1.8)
    assert request_of(ours(seconds=0)).seconds > 0


def test_each_agent_can_have_its_own_runner() -> None:
    address_of = addresses_in("http://runner-{agent}:8100", {"even": "http://example:8200/"})
    assert address_of(question(agent="Big_one")) == "http://runner-big-one:8100"
    assert address_of(question(agent="even")) == "http://example:8200"
    assert addresses_in("http://runner:8100", {})(question(agent="big")) == "http://runner:8100"


def test_a_preflight_that_cannot_be_read_is_told() -> None:
    request = PreflightRequest(agent=AgentPart(model="a/b"))
    unreadable = pytest.raises(Unheard, match=r"findings\.0\.ok: Field required")
    with one_answer_server(http(b'{"findings": [{"check": "x"}]}')) as url, unreadable:
        asyncio.run(preflight(url, request))


# -- Runners that do not end ----------------------------------------------------------------------


@contextmanager
def server(serve: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """A server that treats the first, the second, ... connection as `serve` says, each on a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def one(client: socket.socket, number: int) -> None:
        with client:
            client.recv(MIB)
            try:
                serve(client, number)
            except (BrokenPipeError, ConnectionResetError):
                return  # the client has heard enough

    def accept() -> None:
        for number in itertools.count():
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed at the end
            threads.append(threading.Thread(target=one, args=(client, number), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(PATIENCE_S)


def well(client: socket.socket) -> None:
    client.sendall(said())


def test_a_runner_that_never_finishes_is_cut_off_at_the_end_of_its_time() -> None:
    with one_answer_server(http(b"{", length=10), hold=True) as url:
        assert asked(url, ours(0.4)) == unknown("no reply within 0.4 s")


def test_a_runner_that_drips_is_cut_off_and_the_next_answer_is_heard() -> None:
    def serve(client: socket.socket, number: int) -> None:
        if number:
            well(client)
            return
        client.sendall(http(b"", length=MIB))
        while True:  # ends when the client hangs up
            client.sendall(b" ")
            threading.Event().wait(0.05)

    with server(serve) as url:
        assert asked(url, ours(0.5)) == unknown("no reply within 0.5 s")
        assert asked(url, ours()) == Answer("x")


def test_300_mb_are_not_read_and_take_no_memory() -> None:
    sent = []

    def serve(client: socket.socket, number: int) -> None:
        if number:
            well(client)
            return
        client.sendall(http(b"", length=300 * MIB))
        for _ in range(300):
            client.sendall(b" " * MIB)
            sent.append(MIB)

    process = psutil.Process()
    before = process.memory_info().rss
    with server(serve) as url:
        assert asked(url, ours(30)) == unknown(f"the runner sent more than {RESPONSE_BYTES_MAX} bytes")
        assert asked(url, ours()) == Answer("x")
    assert sum(sent) < 20 * MIB
    assert process.memory_info().rss - before < 32 * MIB


def test_chunks_without_end_are_not_read_either() -> None:
    def serve(client: socket.socket, number: int) -> None:
        client.sendall(f"HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n".encode())
        while True:  # ends when the client hangs up
            client.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")

    with server(serve) as url:
        assert asked(url, ours(30)) == unknown(f"the runner sent more than {RESPONSE_BYTES_MAX} bytes")


def test_a_second_answer_on_the_line_is_never_taken_for_the_answer_to_the_next_question() -> None:
    with server(lambda client, number: client.sendall(said(reply="mine") + said(reply="smuggled"))) as url:

        async def one_after_another() -> list[Answer | NoAnswer]:
            async with runners_at(lambda _: url) as ask:
                return [await ask(ours()) for _ in range(3)]

        answers = asyncio.run(one_after_another())
    assert "smuggled" not in repr(answers)


def test_bad_runners_do_not_hold_up_good_ones() -> None:
    def serve(client: socket.socket, number: int) -> None:
        if number % 2:
            client.sendall(http(b"", length=10))
            client.recv(1)  # until the client hangs up
        else:
            well(client)

    with server(serve) as url:
        answers = all_asked(url, [ours(2) for _ in range(40)])
    assert answers.count(Answer("x")) == 20
    assert answers.count(unknown("no reply within 2 s")) == 20
