"""Finding the one JSON object in a reply: peeling off what carries no information, and nothing more.

The reply is walked through once. Outermost brackets are matched with respect to strings; whatever breaks off, and
whatever leaves it open which object counts, is refused. So a draft in an unfinished thought can never become a trade.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

BYTE_ORDER_MARK = "\ufeff"
_CLOSING = {"{": "}", "[": "]"}
_THINKING_TAGS = ("think", "thinking")
_FENCE = re.compile(r"```")
# Beside an object these mean that a thought or another answer goes on there, and it is not clear which counts.
_SECOND_VOICE = re.compile(r"</?\s*(think|thinking|reasoning|analysis)\b|<\|channel|[｛｝［］]", re.IGNORECASE)
_FULL_WIDTH = dict(zip("｛｝［］：，\u3000", "{}[]:, ", strict=True))
_OBJECT_LIKE = re.compile(r"\{\s*[\"'}]")


class Unreadable(ValueError):
    """The reply holds no object that could be meant; the message says why."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The text of the one object, and what was peeled off around it."""

    text: str
    peeled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Root:
    """An outermost bracket and everything up to its end; `end` is -1 when it never closes."""

    start: int
    end: int


def unwrap(text: str) -> Unwrapped:
    """The one JSON object of a reply. Raises `Unreadable`; the object itself may still turn out to be broken JSON."""
    peeled: list[str] = []
    body = text
    if body.startswith(BYTE_ORDER_MARK):
        body = body.removeprefix(BYTE_ORDER_MARK)
        peeled.append("byte-order mark")
    body = _without_json_string(body.strip(), peeled)
    body = _without_thinking(body, peeled)
    roots = _object_roots(body)
    if not roots and any(sign in body for sign in "｛［"):
        body = full_width_to_ascii(body)
        peeled.append("full-width punctuation")
        roots = _object_roots(body)
    if not roots:
        raise Unreadable("the reply holds no JSON object")
    if len(roots) > 1:
        raise Unreadable(f"the reply holds {len(roots)} JSON objects; which one counts is not clear")
    root = roots[0]
    if root.end < 0:
        return Unwrapped(body[root.start :], tuple(peeled))  # broken off: let the parser say where
    around = body[: root.start] + body[root.end :]
    if _SECOND_VOICE.search(around):
        raise Unreadable("there is an unfinished thought beside the JSON object; which one counts is not clear")
    if around.strip():
        peeled.append("code fence" if _FENCE.search(around) else "prose around the object")
    return Unwrapped(body[root.start : root.end], tuple(peeled))


def _without_json_string(body: str, peeled: list[str]) -> str:
    """The content of a reply that is one JSON string, which says exactly the same."""
    if not body.startswith('"'):
        return body
    try:
        inner = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if "{" not in inner:
        return body
    peeled.append("JSON string")
    return str(inner).strip()


def _without_thinking(body: str, peeled: list[str]) -> str:
    """The reply behind its leading thinking blocks; a block that never ends leaves no reply."""
    while tag := next((tag for tag in _THINKING_TAGS if body.startswith(f"<{tag}>")), ""):
        _, closing, behind = body.partition(f"</{tag}>")
        if not closing:
            raise Unreadable("the reply holds no JSON object")
        body = behind.lstrip()
        if "thinking block" not in peeled:
            peeled.append("thinking block")
    return body


def _object_roots(body: str) -> list[_Root]:
    """The outermost brackets that could be meant: every `{...}` that looks like JSON, and lists that hold an action.

    Braces of prose, as in `{BTC, ETH}`, and lists of numbers are passed over; a bracket that never closes is not,
    unless nothing else could be meant.
    """
    roots = list(_roots(body))
    meant = [root for root in roots if _could_be_meant(body, root)]
    broken_off = [root for root in roots if root.end < 0 and root not in meant]
    return [*meant, *broken_off] if meant else []


def _could_be_meant(body: str, root: _Root) -> bool:
    inside = body[root.start : root.end if root.end >= 0 else len(body)]
    if body[root.start] == "{":
        return bool(_OBJECT_LIKE.match(inside)) or "action" in inside or root.end < 0
    return '"action"' in inside


def _roots(body: str) -> Iterator[_Root]:
    """Each outermost bracket, left to right, in one pass."""
    at = 0
    while (start := _next_bracket(body, at)) >= 0:
        end = _end_of(body, start)
        yield _Root(start, end)
        if end < 0:
            return
        at = end


def _next_bracket(body: str, at: int) -> int:
    found = [position for bracket in _CLOSING if (position := body.find(bracket, at)) >= 0]
    return min(found, default=-1)


def _end_of(body: str, start: int) -> int:
    """One behind the bracket that closes the one at `start`, strings respected; -1 when it is missing or wrong."""
    expected: list[str] = []
    in_string = escaped = False
    for position in range(start, len(body)):
        sign = body[position]
        if in_string:
            in_string = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
        elif sign == '"':
            in_string = True
        elif sign in _CLOSING:
            expected.append(_CLOSING[sign])
        elif sign in "}]":
            if sign != expected.pop():
                return -1
            if not expected:
                return position + 1
    return -1


def full_width_to_ascii(body: str) -> str:
    """Full-width brackets, colons, commas and spaces outside strings as their ASCII twins; strings untouched."""
    signs: list[str] = []
    in_string = escaped = False
    for sign in body:
        if in_string:
            in_string = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
            signs.append(sign)
        else:
            in_string = sign == '"'
            signs.append(_FULL_WIDTH.get(sign, sign))
    return "".join(signs)
