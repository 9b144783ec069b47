"""The runner as its own process, asked over real HTTP, and the client against servers that misbehave."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.runner_client import RESPONSE_BYTES_MAX, runner_at
from portfolio.core.decisions import Violation
from tests.live.servers import free_port, one_answer_server, until_answers
from tests.live.stage import Stage, weekly_rules

BRIEF = Brief(
    {
        "cycle": 1,
        "rules": {"quote": "USDT"},
        "portfolio": {"holdings": {}},
        "market": {"symbols": {"BTCUSDT": {"change_7d": "0.1"}, "ETHUSDT": {"change_7d": "0.2"}}},
    },
    "0" * 64,
)


def question(model: str = "offline/steady", seconds: float = 10, objections: tuple[Violation, ...] = ()) -> Question:
    return Question(str(uuid.uuid4()), model, {"seed": 1}, BRIEF, objections, seconds)


def asked(url: str, what: Question) -> Answer | NoAnswer:
    async def ask() -> Answer | NoAnswer:
        async with runner_at(url) as put:
            return await put(what)

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def runner(repository: Path) -> Iterator[str]:
    """A real runner process with nothing in its environment but what it needs; its address."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings_runner"}
    process = subprocess.Popen(
        [*command, "agents.runner:application"], cwd=repository, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        until_answers(f"http://127.0.0.1:{port}/livez")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def post(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}/v1/decide", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_the_runner_answers_a_brief_with_a_reply(runner: str) -> None:
    answer = asked(runner, question())
    assert isinstance(answer, Answer)
    assert json.loads(answer.text)["action"] == "rebalance"


def test_the_runner_tries_afresh_when_told_what_was_wrong(runner: str) -> None:
    first = asked(runner, question("offline/garbled"))
    again = asked(runner, question("offline/garbled", objections=(Violation("reply_is_readable", "not JSON"),)))
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)


def test_a_late_model_does_not_answer_within_its_time(runner: str) -> None:
    late = Brief({**BRIEF.content, "cycle": 3}, "0" * 64)
    answers = [asked(runner, Question("t", "offline/latecomer", {"seed": s}, late, (), 0.5)) for s in range(6)]
    assert NoAnswer("no reply within 0.5 s") in answers
    assert any(isinstance(answer, Answer) for answer in answers)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"not json", "Invalid JSON"),
        (b"{}", "run_token: Field required"),
        (b'{"run_token": "t", "seconds": -1, "agent": {"model": "offline/steady"}, "brief": {}}', "seconds"),
        (b'{"run_token": "t", "seconds": 1, "agent": {"model": "openai/gpt"}, "brief": {}}', "no model 'openai/gpt'"),
    ],
)
def test_a_request_the_runner_cannot_use_is_refused_with_the_reason(runner: str, body: bytes, says: str) -> None:
    status, answer = post(runner, body)
    assert status == 422
    assert says in answer["error"]


def test_a_brief_too_small_to_decide_on_is_the_runners_error_and_nobodys_trade(runner: str) -> None:
    empty = Question("t", "offline/steady", {}, Brief({}, "0" * 64), (), 5)
    assert asked(runner, empty) == NoAnswer("the runner answered with status 500")


def test_the_runner_is_only_asked_by_post(runner: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{runner}/v1/decide", timeout=10)
    with refusal.value:
        assert refusal.value.code == 405


def test_a_cycle_with_a_real_runner_ends_with_everyones_verdict(runner: str, own_database: str) -> None:
    quick = {"ask_s": 2, "attempt_s": 1, "on_time_s": 1, "late_s": 10, "trade_window_s": 10, "turn_lease_s": 1}
    stage = Stage.set(weekly_rules(cycle_s=60, **quick))  # a reply may take one real second
    stage.runner = lambda: runner_at(runner)  # type: ignore[method-assign,assignment]
    stage.play_cycle(1)
    verdicts = dict(stage.cycle(1).turns.values_list("entry__slug", "verdict"))
    assert verdicts["steady"] == "rebalance"
    assert verdicts["refuser"] == "rejected"
    assert len(verdicts) == 13


# -- Servers that misbehave -----------------------------------------------------------------------


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (http(b'{"run_token": "another", "reply": "x"}'), "the runner answered another question"),
        (http(b'{"reply": "x"}'), "the runner answered another question"),
        (http(b'{"run_token": "t", "reply": 7}'), "the runner's answer holds no reply"),
        (http(b"<html>hello</html>"), "the runner's answer is not JSON"),
        (http(b"[" * 100_000), "the runner's answer is not JSON"),
        (http(b"[]"), "the runner answered another question"),
        (http(b"\xff\x00\xfe"), "the runner's answer is not JSON"),
        (http(b"oh", "500 Internal Server Error"), "the runner answered with status 500"),
        (http(b"", "307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"), "the runner answered with status 307"),
        (http(b'{"run_token": "t"', length=100), "the runner could not be asked: ClientPayloadError"),
        (b"", "the runner could not be asked: ServerDisconnectedError"),
        (http(b" " * (RESPONSE_BYTES_MAX + 1)), f"the runner sent more than {RESPONSE_BYTES_MAX} bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_whatever_a_runner_sends_wrongly_is_no_answer_with_the_reason(response: bytes, reason: str) -> None:
    with one_answer_server(response) as url:
        assert asked(url, Question("t", "offline/steady", {}, BRIEF, (), 5)) == NoAnswer(reason)


def test_a_runner_that_never_finishes_is_cut_off_at_the_end_of_its_time() -> None:
    with one_answer_server(http(b"{", length=10), hold=True) as url:
        assert asked(url, Question("t", "offline/steady", {}, BRIEF, (), 0.4)) == NoAnswer("no reply within 0.4 s")


def test_a_runner_that_is_not_there_is_no_answer() -> None:
    answer = asked(f"http://127.0.0.1:{free_port()}", question())
    assert answer == NoAnswer("the runner could not be asked: ClientConnectorError")
