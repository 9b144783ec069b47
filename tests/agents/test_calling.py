"""One call and its tries, with a provider that follows a script and a clock that only moves when somebody waits."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.calling import Limits, Outcome, Purse, World, call, wait_before_next
from agents.core.calls import PASSING, CallRecord, ErrorClass, Message, ModelCall, Usage
from agents.core.pricing import NOTHING, ModelCard, Worst, worst_of_call
from agents.core.reply import REPLY_BYTES_MAX
from agents.core.said import CallFailed, Said
from tests.notation import some

CARD = ModelCard(model="openai/x", price_id=1, prompt_usd=Decimal(2), completion_usd=Decimal(8), cached_usd=Decimal(1))
CALL = ModelCall(
    role="single", model="openai/x", messages=(Message(role="user", content="What now?"),), max_output_tokens=100
)
WORST = worst_of_call(CALL, CARD)
PLENTY = Worst(tokens=1_000_000, usd=Decimal(100))
SECRET = "planted-key-0123456789"
START = datetime(2026, 1, 1, tzinfo=UTC)

HOLD = '{"action": "hold"}'
Step = Said | CallFailed


def said(text: str = HOLD, finish: str = "stop", usage: Usage | None = None, **more: Any) -> Said:
    return Said(text, "x-2026", finish, usage or Usage(prompt=20, completion=10), {}, "req-1", **more)


def failed(error_class: ErrorClass, retry_after_s: float | None = None) -> CallFailed:
    return CallFailed(error_class, 500, retry_after_s, "req-2")


@dataclass
class Stage:
    """A provider with a script, each step of which takes `lasts_s`, and everything else a call needs."""

    script: list[Step]
    lasts_s: float = 1.0
    now_s: float = 0.0
    waits: list[float] = field(default_factory=list)
    told: list[CallRecord] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    async def complete(self, model_call: ModelCall, *, timeout_s: float, supports_schema: bool) -> Said:
        self.timeouts.append(timeout_s)
        self.now_s += self.lasts_s
        step = self.script.pop(0)
        if isinstance(step, CallFailed):
            raise step
        return step

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds

    def world(self, complete: Callable[..., Coroutine[Any, Any, Said]] | None = None) -> World:
        return World(
            complete=complete or self.complete,
            clock=lambda: START + timedelta(seconds=self.now_s),
            monotonic=lambda: self.now_s,
            sleep=self.sleep,
            jitter=lambda: 1.0,
            tell=self.told.append,
            fix=lambda text: text.replace(SECRET, "[key removed]"),
        )

    def ask(
        self,
        tries_max: int = 3,
        deadline: float = 100.0,
        purse: Purse | None = None,
        card: ModelCard | None = CARD,
        model_call: ModelCall = CALL,
    ) -> Outcome:
        limits = Limits(tries_max=tries_max, call_timeout_s=30.0, deadline=deadline)
        return asyncio.run(call(model_call, card, purse or Purse(PLENTY), limits, self.world()))

    @property
    def ends(self) -> list[ErrorClass | None]:
        """What became of each try: of two records of one try the second."""
        return [record.error_class for record in {record.number: record for record in self.told}.values()]


def test_a_good_answer_is_told_as_begun_and_as_ended() -> None:
    stage = Stage([said()])
    assert stage.ask() == Outcome(HOLD)
    begun, ended = stage.told
    assert (begun.error_class, begun.number, begun.messages) == (ErrorClass.KILLED, 1, CALL.messages)
    assert (ended.error_class, ended.number, ended.reply) == (None, 1, HOLD)
    assert (ended.latency_ms, ended.started_at, ended.returned_model) == (1000, START, "x-2026")
    assert ended.request_sha256 == CALL.sha256


@pytest.mark.parametrize("error_class", sorted(PASSING))
def test_what_may_pass_is_tried_again(error_class: ErrorClass) -> None:
    stage = Stage([failed(error_class), said()])
    assert stage.ask() == Outcome(HOLD)
    assert stage.ends == [error_class, None]
    assert len(stage.waits) == 1


@pytest.mark.parametrize("error_class", sorted(set(ErrorClass) - PASSING))
def test_what_will_not_pass_is_not_tried_again(error_class: ErrorClass) -> None:
    stage = Stage([failed(error_class)])
    assert stage.ask() == Outcome(None, f"openai/x: {error_class.value}")
    assert stage.ends == [error_class]
    assert stage.waits == []


def test_tries_end_at_their_number_with_the_reason_of_the_last() -> None:
    stage = Stage([failed(ErrorClass.SERVER_ERROR), failed(ErrorClass.RATE_LIMITED), said()])
    assert stage.ask(tries_max=2) == Outcome(None, "openai/x: rate_limited")
    assert [record.number for record in stage.told] == [1, 1, 2, 2]


def test_waiting_doubles_and_is_never_shorter_than_the_provider_asked_for() -> None:
    stage = Stage([failed(ErrorClass.SERVER_ERROR), failed(ErrorClass.SERVER_ERROR), said()])
    stage.ask()
    assert stage.waits == [1.0, 2.0]
    patient = Stage([failed(ErrorClass.RATE_LIMITED, retry_after_s=7), said()])
    patient.ask()
    assert patient.waits == [7.0]


@some
@given(
    error_class=st.sampled_from(sorted(PASSING)),
    number=st.integers(1, 100),
    retry_after_s=st.none() | st.floats(0, 1e6),
    jitter=st.floats(0, 1),
)
def test_a_wait_is_bounded_unless_the_provider_asks_for_more(
    error_class: ErrorClass, number: int, retry_after_s: float | None, jitter: float
) -> None:
    wait_s = wait_before_next(error_class, number, retry_after_s, jitter)
    assert wait_s >= (retry_after_s or 0)
    assert 0 < wait_s <= max(30.0, retry_after_s or 0)


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    stage = Stage([failed(ErrorClass.RATE_LIMITED, retry_after_s=3600), said()])
    outcome = stage.ask(deadline=60)
    assert outcome == Outcome(None, "openai/x: rate_limited; no time was left for a try")
    assert stage.waits == []


def test_a_try_gets_no_more_time_than_is_left() -> None:
    stage = Stage([failed(ErrorClass.SERVER_ERROR), said()], lasts_s=50.0)
    stage.ask(deadline=60)
    assert stage.timeouts == [30.0, 9.0]


def test_after_the_deadline_nothing_is_sent() -> None:
    stage = Stage([said()])
    assert stage.ask(deadline=0) == Outcome(None, "no time was left for a try")
    assert stage.told == []


def test_a_library_that_takes_no_notice_of_its_timeout_is_not_waited_for() -> None:
    async def deaf(*_: Any, **__: Any) -> Said:
        await asyncio.Event().wait()
        raise AssertionError

    stage = Stage([])
    limits = Limits(tries_max=1, call_timeout_s=0.01, deadline=100)
    outcome = asyncio.run(call(CALL, CARD, Purse(PLENTY), limits, stage.world(deaf)))
    assert outcome == Outcome(None, "openai/x: timeout")


def test_a_call_that_is_cancelled_stays_told_as_killed() -> None:
    async def cancelled() -> list[CallRecord]:
        begun = asyncio.Event()

        async def hangs(*_: Any, **__: Any) -> Said:
            begun.set()
            return await asyncio.Future()

        stage = Stage([])
        limits = Limits(tries_max=1, call_timeout_s=30, deadline=100)
        task = asyncio.create_task(call(CALL, CARD, Purse(PLENTY), limits, stage.world(hangs)))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return stage.told

    assert [record.error_class for record in asyncio.run(cancelled())] == [ErrorClass.KILLED]


# -- Money ----------------------------------------------------------------------------------------


def test_without_a_price_nothing_is_sent() -> None:
    stage = Stage([said()])
    assert stage.ask(card=None) == Outcome(None, "no price is known for openai/x")
    assert stage.ends == [ErrorClass.OVER_ALLOWANCE]
    assert stage.script, "the provider was not asked"


def test_a_try_whose_worst_case_does_not_fit_is_not_sent() -> None:
    stage = Stage([said()])
    almost = Purse(Worst(tokens=WORST.tokens - 1, usd=WORST.usd))
    outcome = stage.ask(purse=almost)
    assert outcome.text is None
    assert f"a try may take {WORST.tokens} tokens" in outcome.reason
    assert stage.ends == [ErrorClass.OVER_ALLOWANCE]
    assert almost.left.tokens == WORST.tokens - 1


def test_what_a_call_did_not_use_is_there_for_the_next() -> None:
    purse = Purse(WORST)
    Stage([said(usage=Usage(prompt=20, completion=10))]).ask(purse=purse)
    assert purse.left == Worst(tokens=WORST.tokens - 30, usd=WORST.usd - Decimal("0.00012"))


def test_a_failed_try_keeps_its_worst_case_so_that_the_next_may_not_fit() -> None:
    stage = Stage([failed(ErrorClass.SERVER_ERROR), said()])
    assert stage.ask(purse=Purse(WORST)).text is None
    assert stage.ends == [ErrorClass.SERVER_ERROR, ErrorClass.OVER_ALLOWANCE]


def test_usage_that_is_not_told_keeps_the_worst_case() -> None:
    purse = Purse(WORST)
    silent = Said(HOLD, "x", "stop", None, {}, "")
    assert Stage([silent]).ask(purse=purse).text == HOLD
    assert purse.left == NOTHING


def test_what_was_refused_before_it_was_sent_costs_nothing() -> None:
    purse = Purse(WORST)
    Stage([failed(ErrorClass.ADDRESS_REFUSED)]).ask(purse=purse)
    assert purse.left == WORST


def test_roles_that_ask_at_the_same_time_share_one_purse() -> None:
    async def three() -> list[Outcome]:
        purse, release = Purse(Worst(tokens=WORST.tokens * 2, usd=WORST.usd * 2)), asyncio.Event()

        async def slow(*_: Any, **__: Any) -> Said:
            await release.wait()
            return said()

        limits = Limits(tries_max=1, call_timeout_s=30, deadline=100)
        asked = [asyncio.create_task(call(CALL, CARD, purse, limits, Stage([]).world(slow))) for _ in range(3)]
        await asked[2]
        release.set()
        return await asyncio.gather(*asked)

    assert [outcome.text for outcome in asyncio.run(three())] == [HOLD, HOLD, None]


@some
@given(steps=st.lists(st.sampled_from(["ok", "silent", "passing", "refused"]), max_size=12), times=st.integers(0, 6))
def test_whatever_happens_no_more_is_used_than_was_allowed(steps: list[str], times: int) -> None:
    allowance = Worst(tokens=WORST.tokens * times, usd=WORST.usd * times)
    purse, used = Purse(allowance), NOTHING
    made: dict[str, Callable[[], Step]] = {
        "ok": said,
        "silent": lambda: Said(HOLD, "x", "stop", None, {}, ""),
        "passing": lambda: failed(ErrorClass.SERVER_ERROR),
        "refused": lambda: failed(ErrorClass.ADDRESS_REFUSED),
    }
    for step in steps:
        stage = Stage([made[step]()])
        stage.ask(tries_max=1, purse=purse)
        if not stage.script:
            ok = Worst(tokens=30, usd=Decimal("0.00012"))
            used += {"ok": ok, "refused": NOTHING}.get(step, WORST)
    assert used.fits_in(allowance)
    assert used + purse.left == allowance


# -- What is kept ---------------------------------------------------------------------------------


def test_a_reply_that_was_cut_off_is_truncated() -> None:
    assert Stage([said(finish="length")]).ask() == Outcome(HOLD, truncated=True)


@pytest.mark.parametrize(
    "finish", ["", "error", "model_length", "network_error", "MAX_TOKENS", "content_filter", "sigh"]
)
def test_only_an_ending_that_is_known_to_be_good_makes_a_reply_whole(finish: str) -> None:
    stage = Stage([said(finish=finish)])
    assert stage.ask() == Outcome(HOLD, truncated=True)
    assert stage.told[-1].finish_reason == finish


@pytest.mark.parametrize("finish", ["stop", "STOP", "end_turn", "stop_sequence", "eos", "eos_token", "COMPLETE"])
def test_every_provider_has_its_own_word_for_a_good_ending(finish: str) -> None:
    assert Stage([said(finish=finish)]).ask() == Outcome(HOLD)


@pytest.mark.parametrize("finish", ["tool_calls", "tool_use"])
def test_a_call_of_a_tool_is_whole_only_where_the_form_was_given_as_a_tool(finish: str) -> None:
    assert Stage([said(finish=finish, parameters={"strategy": "tool"})]).ask() == Outcome(HOLD)
    assert Stage([said(finish=finish, parameters={"strategy": "text"})]).ask().truncated


def test_what_was_not_sent_costs_nothing_and_is_told_not_to_have_been() -> None:
    purse, unsent = Purse(WORST), CallFailed(ErrorClass.KEY_REFUSED, was_sent=False, detail="X_KEY is not set")
    stage = Stage([unsent])
    assert stage.ask(purse=purse) == Outcome(None, "openai/x: key_refused: X_KEY is not set")
    assert purse.left == WORST
    assert [(record.was_sent, record.error_detail) for record in stage.told] == [
        (True, stage.told[0].error_detail),
        (False, "X_KEY is not set"),
    ]


def test_a_try_that_failed_costs_what_its_provider_says_that_it_used() -> None:
    purse, usage = Purse(WORST), Usage(prompt=20, completion=0)
    stage = Stage([CallFailed(ErrorClass.MALFORMED, 200, usage=usage, usage_raw={"prompt_tokens": 20})])
    stage.ask(tries_max=1, purse=purse)
    assert purse.left.tokens == WORST.tokens - 20
    assert (stage.told[-1].usage, stage.told[-1].usage_raw) == (usage, {"prompt_tokens": 20})


def test_a_reply_larger_than_any_may_be_is_a_failure_with_its_beginning_kept() -> None:
    stage = Stage([said("é" * REPLY_BYTES_MAX)])
    outcome = stage.ask()
    assert outcome.text is None
    assert f"the reply had {2 * REPLY_BYTES_MAX} bytes" in outcome.reason
    assert stage.ends == [ErrorClass.TOO_LARGE]
    assert len(stage.told[-1].reply.encode()) == REPLY_BYTES_MAX
    assert stage.told[-1].usage == Usage(prompt=20, completion=10)


def test_a_key_is_taken_out_of_everything_that_is_kept() -> None:
    asked = CALL.model_copy(update={"messages": (Message(role="user", content=f"my key is {SECRET}"),)})
    leaky = Said(f"your key {SECRET}", SECRET, SECRET, None, {"note": [SECRET], SECRET: 1}, SECRET, {"seed": SECRET})
    stage = Stage([CallFailed(ErrorClass.SERVER_ERROR, 500, None, SECRET), leaky])
    outcome = stage.ask(model_call=asked)
    assert outcome.text == "your key [key removed]"
    assert len(stage.told) == 4
    assert SECRET not in "".join(record.model_dump_json() for record in stage.told)


def test_texts_that_are_too_long_to_be_kept_are_cut_after_keys_were_taken_out() -> None:
    name = "m" * 195 + SECRET
    stage = Stage([Said(HOLD, name, "f" * 100, None, {}, "r" * 300)])
    stage.ask()
    ended = stage.told[-1]
    assert ended.returned_model == "m" * 195 + "[key "
    assert (len(ended.finish_reason), len(ended.provider_request_id)) == (40, 200)
