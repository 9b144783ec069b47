"""Records of calls, made fit to be sent and kept: no secret, nothing a database refuses, within a stated size."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.core.calls import ERROR_DETAIL_CHARACTERS_MAX, CallRecord, Message
from agents.core.redaction import NESTED_TOO_DEEPLY

DEPTH_MAX = 32
# Of texts whose length is up to a provider.
CHARACTERS_MAX = {
    "returned_model": 200,
    "finish_reason": 40,
    "error_detail": ERROR_DETAIL_CHARACTERS_MAX,
    "provider_request_id": 200,
}


def clean(value: Any, fix: Callable[[str], str], depth: int = DEPTH_MAX) -> Any:
    """A value as plain JSON: `fix` goes over every text and key, and what JSON cannot say becomes its type's name."""
    if isinstance(value, str):
        return fix(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if depth == 0:
        return NESTED_TOO_DEEPLY
    if isinstance(value, Mapping):
        return {fix(str(key)): clean(inner, fix, depth - 1) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [clean(inner, fix, depth - 1) for inner in value]
    return f"[{type(value).__name__}]"


def record_of(fields: Mapping[str, Any], fix: Callable[[str], str]) -> CallRecord:
    """A record from its fields as JSON has them, each text fixed first and only then cut to what is kept of it."""
    fixed: dict[str, Any] = clean(fields, fix)
    for name, characters in CHARACTERS_MAX.items():
        fixed[name] = fixed.get(name, "")[:characters]
    return CallRecord.model_validate(fixed)


def fit(records: Sequence[CallRecord], bytes_max: int) -> tuple[CallRecord, ...]:
    """The records within `bytes_max` of JSON: of the largest, texts give way to a note with their size and hash.

    Messages go first, then replies and what the provider reported, until it fits; figures are never cut.
    """
    kept, sizes = list(records), [_size(record) for record in records]
    for cut in (_without_messages, _without_reply):
        for index in sorted(range(len(kept)), key=lambda index: -sizes[index]):
            if sum(sizes) <= bytes_max:
                return tuple(kept)
            kept[index] = cut(kept[index])
            sizes[index] = _size(kept[index])
    return tuple(kept)


def cut_note(text: str) -> str:
    """What stands where a text was cut."""
    content = text.encode()
    return f"[cut: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}]"


def _size(record: CallRecord) -> int:
    return len(record.model_dump_json().encode()) + 1  # and the comma


def _without_messages(record: CallRecord) -> CallRecord:
    noted = (Message(role=message.role, content=_shorter(message.content)) for message in record.messages)
    return record.model_copy(update={"messages": tuple(noted)})


def _without_reply(record: CallRecord) -> CallRecord:
    changes: dict[str, Any] = {"reply": _shorter(record.reply)}
    for name in ("parameters", "usage_raw"):
        text = str(getattr(record, name))
        if len(text) > len(cut_note(text)):
            changes[name] = {"cut": cut_note(text)}
    return record.model_copy(update=changes)


def _shorter(text: str) -> str:
    note = cut_note(text)
    return note if len(note) < len(text) else text
