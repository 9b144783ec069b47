"""The one home of litellm: one call to one model, sent once, with nothing of the library's own will left in it.

No retries, no fallbacks, no streaming, no callbacks, no telemetry, no network at import, no logging. Importing this
costs seconds and far over a hundred MiB, so only the process that makes calls does it.
"""

import asyncio
import logging
import os
import re
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import httpx

from agents.core.addresses import AllowedAddresses
from agents.core.calls import ErrorClass, Message, ModelCall
from agents.core.offline import UnknownOfflineModel, offline_answer
from agents.core.provider_json import parameters_in_effect, usage_of
from agents.core.providers import KEY_VARIABLES
from agents.core.redaction import redact, redact_within, secrets_of
from agents.core.said import CallFailed, ModelFacts, Said
from agents.core.text import storable
from agents.core.wire_answer import counts_of, ending_of, text_of
from agents.llm_environment import is_address, prepare
from agents.llm_errors import error_class_of, retry_after_s
from agents.llm_transport import SENDING, NothingCame, OneRequest, Sending

prepare(os.environ)

import litellm  # noqa: E402
import openai.resources  # noqa: E402, F401  litellm would import it in the first call, a second into its time
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler  # noqa: E402
from litellm.llms.custom_llm import CustomLLM  # noqa: E402

__all__ = ["PRICE_MAP_VERSION", "CallFailed", "ModelFacts", "Said", "complete", "facts_of"]

PRICE_MAP_VERSION = f"litellm {version('litellm')}"
OFFLINE = "offline"
SCHEMA_NAME = "reply"


async def complete(call: ModelCall, *, timeout_s: float, supports_schema: bool, addresses: AllowedAddresses) -> Said:
    """Ask once. Raises `CallFailed` for everything that is not an answer; a refusal in words is an answer.

    The time is kept by cancelling, which a library that blocks does not feel: the caller must be ready to kill.
    """
    if addresses.refusal_of(call.api_base):
        raise CallFailed(ErrorClass.ADDRESS_REFUSED, was_sent=False)
    if not _provider_is_known(call.model):
        raise CallFailed(ErrorClass.MODEL_UNKNOWN, was_sent=False)
    sending = Sending(addresses, call.api_base, secrets_of(os.environ))
    answer = await _answer(call, timeout_s, supports_schema, sending)
    outcome = answer if isinstance(answer, ErrorClass) else _said(call, answer, sending)
    if isinstance(outcome, Said):
        return outcome
    # Raised here, outside of every handler: no exception with a provider's words hangs on to it.
    raise _failed(call, outcome, sending)


def _failed(call: ModelCall, error_class: ErrorClass, sending: Sending) -> CallFailed:
    provider = call.model.partition("/")[0]
    # Of a provider on our list it is known that it has no way out but our transport.
    was_sent = sending.left or (not sending.sent and provider not in KEY_VARIABLES)
    unset = [name for name in KEY_VARIABLES.get(provider, ()) if not os.environ.get(name, "").strip()]
    # The library says of some that they have no key, and of others nothing that could be told from a fault.
    is_keyless = bool(unset) and error_class in (ErrorClass.KEY_REFUSED, *(() if was_sent else (ErrorClass.UNKNOWN,)))
    return CallFailed(
        ErrorClass.KEY_REFUSED if is_keyless else error_class,
        sending.status,
        retry_after_s(sending.headers.get("retry-after"), datetime.now(UTC)),
        _request_id(sending),
        was_sent=was_sent,
        detail=f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set where the runner runs"
        if is_keyless
        else "",
        usage=usage_of(counts_of(sending.usage_raw), call),
        usage_raw=redact_within(sending.usage_raw, sending.secrets),
    )


async def _answer(call: ModelCall, timeout_s: float, supports_schema: bool, sending: Sending) -> Any:
    """What the library makes of the provider's answer, or the `ErrorClass` of why there is none.

    The answer as it came, a dict in OpenAI's dialect, where the library can make nothing of it.
    """
    token = SENDING.set(sending)
    try:
        async with asyncio.timeout(timeout_s):
            answer = await litellm.acompletion(**_arguments(call, timeout_s, supports_schema))
    except TimeoutError:
        return ErrorClass.TIMEOUT
    except Exception as error:
        if sending.failure is None and sending.status == 200 and text_of(sending.body) is not None:
            return sending.body  # a whole answer, which the library failed to read
        return sending.failure or error_class_of(error, sending.status, _error_code(sending.body))
    finally:
        SENDING.reset(token)
    if not sending.body:  # it did not come through our transport: it was fetched by ways nobody has checked
        sending.left = True
        return ErrorClass.UNKNOWN
    return answer


def _arguments(call: ModelCall, timeout_s: float, supports_schema: bool) -> dict[str, Any]:
    given: dict[str, Any] = {"seed": call.seed, "temperature": call.temperature, "reasoning_effort": call.effort}
    if supports_schema and call.reply_schema:
        schema = {"name": SCHEMA_NAME, "schema": dict(call.reply_schema)}
        given["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {
        "model": call.model,
        "messages": [message.model_dump() for message in call.messages],
        "max_tokens": call.max_output_tokens,
        "api_base": call.api_base,
        "timeout": timeout_s,
        "stream": False,
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": True,  # what a model does not take is left out, and recorded as left out
        **{name: value for name, value in given.items() if value is not None},
    }


