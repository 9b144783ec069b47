"""One call to one model, made by litellm itself over real HTTP to a provider that behaves and misbehaves."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.core.addresses import AllowedAddresses
from agents.core.calls import ErrorClass, Usage
from agents.core.provider_json import USAGE_RAW_BYTES_MAX
from agents.core.said import CallFailed, Said
from agents.core.wire_answer import is_whole
from agents.llm_errors import retry_after_s
from tests.agents.llm_calls import asked, call_of, complete, failure
from tests.agents.provider import ENDINGS, REQUEST_ID, RETURNED_MODEL, USAGE, VALID_TEXT, Provider, running_provider

# litellm's own, when it first meets a provider; the process that makes calls ignores it, pytest would make it an error.
pytestmark = [
    pytest.mark.usefixtures("keys"),
    pytest.mark.filterwarnings("ignore:Items? '.*ReadOnly:UserWarning"),
]

SCHEMA = {
    "type": "object",
    "properties": {"action": {"type": "string"}},
    "required": ["action"],
    "additionalProperties": False,
}
COUNTED = Usage(prompt=10, completion=8, reasoning=3, cached=4)


def test_a_model_says_something_and_how_much_it_used(provider: Provider) -> None:
    expected = Said(VALID_TEXT, RETURNED_MODEL, "stop", COUNTED, USAGE, REQUEST_ID, status=200)
    assert replace(asked(provider, "openai/valid"), parameters={}) == expected


@pytest.mark.parametrize(
    ("model", "text", "finish_reason"),
    [
        ("fenced", f"Here it is:\n```json\n{VALID_TEXT}\n```", "stop"),
        ("thinking", f"<think>Let me see.</think>{VALID_TEXT}", "stop"),
        ("refusal", "I can't help with that.", "stop"),
        ("filtered", "", "content_filter"),
        ("empty", "", "stop"),
        ("truncated", VALID_TEXT[:20], "length"),
        ("nan", '{"action": "rebalance", "allocations": {"BTCUSDT": NaN}}', "stop"),
    ],
)
def test_what_was_said_is_given_back_verbatim_whatever_it_is(
    provider: Provider, model: str, text: str, finish_reason: str
) -> None:
    said = asked(provider, f"openai/{model}")
    assert (said.text, said.finish_reason, said.usage) == (text, finish_reason, COUNTED)


def test_a_provider_that_refuses_because_there_is_no_key_lets_the_variable_be_named(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISTRAL_API_KEY")  # litellm asks Mistral all the same
    failed = failure(provider, "mistral/key_refused")
    assert (failed.error_class, failed.was_sent, failed.status) == (ErrorClass.KEY_REFUSED, True, 401)
    assert failed.detail == "MISTRAL_API_KEY is not set where the runner runs"


DIALECTS = [
    *((provider, "/v1", "stop") for provider in ("openai", "openrouter", "deepseek", "mistral", "groq", "hosted_vllm")),
    ("anthropic", "", "end_turn"),
    ("gemini", "/v1", "STOP"),
    ("ollama", "", "stop"),
    ("ollama_chat", "", "stop"),
]


@pytest.mark.parametrize(("dialect", "base", "good"), DIALECTS)
def test_how_an_answer_ended_is_told_in_the_providers_own_word(
    provider: Provider, dialect: str, base: str, good: str
) -> None:
    told = [
        asked(provider, f"{dialect}/ends_{finish}", api_base=provider.url + base).finish_reason for finish in ENDINGS
    ]
    assert told == list(ENDINGS)
    assert not any(is_whole(word, "text") for word in told)
    whole = asked(provider, f"{dialect}/valid", api_base=provider.url + base)
    assert (whole.text, whole.finish_reason, whole.status) == (VALID_TEXT, good, 200)
    assert is_whole(whole.finish_reason, "text")


@pytest.mark.parametrize(("dialect", "base", "good"), DIALECTS)
def test_an_answer_that_does_not_say_how_it_ended_is_not_a_whole_one(
    provider: Provider, dialect: str, base: str, good: str
) -> None:
    try:
        said = asked(provider, f"{dialect}/ends_not", api_base=provider.url + base)
    except CallFailed as failed:  # litellm reads no answer of Anthropic's without its ending
        assert (dialect, failed.error_class) == ("anthropic", ErrorClass.MALFORMED)  # noqa: PT017
    else:
        assert (said.text, said.finish_reason, is_whole("", "text")) == (VALID_TEXT, "", False)


def test_a_whole_answer_that_the_library_cannot_read_is_read_as_it_came(provider: Provider) -> None:
    # litellm looks for a service tier in every answer of Groq's.
    said = asked(provider, "groq/valid")
    assert (said.text, said.usage, said.returned_model) == (VALID_TEXT, COUNTED, RETURNED_MODEL)


def test_an_answer_that_nobody_can_read_tells_at_least_what_it_used(provider: Provider) -> None:
    failed = failure(provider, "openai/no_choices")
    assert (failed.error_class, failed.usage, failed.usage_raw) == (ErrorClass.MALFORMED, COUNTED, USAGE)
    assert failure(provider, "openai/server_error").usage is None


def test_the_model_that_answered_is_told_even_if_another_was_asked(provider: Provider) -> None:
    assert asked(provider, "openai/other_model").returned_model == "somebody-else"


@pytest.mark.parametrize(
    ("model", "reported"),
    [
        ("missing", {}),
        ("negative", {**USAGE, "completion_tokens": -5}),
        ("absurd", {**USAGE, "prompt_tokens": 2_000_000_000}),
        ("reasoning_absurd", {**USAGE, "completion_tokens_details": {"reasoning_tokens": 9_000}}),
        ("nan", {**USAGE, "prompt_tokens": "NaN"}),
        ("text", {**USAGE, "prompt_tokens": "many"}),
        ("list", {"usage": [1, 2]}),
    ],
)
def test_usage_that_cannot_be_true_is_none_and_what_was_reported_is_kept(
    provider: Provider, model: str, reported: dict[str, Any]
) -> None:
    said = asked(provider, f"openai/usage_{model}")
    assert (said.text, said.usage, said.usage_raw) == (VALID_TEXT, None, reported)


def test_a_report_of_usage_without_end_is_not_kept(provider: Provider) -> None:
    assert asked(provider, "openai/usage_huge").usage_raw == {"left_out": f"more than {USAGE_RAW_BYTES_MAX} bytes"}


@pytest.mark.parametrize(
    ("model", "error_class", "status"),
    [
        ("bad_request", ErrorClass.BAD_REQUEST, 400),
        ("unprocessable", ErrorClass.BAD_REQUEST, 422),
        ("context", ErrorClass.CONTEXT_TOO_LONG, 400),
        ("policy", ErrorClass.CONTENT_REFUSED, 400),
        ("key_refused", ErrorClass.KEY_REFUSED, 401),
        ("no_credit", ErrorClass.KEY_REFUSED, 402),
        ("model_unknown", ErrorClass.MODEL_UNKNOWN, 404),
        ("rate_limited", ErrorClass.RATE_LIMITED, 429),
        ("server_error", ErrorClass.SERVER_ERROR, 500),
        ("overloaded", ErrorClass.SERVER_ERROR, 529),
        ("error_under_200", ErrorClass.RATE_LIMITED, 429),
        ("error_502_under_200", ErrorClass.SERVER_ERROR, 502),
        ("error_in_words", ErrorClass.MALFORMED, 200),
        ("broken_off", ErrorClass.SERVER_ERROR, 200),
        ("broken_off_429", ErrorClass.RATE_LIMITED, 200),
        ("redirect", ErrorClass.BAD_REQUEST, 307),
        ("reset", ErrorClass.CONNECTION, 200),
        ("ten_mb", ErrorClass.TOO_LARGE, 200),
        ("ten_mb_chunked", ErrorClass.TOO_LARGE, 200),
        ("bomb", ErrorClass.MALFORMED, 200),
        ("html", ErrorClass.MALFORMED, 200),
        ("deep", ErrorClass.MALFORMED, 200),
        ("binary", ErrorClass.MALFORMED, 200),
        ("json_text", ErrorClass.MALFORMED, 200),
        ("no_choices", ErrorClass.MALFORMED, 200),
        ("no_content", ErrorClass.MALFORMED, 204),
        ("no_http", ErrorClass.MALFORMED, None),
    ],
)
def test_every_failure_has_its_class_and_costs_exactly_one_request(
    provider: Provider, model: str, error_class: ErrorClass, status: int | None
) -> None:
    before = len(provider.requests)
    failed = failure(provider, f"openai/{model}")
    assert (failed.error_class, failed.status, len(provider.requests) - before) == (error_class, status, 1)
    assert failed.__context__ is None
    assert failed.args == (error_class.value,)


@pytest.mark.parametrize("model", ["hang", "drip"])
def test_a_provider_without_end_is_left_when_the_time_is_up(provider: Provider, model: str) -> None:
    assert failure(provider, f"openai/{model}", timeout_s=0.3).error_class == ErrorClass.TIMEOUT


def test_nobody_there_is_a_connection_failure() -> None:
    with running_provider() as gone:
        pass
    failed = failure(gone, "openai/valid")
    assert (failed.error_class, failed.was_sent) == (ErrorClass.CONNECTION, False)


def test_a_name_that_cannot_be_looked_up_is_a_connection_failure_with_nothing_sent() -> None:
    host = "x" * 64  # longer than a name may be, so that the lookup fails without asking anybody
    base = f"http://{host}:9/v1"
    addresses = AllowedAddresses.of([base], [host])
    with pytest.raises(CallFailed) as caught:
        asyncio.run(complete(call_of("openai/valid", base), timeout_s=20, supports_schema=False, addresses=addresses))
    assert (caught.value.error_class, caught.value.was_sent) == (ErrorClass.CONNECTION, False)


@pytest.mark.parametrize("model", ["hang", "drip", "reset", "server_error", "rate_limited", "no_http", "key_refused"])
def test_what_reached_a_provider_was_sent_whatever_became_of_it(provider: Provider, model: str) -> None:
    assert failure(provider, f"openai/{model}", timeout_s=1).was_sent


@pytest.mark.parametrize("name", ["OPENAI", "ANTHROPIC"])
def test_without_its_key_a_provider_is_not_asked_and_the_variable_is_named(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(f"{name}_API_KEY")
    before = len(provider.requests)
    failed = failure(provider, f"{name.lower()}/valid")
    assert (failed.error_class, failed.was_sent, failed.status) == (ErrorClass.KEY_REFUSED, False, None)
    assert failed.detail == f"{name}_API_KEY is not set where the runner runs"
    assert len(provider.requests) == before


@pytest.mark.parametrize("model", ["anthropic/reset", "openrouter/reset", "ollama/reset"])
def test_litellms_own_second_try_after_a_broken_connection_is_not_let_out(provider: Provider, model: str) -> None:
    before = len(provider.requests)
    assert failure(provider, model).error_class == ErrorClass.CONNECTION
    assert len(provider.requests) - before == 1


def test_how_long_to_wait_is_read_from_the_header(provider: Provider) -> None:
    assert failure(provider, "openai/rate_limited").retry_after_s == 7
    assert (failure(provider, "openai/rate_limited_until").retry_after_s or 0) > 1_000_000
    assert failure(provider, "openai/server_error").retry_after_s is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("1.5", 1.5),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("-5", None),
        ("nan", None),
        ("1e9", None),
        ("soon", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_to_wait_is_seconds_or_a_date_and_anything_else_is_none(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_s(header, datetime(2026, 10, 21, 7, 28, tzinfo=UTC)) == seconds


def test_only_what_is_set_is_sent_and_told_to_be_in_effect(provider: Provider) -> None:
    bare = asked(provider, "openai/valid")
    assert provider.requests[-1].body.keys() == {"model", "messages", "max_tokens"}
    assert bare.parameters == {"strategy": "text", "max_output_tokens": 64}
    full = asked(provider, "openai/gpt-5-mini", seed=7, effort="low", reply_schema=SCHEMA)
    sent = provider.requests[-1].body
    assert (sent["seed"], sent["reasoning_effort"], sent["max_completion_tokens"]) == (7, "low", 64)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert full.parameters == {"strategy": "json_schema", "seed": 7, "effort": "low", "max_output_tokens": 64}


def test_a_parameter_the_model_does_not_take_is_told_to_be_dropped(provider: Provider) -> None:
    said = asked(provider, "openai/gpt-5-mini", temperature=0.3)
    assert "temperature" not in provider.requests[-1].body
    assert said.parameters["dropped"] == ["temperature"]
    assert "temperature" not in said.parameters


def test_a_schema_is_sent_only_where_the_model_is_said_to_take_one(provider: Provider) -> None:
    said = asked(provider, "openai/valid", supports_schema=False, reply_schema=SCHEMA)
    assert "response_format" not in provider.requests[-1].body
    assert said.parameters["strategy"] == "text"


@pytest.mark.parametrize(
    ("model", "base", "path", "usage"),
    [
        ("openrouter/some/model", "/v1", "/v1/chat/completions", COUNTED),
        ("hosted_vllm/mine", "/v1", "/v1/chat/completions", COUNTED),
        ("anthropic/claude-sonnet-4-5", "", "/v1/messages", Usage(prompt=14, completion=8, cached=4)),
        (
            "gemini/gemini-2.5-pro",
            "/v1",
            "/v1/models/gemini-2.5-pro:generateContent",
            Usage(prompt=10, completion=8, reasoning=3),
        ),
        ("ollama/llama3", "", "/api/generate", Usage(prompt=10, completion=8)),
        ("ollama_chat/llama3", "", "/api/chat", Usage(prompt=10, completion=8)),
    ],
)
def test_other_dialects_go_out_by_the_same_door(
    provider: Provider, model: str, base: str, path: str, usage: Usage
) -> None:
    before = len(provider.requests)
    said = asked(provider, model, reply_schema=SCHEMA, api_base=provider.url + base)
    assert [request.path for request in provider.requests[before:]] == [path]
    assert (said.text, said.usage, said.returned_model) == (VALID_TEXT, usage, RETURNED_MODEL)
    assert said.parameters["strategy"] == "json_schema"
