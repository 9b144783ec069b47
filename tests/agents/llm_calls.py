"""Calls to one model through litellm itself, over real HTTP."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from agents.core.addresses import AllowedAddresses
from agents.core.calls import Message, ModelCall
from agents.core.said import CallFailed, Said
from tests.agents.provider import Provider


def complete(call: ModelCall, **how: Any) -> Coroutine[Any, Any, Said]:
    """`agents.llm.complete`. That takes five seconds to import, and every worker collects all tests: so not then."""
    from agents.llm import complete as put

    return put(call, **how)


def call_of(model: str, api_base: str | None, **more: Any) -> ModelCall:
    messages = (Message(role="system", content="You decide."), Message(role="user", content="What do you do?"))
    return ModelCall(
        role="single", model=model, messages=messages, api_base=api_base, **{"max_output_tokens": 64, **more}
    )


def addresses_of(provider: Provider) -> AllowedAddresses:
    return AllowedAddresses.of([provider.url], ["127.0.0.1"])


def asked(provider: Provider, model: str, timeout_s: float = 20, supports_schema: bool = True, **more: Any) -> Said:
    call = call_of(model, more.pop("api_base", provider.api_base), **more)
    return asyncio.run(
        complete(call, timeout_s=timeout_s, supports_schema=supports_schema, addresses=addresses_of(provider))
    )


def failure(provider: Provider, model: str, **more: Any) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        asked(provider, model, **more)
    return caught.value
