"""What the body of a provider's answer says by itself: how it ended, its text, its error, its tokens.

A library that speaks for many providers puts their words into its own, and takes an ending that it does not know for
a good one. Whether a reply is whole is therefore read here, from the provider's own word.
"""

from collections.abc import Mapping
from typing import Any

# A provider that says one of these has nothing more to say. In small letters: Gemini and Cohere write large ones.
WHOLE = frozenset({"stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed", "done"})
# Whole only for a model whose form was given to it as a tool: another one wanted to go on after that.
WHOLE_BY_TOOL = frozenset({"tool_calls", "tool_use", "function_call"})
# Where the one ending stands: beside the answer (Anthropic, Bedrock, Cohere, Ollama), or inside its first alternative.
BESIDE = ("stop_reason", "stopReason", "finish_reason", "done_reason")
ANSWERS = frozenset({"choices", "candidates", "content", "message", "response", "output"})
UNNAMED_ERROR = "unnamed"


def ending_of(body: Mapping[str, Any]) -> str:
    """The provider's own word for why its answer ended; empty when there is none.

    All dialects give one. Only an old Ollama has none but `done: true`, and OpenAI's newer one calls it `status`.
    """
    if "choices" in body:
        named = [_first(body, "choices").get("finish_reason")]
    elif "candidates" in body:
        named = [_first(body, "candidates").get("finishReason")]
    else:
        named = [body.get(name) for name in BESIDE]
        named += [body.get("status")] if "output" in body else []
        named += ["done"] if body.get("done") is True else []
    return next((word for word in named if isinstance(word, str) and word), "")


def is_whole(ending: str, strategy: str) -> bool:
    """Whether an answer that ended so may count; `strategy` says by what its form was asked for.

    Only an ending known to be good will do: cut at a limit, filtered, broken off, unheard of or none at all will not.
    """
    word = ending.lower()
    return word in WHOLE or (strategy == "tool" and word in WHOLE_BY_TOOL)


def text_of(body: Mapping[str, Any]) -> str | None:
    """The reply as the provider wrote it, where it speaks OpenAI's dialect: litellm takes thinking out of it."""
    message = _first(body, "choices").get("message")
    text = (message.get("content") or message.get("refusal")) if isinstance(message, Mapping) else None
    return text if isinstance(text, str) else None


def error_of(body: Mapping[str, Any]) -> tuple[object, ...]:
    """By what a body names the error it is of, whatever its status: codes and types, the first the most exact.

    Gateways put a provider's error under a status of 200, beside its answer or in place of it. Empty without an error.
    """
    for error in (body.get("error"), _first(body, "choices").get("error")):
        if isinstance(error, Mapping):
            return (*(error[name] for name in ("code", "type", "status") if error.get(name)), UNNAMED_ERROR)
        if error:
            return (UNNAMED_ERROR,)
    return ()


def holds_answer(body: Mapping[str, Any]) -> bool:
    """Whether there is anything in a body that a model may have said."""
    return any(body.get(name) for name in ANSWERS)


def counts_of(usage_raw: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens by kind as a provider of any dialect reports them, unchecked; a kind that it does not report is None."""

    def first(*names: str) -> Any:
        return next((usage_raw[name] for name in names if usage_raw.get(name) is not None), None)

    def detail(of: str, name: str) -> Any:
        details = usage_raw.get(of)
        return details.get(name) if isinstance(details, Mapping) else None

    thoughts = usage_raw.get("thoughtsTokenCount")
    cached = usage_raw.get("cache_read_input_tokens")  # Anthropic counts these and those below beside the others
    prompt = first("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count")
    completion = first("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count")
    return {
        "prompt": _sum(prompt, cached, usage_raw.get("cache_creation_input_tokens")),
        "completion": _sum(completion, thoughts),
        "reasoning": thoughts if thoughts is not None else detail("completion_tokens_details", "reasoning_tokens"),
        "cached": cached if cached is not None else detail("prompt_tokens_details", "cached_tokens"),
    }


def _sum(count: Any, *more: Any) -> Any:
    """All together; what is no count is given back as it is, for whoever checks."""
    kinds = [kind for kind in (count, *more) if kind is not None]
    odd = [kind for kind in kinds if type(kind) is not int or kind < 0]
    return odd[0] if odd else sum(kinds) if kinds else None


def _first(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, Mapping) else {}
