"""Asks a provider at the address given, once for every behaviour given, and shows everything anybody could see of it.

First it shows what the home of litellm reached for while it was imported and asked for facts.

Run as a process with a planted key in its environment: what it prints, and what it does not, is what the test looks at.
"""

import asyncio
import io
import logging
import sys
import traceback
from typing import Any

from agents.core.addresses import AllowedAddresses
from agents.core.calls import Message, ModelCall

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname")
reached_for: list[tuple[str, Any]] = []
sys.addaudithook(lambda event, arguments: reached_for.append((event, arguments)) if event in NETWORK else None)

from agents.llm import CallFailed, complete, facts_of  # noqa: E402


def every_word_of(error: BaseException | None) -> str:
    """An exception in every way it can be written, with whatever hangs on to it."""
    told = io.StringIO()
    while error is not None:
        print(error, repr(error), error.args, vars(error), "".join(traceback.format_exception(error)), file=told)
        error = error.__cause__ or error.__context__
    return told.getvalue()


async def ask_all(url: str, models: list[str]) -> None:
    addresses = AllowedAddresses.of([url], ["127.0.0.1"])
    for model in models:
        base = url if model.startswith(("anthropic/", "ollama/")) else f"{url}/v1"
        messages = (Message(role="user", content="What do you do?"),)
        call = ModelCall(role="single", model=model, messages=messages, max_output_tokens=64, api_base=base)
        try:
            told = repr(await complete(call, timeout_s=1, supports_schema=True, addresses=addresses))
        except CallFailed as failed:
            told = every_word_of(failed)
        sys.stdout.write(f"{model} {told}\n")
    await asyncio.sleep(0)


if __name__ == "__main__":
    known = [facts_of(model).known for model in ("anthropic/claude-sonnet-4-5", "ollama/mine")]
    sys.stdout.write(f"known {known}, reached for {reached_for}\n")
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    asyncio.run(ask_all(sys.argv[1], sys.argv[2:]), debug=True)
