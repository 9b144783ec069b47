"""What a provider's JSON says, read without trust: tokens by kind, and the parameters it was really sent."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from agents.core.calls import ModelCall, Usage
from agents.core.pricing import prompt_tokens_bound
from agents.core.text import storable

USAGE_RAW_BYTES_MAX = 4_096
USAGE_NAMES = ("usage", "usageMetadata")

# Where a request keeps each parameter, by provider: names in small letters without underscores.
NAMES_ON_THE_WIRE: Mapping[str, frozenset[str]] = {
    "temperature": frozenset({"temperature"}),
    "seed": frozenset({"seed", "randomseed"}),
    "effort": frozenset({"reasoningeffort", "reasoning", "effort", "thinking", "thinkingconfig", "think"}),
    "max_output_tokens": frozenset({"maxtokens", "maxcompletiontokens", "maxoutputtokens", "numpredict"}),
}
SCHEMA_NAMES = frozenset({"responseformat", "responseschema", "responsejsonschema", "outputformat", "format"})
CONTENT_NAMES = frozenset({"messages", "contents", "input", "prompt", "system", "systeminstruction", "tools"})


def json_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`, fit to be kept: NaN and infinities as text. None when it is anything else."""
    try:
        found = json.loads(data, parse_constant=str, parse_float=_finite_or_text)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError; deep nesting ends in RecursionError
        return None
    return found if isinstance(found, dict) else None


def _finite_or_text(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def usage_raw_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider reported about tokens, unread; empty when it said nothing, a remark when it said too much."""
    raw = next((body[name] for name in USAGE_NAMES if body.get(name)), None)
    if raw is None:
        raw = {name: body[name] for name in ("prompt_eval_count", "eval_count") if name in body}  # Ollama
    if not isinstance(raw, Mapping):
        raw = {"usage": raw}
    if not _fits(raw):
        return {"left_out": f"more than {USAGE_RAW_BYTES_MAX} bytes"}
    return {storable(str(name)): _storable_within(value) for name, value in raw.items()}


def _fits(raw: Mapping[str, Any]) -> bool:
    try:
        return len(json.dumps(raw).encode()) <= USAGE_RAW_BYTES_MAX
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return False


def _storable_within(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): _storable_within(inner) for name, inner in value.items()}
    return [_storable_within(inner) for inner in value] if isinstance(value, list) else value


def numbers_only(usage: Any) -> bool:
    """Whether a report of tokens can be read as one: whole, not negative numbers (or none) wherever one is given."""
    if isinstance(usage, Mapping):
        return all(
            numbers_only(value)
            for name, value in usage.items()
            if isinstance(value, Mapping) or "token" in str(name).lower()
        )
    return usage is None or (isinstance(usage, int) and not isinstance(usage, bool) and usage >= 0)


def usage_of(counts: Mapping[str, Any], call: ModelCall) -> Usage | None:
    """Tokens by kind from `prompt`, `completion`, `reasoning`, `cached`; None where they cannot be true for this call.

    Possible is what was reserved for it: no more prompt than its bytes allow, no more completion than was asked for.
    """
    kinds = {kind: counts.get(kind) or 0 for kind in ("prompt", "completion", "reasoning", "cached")}
    if not numbers_only({f"{kind}_tokens": value for kind, value in kinds.items()}) or not kinds["prompt"]:
        return None
    schema = len(str(call.reply_schema).encode()) if call.reply_schema else 0
    possible = (
        kinds["prompt"] <= prompt_tokens_bound(call.messages) + schema
        and kinds["completion"] <= call.max_output_tokens
        and kinds["reasoning"] <= kinds["completion"]
        and kinds["cached"] <= kinds["prompt"]
    )
    return Usage(**kinds) if possible else None


def parameters_in_effect(call: ModelCall, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Which of the call's parameters its request really carried; `dropped` names those it did not.

    A provider may still ignore what it was sent; no reply says so.
    """
    names = set(_names_within(sent))
    asked = {name: getattr(call, name) for name in NAMES_ON_THE_WIRE if getattr(call, name) is not None}
    effective = {name: value for name, value in asked.items() if names & NAMES_ON_THE_WIRE[name]}
    strategy = "json_schema" if names & SCHEMA_NAMES else "tool" if "tools" in names else "text"
    dropped = sorted(asked.keys() - effective.keys())
    return {"strategy": strategy, **effective, **({"dropped": dropped} if dropped else {})}


def _names_within(value: Any) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        plain = str(name).lower().replace("_", "")
        if inner is not None:
            yield plain
        if plain not in CONTENT_NAMES | SCHEMA_NAMES:
            yield from _names_within(inner)
