"""By which doors a call may leave: listed addresses, known providers, and the scripted models behind none."""

import asyncio
import importlib
from decimal import Decimal

import pytest

from agents.core.addresses import AllowedAddresses
from agents.core.calls import ErrorClass, ModelCall, Usage
from agents.core.offline import offline_answer
from agents.core.prompts import single_messages
from agents.core.said import CallFailed, Said
from agents.llm_environment import prepare
from tests.agents.llm_calls import addresses_of, asked, call_of, complete, failure
from tests.agents.provider import Provider
from tests.notation import content

# litellm's own, when it first meets a provider; the process that makes calls ignores it, pytest would make it an error.
pytestmark = [
    pytest.mark.usefixtures("keys"),
    pytest.mark.filterwarnings("ignore:Items? '.*ReadOnly:UserWarning"),
]


def test_an_address_that_is_not_listed_is_refused_before_anything_is_sent(provider: Provider) -> None:
    before = len(provider.requests)
    for addresses in (AllowedAddresses(), AllowedAddresses.of([provider.url])):
        with pytest.raises(CallFailed) as caught:
            call = call_of("openai/valid", provider.api_base)
            asyncio.run(complete(call, timeout_s=5, supports_schema=False, addresses=addresses))
        assert caught.value.error_class == ErrorClass.ADDRESS_REFUSED
    assert len(provider.requests) == before


def test_a_name_that_resolves_to_a_private_machine_is_refused_at_the_moment_of_connecting(provider: Provider) -> None:
    before, api_base = len(provider.requests), f"http://localhost:{provider.port}/v1"
    for private_hosts, expected in (((), ErrorClass.ADDRESS_REFUSED), (("localhost",), None)):
        addresses = AllowedAddresses.of([api_base], private_hosts)
        try:
            asyncio.run(
                complete(call_of("openai/valid", api_base), timeout_s=5, supports_schema=False, addresses=addresses)
            )
            outcome = None
        except CallFailed as failed:
            outcome = failed.error_class
        assert outcome == expected
    assert len(provider.requests) - before == 1


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_an_address_in_the_environment_is_no_way_around_the_list(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    importlib.import_module("agents.llm")  # which clears the environment: one that is set before is gone by then
    before = len(provider.requests)
    monkeypatch.setenv(name, provider.api_base)
    with pytest.raises(CallFailed) as caught:
        call = call_of("openai/valid", None)
        asyncio.run(complete(call, timeout_s=5, supports_schema=False, addresses=AllowedAddresses()))
    assert (caught.value.error_class, len(provider.requests)) == (ErrorClass.ADDRESS_REFUSED, before)


def test_the_environment_is_cleared_of_addresses_and_of_talk_before_litellm_reads_it() -> None:
    environ = {
        "GROQ_API_BASE": "https://x",
        "ANTHROPIC_BASE_URL": "https://x",
        "LITELLM_LOG": "DEBUG",
        "GROQ_API_KEY": "k",
    }
    prepare(environ)
    assert environ["GROQ_API_KEY"] == "k"
    assert environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert environ.keys().isdisjoint({"GROQ_API_BASE", "ANTHROPIC_BASE_URL", "LITELLM_LOG"})


@pytest.mark.parametrize("model", ["nobody/knows", "offline/nobody"])
def test_a_model_of_no_known_provider_is_unknown_and_nothing_is_sent(provider: Provider, model: str) -> None:
    failed = failure(provider, model)
    assert (failed.error_class, failed.was_sent) == (ErrorClass.MODEL_UNKNOWN, False)


def test_facts_come_from_the_local_list_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    from agents.llm import PRICE_MAP_VERSION, facts_of

    sonnet, mini = facts_of("anthropic/claude-sonnet-4-5"), facts_of("openai/gpt-4o-mini")
    assert (sonnet.prompt_usd, sonnet.completion_usd, sonnet.cached_usd) == (Decimal(3), Decimal(15), Decimal("0.3"))
    assert (sonnet.known, sonnet.supports_schema, sonnet.key_variables) == (True, True, ("ANTHROPIC_API_KEY",))
    assert (mini.prompt_usd, mini.max_output_tokens, mini.key_variables) == (Decimal("0.15"), 16_384, ())
    assert not facts_of("openai/nobody-knows").known
    assert not facts_of("nobody/knows").known
    assert facts_of("ollama/llama-of-mine").key_variables == ()
    assert facts_of("offline/steady").prompt_usd == 0
    assert PRICE_MAP_VERSION.startswith("litellm 1.")


def test_an_offline_model_answers_through_litellm_from_the_messages_alone(provider: Provider) -> None:
    before = len(provider.requests)
    said = asked(provider, "offline/steady", api_base=None, seed=7, temperature=0.5)
    assert (said.text, said.finish_reason) == ("offline/steady is here, and simulated.", "stop")
    assert said.usage == Usage(prompt=(11 + 3) // 4 + (15 + 3) // 4, completion=(38 + 3) // 4)
    assert said.usage_raw == {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17}
    assert said.parameters == {"strategy": "text", "seed": 7, "dropped": ["max_output_tokens", "temperature"]}
    assert len(provider.requests) == before


def test_an_offline_model_answers_a_whole_question_as_it_would_out_of_litellms_hands(provider: Provider) -> None:
    question = single_messages(content("BTC change_7d 0.05, ETH change_7d 0.1"), (), "")
    call = ModelCall(role="single", model="offline/swinger", messages=question, max_output_tokens=500, seed=3)
    said = asyncio.run(complete(call, timeout_s=20, supports_schema=True, addresses=AllowedAddresses()))
    assert said.text == offline_answer("offline/swinger", question, 3).text
    assert "ETHUSDT" in said.text


def test_an_offline_model_that_is_late_never_answers() -> None:
    question = single_messages(content("BTC change_7d 0.05"), (), "")
    seed = next(seed for seed in range(100) if offline_answer("offline/latecomer", question, seed).late)
    call = ModelCall(role="single", model="offline/latecomer", messages=question, max_output_tokens=500, seed=seed)
    with pytest.raises(CallFailed) as caught:
        asyncio.run(complete(call, timeout_s=0.2, supports_schema=False, addresses=AllowedAddresses()))
    assert caught.value.error_class == ErrorClass.TIMEOUT


def test_calls_at_the_same_time_keep_their_answers_apart(provider: Provider) -> None:
    names = [f"speaker-{number}" for number in range(8)]
    for name in names:
        provider.says(name, name)
    addresses = addresses_of(provider)

    async def ask(name: str) -> Said:
        call = call_of(f"openai/{name}", provider.api_base)
        return await complete(call, timeout_s=20, supports_schema=False, addresses=addresses)

    async def ask_all() -> list[Said]:
        return await asyncio.gather(*map(ask, names))

    assert [said.text for said in asyncio.run(ask_all())] == names
