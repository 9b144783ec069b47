"""Kill -9 to every process of a runner while it is asked: that question has no answer, the next one has."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psutil
import pytest

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.calls import ErrorClass
from agents.runner_client import runners_at
from tests.agents.provider import Provider
from tests.live.runners import Runner, asked, hanging, priced, question
from tests.support_engines import until

pytestmark = pytest.mark.processes


@pytest.fixture
def asking(runner: Runner) -> Iterator[Callable[[Question], "Future[Answer | NoAnswer]"]]:
    """Puts a question without waiting for the answer."""
    with ThreadPoolExecutor(8) as pool:
        yield lambda what: pool.submit(asked, runner.url, what)


def child_of(runner: Runner) -> psutil.Process:
    until(lambda: runner.children, "the question to reach a process")
    return runner.children[0]


def call_under_way(provider: Provider, asking: "Asking", seconds: float) -> "Future[Answer | NoAnswer]":
    """A question whose call has reached a provider that never answers."""
    heard = len(provider.requests)
    answer = asking(priced("openai/hang", seconds=seconds, parameters={"api_base": provider.api_base}))
    until(lambda: len(provider.requests) > heard, "the call to reach its provider")
    return answer


def is_well(runner: Runner) -> bool:
    """The next question is answered, and nobody who was asked before is left, not even as a zombie."""
    answer = asked(runner.url, question(seconds=60))
    until(lambda: not runner.children, "everyone who was asked to be gone")
    return isinstance(answer, Answer)


Asking = Callable[[Question], "Future[Answer | NoAnswer]"]


def test_a_child_killed_mid_call_is_no_answer_with_its_call_on_record(
    runner: Runner, provider: Provider, asking: Asking
) -> None:
    answer = call_under_way(provider, asking, seconds=20)
    child_of(runner).kill()
    silent = answer.result(30)
    assert isinstance(silent, NoAnswer)
    assert silent.reason == "the process that asked the model ended without an answer"
    assert [(call.requested_model, call.error_class) for call in silent.calls] == [("openai/hang", ErrorClass.KILLED)]
    assert silent.calls_known
    assert is_well(runner)


def test_a_child_that_takes_no_notice_of_time_is_killed_with_its_call_on_record(
    runner: Runner, provider: Provider, asking: Asking
) -> None:
    answer = call_under_way(provider, asking, seconds=5)
    child_of(runner).suspend()  # as good as a loop in C: nothing in it runs any more
    silent = answer.result(30)
    assert isinstance(silent, NoAnswer)
    assert silent.reason == "no reply within 4.5 s"
    assert [call.error_class for call in silent.calls] == [ErrorClass.KILLED]
    assert silent.calls[0].latency_ms > 0
    assert is_well(runner)


def test_a_zygote_killed_mid_call_costs_no_answer_and_its_child_ends_when_nobody_listens_any_more(
    runner: Runner, asking: Asking
) -> None:
    async def kill_and_hang_up() -> None:
        async with runners_at(lambda _: runner.url) as ask:
            task = asyncio.create_task(ask(hanging(seconds=60)))
            while not (orphans := [child for child in runner.children if child != listened_to]):
                await asyncio.sleep(0)
            unheard.extend(orphans)
            runner.zygote.kill()
            task.cancel()

    answer = asking(hanging(seconds=8))
    listened_to, unheard = child_of(runner), list[psutil.Process]()
    asyncio.run(kill_and_hang_up())
    until(lambda: not any(child.is_running() for child in unheard), "the orphan to end")
    silent = answer.result(30)
    assert isinstance(silent, NoAnswer)
    assert [call.error_class for call in silent.calls] == [ErrorClass.TIMEOUT], "its child went on and told of the end"
    runner.ready()
    assert is_well(runner)


def test_a_worker_killed_mid_call_is_no_answer_and_nobody_knows_what_was_called(runner: Runner, asking: Asking) -> None:
    answer = asking(hanging())
    family = [runner.zygote, child_of(runner)]
    runner.worker.kill()
    silent = answer.result(30)
    assert isinstance(silent, NoAnswer)
    assert not silent.calls_known
    until(lambda: not any(one.is_running() for one in family), "its zygote and its child to end with it")
    runner.ready()
    assert is_well(runner)


def test_a_client_that_goes_away_ends_whoever_was_asked_for_it(runner: Runner) -> None:
    host, port = runner.url.removeprefix("http://").split(":")
    body = b'{"run_token": "t", "seconds": 60, "agent": {"model": "offline/latecomer", "parameters": {"seed": 3}}, '
    body += b'"brief": {"cycle": 3, "market": {"symbols": {}}}}'
    with socket.create_connection((host, int(port))) as line:
        head = f"POST /v1/decide HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode() + body)
        child = child_of(runner)
    until(lambda: not child.is_running(), "the child to end")
    assert is_well(runner)


def test_whoever_waits_for_a_free_process_in_vain_was_never_asked(runner: Runner, asking: Asking) -> None:
    busy = [asking(hanging(seconds=12)) for _ in range(3)]
    until(lambda: len(runner.children) == 3, "three to be asked")
    silent = asked(runner.url, question(seconds=5))  # a tenth of which is for the way back
    assert isinstance(silent, NoAnswer)
    assert silent.reason == "the runner had no process free in time; nothing was asked"
    assert (silent.calls, silent.calls_known) == ((), True)
    assert [type(answer.result(30)) for answer in busy] == [NoAnswer] * 3
    assert is_well(runner)
