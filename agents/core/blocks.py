"""Data inside a prompt: JSON on one line between two tags that nothing in the data can forge, cut to a stated size.

Whatever could end a block, start a line or hide from a reader is written as a JSON escape: same value, other letters.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from agents.core.calls import Message
from market.core.canonical import canonical_json

OBJECTION_BYTES_MAX = 400
OBJECTIONS_BYTES_MAX = 4_096
OBJECTIONS_MAX = 20
_NOTE_BYTES = 60  # of the sentence that says how much was cut
_BLOCK = re.compile(r'^<data name="(\w+)">\n(.*)\n</data>$', re.MULTILINE)


class Objection(Protocol):
    """What was wrong with a reply: which rule it broke, and how. A `Violation` is one."""

    @property
    def rule(self) -> str: ...
    @property
    def detail(self) -> str: ...


def encoded(value: Any) -> str:
    """The value as JSON of one line, without `<`, `>`, control characters or anything invisible."""
    text = canonical_json(value)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e")
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else json.dumps(sign)[1:-1]


def encoded_bytes(value: Any) -> int:
    """How many bytes of UTF-8 the value takes inside a block."""
    return len(encoded(value).encode())


def block(name: str, value: Any) -> str:
    """The value as a delimited block of a prompt."""
    return f'<data name="{name}">\n{encoded(value)}\n</data>'


def blocks_of(messages: Sequence[Message]) -> dict[str, Any]:
    """Every block of the user messages by name; of two with one name the later."""
    found = (_BLOCK.findall(message.content) for message in messages if message.role == "user")
    return {name: json.loads(text) for blocks in found for name, text in blocks}


def utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def cut(text: str, bytes_max: int, size: Callable[[str], int] = utf8_bytes) -> str:
    """The text, or as much of its beginning as fits with a note of how much is missing; `size` measures it."""
    if size(text) <= bytes_max:
        return text
    shortest, longest = 0, len(text)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if size(text[:middle]) <= bytes_max - _NOTE_BYTES:
            shortest = middle
        else:
            longest = middle - 1
    return f"{text[:shortest]} [cut here: {len(text) - shortest} more characters]"


def told(objections: Sequence[Objection]) -> Mapping[str, Any]:
    """The objections as a block's value: as many as fit, each cut to size, and how many were left out."""
    listed = [
        {
            "rule": cut(objection.rule, OBJECTION_BYTES_MAX, encoded_bytes),
            "detail": cut(objection.detail, OBJECTION_BYTES_MAX, encoded_bytes),
        }
        for objection in objections[:OBJECTIONS_MAX]
    ]
    while listed and encoded_bytes({"listed": listed, "left_out": len(objections)}) > OBJECTIONS_BYTES_MAX:
        listed.pop()
    return {"listed": listed, "left_out": len(objections) - len(listed)}


def objections_told(value: Mapping[str, Any]) -> list[str]:
    """The details of the objections in a block, one for each that was raised, also for those left out."""
    return [*(objection["detail"] for objection in value["listed"]), *[""] * value["left_out"]]
