"""A runner with few descriptors or too many questions, and a firm one of whose analysts hangs: the rest goes on."""

import itertools
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.core.answers import Answer, NoAnswer
from agents.core.calls import ErrorClass
from tests.agents.meetings import Cast
from tests.agents.provider import Provider
from tests.live.runners import Runner, all_asked, asked, hanging, priced, question, running
from tests.support_engines import until

pytestmark = pytest.mark.processes
TURNED_AWAY = NoAnswer("the runner answered with status 503")


@contextmanager
def descriptors_left(worker: psutil.Process, left: int) -> Iterator[None]:
    """The worker can open so many more and no others, until the block ends."""
    usual = worker.rlimit(psutil.RLIMIT_NOFILE)
    taken = {int(link.name) for link in Path(f"/proc/{worker.pid}/fd").iterdir()}
    free = (number for number in itertools.count() if number not in taken)
    worker.rlimit(psutil.RLIMIT_NOFILE, (next(itertools.islice(free, left, None)), usual[1]))
    try:
        yield
    finally:
        worker.rlimit(psutil.RLIMIT_NOFILE, usual)


def is_ready(runner: Runner) -> bool:
    with urllib.request.urlopen(f"{runner.url}/readyz", timeout=10) as response:
        return response.status == 200


def test_a_question_for_which_no_line_can_be_opened_is_not_asked_and_the_next_one_is(runner: Runner) -> None:
    assert isinstance(asked(runner.url, question()), Answer)
    zygote = runner.zygote
    with descriptors_left(runner.worker, 1):  # for the question itself, and none for a process to answer it
        silent = asked(runner.url, question(seconds=5))  # a tenth of which is for the way back
    assert silent == NoAnswer("the runner had no process free in time; nothing was asked")
    assert is_ready(runner)
    assert isinstance(asked(runner.url, question()), Answer)
    assert runner.zygote == zygote


def test_a_question_waits_within_its_time_until_a_line_can_be_opened(runner: Runner) -> None:
    assert isinstance(asked(runner.url, question()), Answer)
    with ThreadPoolExecutor(1) as pool:
        with descriptors_left(runner.worker, 2):  # for two questions
            answer = pool.submit(asked, runner.url, question(seconds=30))
            assert isinstance(asked(runner.url, question(seconds=2)), NoAnswer)
        assert isinstance(answer.result(40), Answer)


def test_a_zygote_that_dies_when_no_other_can_be_started_has_a_successor_later(runner: Runner) -> None:
    zygote = runner.zygote
    with descriptors_left(runner.worker, 0):
        zygote.kill()
        until(lambda: not zygote.is_running(), "the zygote to be reaped")
    runner.ready()
    assert isinstance(asked(runner.url, question()), Answer)


def test_a_hundred_questions_on_few_descriptors_are_answered_or_turned_away_and_then_it_is_well() -> None:
    with running(descriptors=64, LOG_LEVEL="CRITICAL") as runner:
        for _ in range(2):
            answers = all_asked(runner.url, [question(seconds=60) for _ in range(100)])
            came = Counter("answered" if isinstance(answer, Answer) else answer.reason for answer in answers)
            assert set(came) <= {"answered", TURNED_AWAY.reason}, came
            assert came["answered"] >= 5
            assert all(answer.calls_known for answer in answers if isinstance(answer, NoAnswer))
            assert is_ready(runner)
            assert isinstance(asked(runner.url, question()), Answer)
        until(lambda: not runner.children, "everyone who was asked to be gone")


def test_a_runner_takes_as_many_descriptors_as_it_may_have_and_leaves_nobody_behind() -> None:
    with ThreadPoolExecutor(1) as pool:
        with running(descriptors=4_000, soft_descriptors=100, LOG_LEVEL="CRITICAL") as runner:
            assert runner.worker.rlimit(psutil.RLIMIT_NOFILE) == (4_000, 4_000)
            answers = all_asked(runner.url, [question(seconds=60) for _ in range(150)])
            assert [type(answer) for answer in answers] == [Answer] * 150
            until(lambda: not runner.children, "everyone who was asked to be reaped")
            pool.submit(asked, runner.url, hanging())
            until(lambda: runner.children, "another to be asked")
            family = [runner.worker, runner.zygote, *runner.children]
        assert not any(one.is_running() for one in family)


def test_a_firm_goes_on_without_the_analyst_that_hangs(runner: Runner, provider: Provider) -> None:
    def words(body: dict[str, Any]) -> str:
        role = body["messages"][0]["content"].removeprefix("Role: ").partition(",")[0]
        return str(getattr(Cast(), role))

    provider.acts("firm", "hang", "valid")
    provider.says("firm", words)
    parameters = {"api_base": provider.api_base}
    answer = asked(runner.url, priced("openai/firm", seconds=12, kind="firm", parameters=parameters))
    assert isinstance(answer, Answer), answer
    assert answer.text == Cast().trader
    assert answer.deliberation
    (missing,) = answer.deliberation["missing"]
    assert {call.role: call.error_class for call in answer.calls if call.error_class} == {missing: ErrorClass.TIMEOUT}