def _said(call: ModelCall, answer: Any, sending: Sending) -> Said | ErrorClass:
    is_read = isinstance(answer, litellm.ModelResponse) and bool(answer.choices)
    if not is_read and answer is not sending.body:
        return ErrorClass.MALFORMED
    verbatim = text_of(sending.body)
    returned = sending.body.get("model") or sending.body.get("modelVersion") or getattr(answer, "model", "")
    counts = _counts(answer) if is_read else counts_of(sending.usage_raw)

    def kept(text: Any) -> str:
        return storable(redact(str(text or ""), sending.secrets))

    return Said(
        text=kept(verbatim or (answer.choices[0].message.content if is_read else "")),
        returned_model=kept(returned)[:200],
        finish_reason=kept(ending_of(sending.body))[:40],
        usage=usage_of(counts, call) if sending.usage_raw else None,
        usage_raw=redact_within(sending.usage_raw, sending.secrets),
        provider_request_id=_request_id(sending),
        parameters=parameters_in_effect(call, sending.request),
        status=sending.status,
    )


def _error_code(body: dict[str, Any]) -> Any:
    error = body.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _counts(answer: Any) -> dict[str, Any]:
    usage = getattr(answer, "usage", None)
    return {
        "prompt": getattr(usage, "prompt_tokens", None),
        "completion": getattr(usage, "completion_tokens", None),
        "reasoning": getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", None),
        "cached": getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None),
    }


def _request_id(sending: Sending) -> str:
    headers = sending.headers
    found = str(headers.get("x-request-id") or headers.get("request-id") or sending.body.get("id") or "")
    is_plain = re.fullmatch(r"[\w.:/+=-]{1,200}", found, flags=re.ASCII) and redact(found, sending.secrets) == found
    return found if is_plain else ""


def _provider_is_known(model: str) -> bool:
    try:
        litellm.get_llm_provider(model=model)
    except litellm.exceptions.BadRequestError:
        return False
    return True


def facts_of(model: str) -> ModelFacts:
    """What is known of a model without asking anybody: litellm's local list, and which keys are not set."""
    if model.startswith(f"{OFFLINE}/"):
        return _offline_facts(model)
    if not _provider_is_known(model):
        return ModelFacts(known=False)
    missing = litellm.validate_environment(model=model).get("missing_keys", [])
    keys = tuple(name for name in missing if not is_address(name))
    row = _row_of(model)
    if row is None:
        return ModelFacts(known=False, key_variables=keys)
    cached = _per_million(row.get("cache_read_input_token_cost"))
    prompt = _per_million(row.get("input_cost_per_token"))
    return ModelFacts(
        known=True,
        supports_schema=bool(row.get("supports_response_schema")),
        prompt_usd=prompt,
        completion_usd=_per_million(row.get("output_cost_per_token")),
        cached_usd=prompt if cached is None else cached,
        key_variables=keys,
        max_output_tokens=row.get("max_output_tokens"),
    )


def _offline_facts(model: str) -> ModelFacts:
    try:
        offline_answer(model, (), 0)
    except UnknownOfflineModel:
        return ModelFacts(known=False)
    return ModelFacts(True, False, Decimal(0), Decimal(0), Decimal(0))


def _row_of(model: str) -> dict[str, Any] | None:
    provider, _, name = model.partition("/")
    if model in litellm.model_cost:
        return dict(litellm.model_cost[model])
    row = litellm.model_cost.get(name)
    return dict(row) if row and row.get("litellm_provider") == provider else None


def _per_million(usd: float | None) -> Decimal | None:
    return None if usd is None else Decimal(str(usd)) * 1_000_000


class OfflineProvider(CustomLLM):
    """The scripted models behind the same door as the real ones."""

    async def acompletion(self, *_: Any, **asked: Any) -> Any:
        """What litellm calls, with everything it knows by name."""
        sending = SENDING.get()
        if sending is None:
            raise NothingCame("Not the one request of a call.")
        model, seed = f"{OFFLINE}/{asked['model']}", asked["optional_params"].get("seed")
        messages = tuple(Message(role=told["role"], content=told["content"]) for told in asked["messages"])
        try:
            scripted = offline_answer(model, messages, seed or 0)
        except UnknownOfflineModel:
            sending.failure = ErrorClass.MODEL_UNKNOWN
            raise
        sending.left = True
        if scripted.late:
            await asyncio.Event().wait()  # for ever: whoever asked must give up
        # Made up, so that budgets and pages have something to count: a token for every four bytes.
        prompt = sum((len(message.content.encode()) + 3) // 4 for message in messages)
        completion = (len(scripted.text.encode()) + 3) // 4
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": scripted.text}}
        sending.request, sending.usage_raw = {"seed": seed}, dict(usage)
        sending.body = {"model": model, "choices": [choice]}
        return litellm.ModelResponse(model=model, choices=[choice], usage=usage)


class Closed(httpx.BaseTransport):
    """For the requests a library makes on the side, outside of the event loop: none is let out."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise NothingCame("Not the one request of a call.")


def _transport(ssl_context: Any = None, **_: Any) -> OneRequest:
    return OneRequest(ssl_context)  # what else litellm was told (to trust anybody, say) is not listened to


def _settle() -> None:
    """Put litellm's settings as this project needs them, once at import."""
    litellm.suppress_debug_info = True
    litellm.num_retries = 0
    litellm.disable_hf_tokenizer_download = True
    litellm.custom_provider_map = [{"provider": OFFLINE, "custom_handler": OfflineProvider()}]
    for place, name, ours in (
        (litellm, "sync_transport", Closed()),
        # The one function both of its kinds of asynchronous client take their transport from.
        (AsyncHTTPHandler, "create_async_transport", staticmethod(_transport)),
    ):
        setattr(place, name, ours)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai", "aiohttp"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.handlers.clear()
        logger.propagate = False
    # pydantic warns by quoting what a provider sent; a log is no place for that.
    warnings.filterwarnings("ignore", category=UserWarning, module="pydantic|litellm")
    with warnings.catch_warnings(action="ignore"):  # built here once, where it may warn, instead of in the first call
        litellm.ModelResponse()


_settle()
