"""Finding the one JSON object in a reply: peeling off what carries no information, and nothing more.

Each step walks through the reply once. Outermost brackets are matched with respect to strings; whatever breaks off,
and whatever leaves it open which object counts, is refused. So a draft in an unfinished thought can never become a
trade. The rules are told in `docs/replies.md`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BYTE_ORDER_MARK = "\ufeff"
_CLOSING = {"{": "}", "[": "]"}
_FULL_WIDTH = dict(zip("｛｝［］：，\u3000", "{}[]:, ", strict=True))
_STRING = r'"(?:[^"\\]++|\\.)*+"?'
_STRING_OR_BRACKET = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_STRING_OR_FULL_WIDTH = re.compile(rf"{_STRING}|[{''.join(_FULL_WIDTH)}]", re.DOTALL)
_BRACKET = re.compile(r"[\[{]")
_WIDE_BRACKET = re.compile(r"[［｛]")
_ANY_BRACKET = re.compile(r"[\[{［｛]")
_OBJECT_LIKE = re.compile(r"\{\s*[\"'}]")
_FENCE_BEFORE = re.compile(r"```[\w-]*\s*\Z")
_FENCE_BEHIND = re.compile(r"\s*```")
_FENCE_HEAD_CHARACTERS = 32

_THOUGHT = "think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad"
_CHANNEL = r"(?:<\|start\|>assistant)?<\|channel\|>"
_THOUGHT_OPENS = re.compile(rf"<(?P<tag>{_THOUGHT})>|{_CHANNEL}analysis<\|message\|>", re.IGNORECASE)
_THOUGHT_TAG = re.compile(rf"<(?P<slash>/?)(?:{_THOUGHT})>", re.IGNORECASE)
_CHANNEL_ENDS = re.compile(r"<\|end\|>")
_AS_JSON = r" ?(?:<\|constrain\|>json)?<\|message\|>"
_SUBMIT = r"submit(?:_decision)?\b"
# What may stand where the reply proper begins. We offer no tools; a call of one named like this still says only this.
_HEADERS = (
    ("final channel", re.compile(rf"{_CHANNEL}final{_AS_JSON}")),
    ("call of the submit tool", re.compile(rf"{_CHANNEL}commentary to=functions\.{_SUBMIT}{_AS_JSON}")),
    (
        "call of the submit tool",
        re.compile(rf"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{_SUBMIT}"),
    ),
)
# Beside an object these mean that a thought or another answer goes on there, and it is not clear which counts.
_SECOND_VOICE = re.compile(
    rf"</?\s*(?:{_THOUGHT})\b|\[/?THINK\]|◁/?think▷|<\|channel|<\|start\||<｜tool▁call▁begin|[｛｝［］]", re.IGNORECASE
)
# Before an object these mean that it is what a tool is called with, not an answer.
_TOOL_CALL = re.compile(
    r"<\|?(?:tool_call|function_call|function=)|\[TOOL_CALLS\]|<｜tool▁|<[｜‖|]DSML|to=functions\.", re.IGNORECASE
)


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
    if "<" in body:
        body = _without_header(_without_thoughts(body, peeled), peeled)
    return _unwrapped(body, _the_one(_object_roots(body) or _object_roots(_narrowed(body))), peeled)


def _narrowed(body: str) -> str:
    """The same text, sign for sign, with ASCII punctuation from its first full-width bracket on."""
    wide = _WIDE_BRACKET.search(body)
    return body[: wide.start()] + full_width_to_ascii(body[wide.start() :]) if wide else ""


def _unwrapped(body: str, root: _Root, peeled: list[str]) -> Unwrapped:
    """The root's text, once nothing beside it leaves in doubt that it counts."""
    end = root.end if root.end >= 0 else len(body)  # broken off: the parser will say where
    before, inside, after = body[: root.start], body[root.start : end], body[end:]
    if _SECOND_VOICE.search(before) or _SECOND_VOICE.search(after):
        raise Unreadable("there is an unfinished thought beside the JSON object; which one counts is not clear")
    if _TOOL_CALL.search(before):
        raise Unreadable("the JSON object is what a tool is called with, and there are no tools; answer with it alone")
    if before.strip() or after.strip():
        peeled.append("code fence" if "```" in before + after else "prose around the object")
    ascii_only = full_width_to_ascii(inside)
    if ascii_only != inside:
        peeled.append("full-width punctuation")
    return Unwrapped(ascii_only, tuple(dict.fromkeys(peeled)))


def _without_json_string(body: str, peeled: list[str]) -> str:
    """The content of a reply that is one JSON string, which says exactly the same."""
    if not body.startswith('"'):
        return body
    try:
        inner = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not _ANY_BRACKET.search(inner):
        return body
    peeled.append("JSON string")
    return str(inner).strip()


def _without_thoughts(body: str, peeled: list[str]) -> str:
    """The reply behind its thinking blocks; a block that never ends leaves no reply.

    Only blocks before the first bracket: behind one, a tag may be part of a string, or a second thought.
    """
    at = 0
    while opening := _THOUGHT_OPENS.search(body, at):
        if _ANY_BRACKET.search(body, at, opening.start()):
            break
        closing = _closing_of(opening).search(body, opening.end())
        if closing is None:
            raise Unreadable("the reply breaks off in a thought and holds no answer")
        if body[at : opening.start()].strip():
            peeled.append("prose around the object")
        peeled.append("thinking block")
        at = closing.end()
    return _behind_lone_end(body[at:].strip(), peeled)


def _closing_of(opening: re.Match[str]) -> re.Pattern[str]:
    return re.compile(f"</{opening['tag']}>", re.IGNORECASE) if opening["tag"] else _CHANNEL_ENDS


def _behind_lone_end(body: str, peeled: list[str]) -> str:
    """The reply behind the end of a thought that was opened in the prompt, as some chat templates do.

    Only when that end is the single such tag outside brackets: then everything before it is the thought.
    """
    if not _THOUGHT_TAG.search(body):
        return body
    at = 0
    tags: list[re.Match[str]] = []
    for root in _roots(body):
        tags.extend(_THOUGHT_TAG.finditer(body, at, root.start))
        at = root.end if root.end >= 0 else len(body)
    tags.extend(_THOUGHT_TAG.finditer(body, at))
    if len(tags) != 1 or not tags[0]["slash"]:
        return body
    peeled.append("thinking block")
    return body[tags[0].end() :].strip()


def _without_header(body: str, peeled: list[str]) -> str:
    for name, pattern in _HEADERS:
        if header := pattern.match(body):
            peeled.append(name)
            return body[header.end() :]
    return body


def _the_one(roots: Sequence[_Root]) -> _Root:
    """The only bracket that could be meant. Raises `Unreadable` when there is none, or more than one."""
    if not roots:
        raise Unreadable("the reply holds no JSON object")
    if len(roots) > 1:
        raise Unreadable(f"the reply holds {len(roots)} JSON objects; which one counts is not clear")
    return roots[0]


def _object_roots(body: str) -> Sequence[_Root]:
    """The outermost brackets that could be meant: every `{...}` that looks like JSON, and lists that hold an action.

    Braces of prose, as in `{BTC, ETH}`, and lists of numbers are passed over. Unless nothing else could be meant, a
    bracket that never closes is not, nor is a list in a code fence of its own: that is a second answer.
    """
    meant: list[_Root] = []
    rivals: list[_Root] = []
    for root in _roots(body):
        if _could_be_meant(body, root):
            meant.append(root)
        elif root.end < 0 or _has_own_fence(body, root):
            rivals.append(root)
    return [*meant, *rivals] if meant else []


def _could_be_meant(body: str, root: _Root) -> bool:
    inside = body[root.start : root.end if root.end >= 0 else len(body)]
    if body[root.start] == "{":
        return bool(_OBJECT_LIKE.match(inside)) or "action" in inside or root.end < 0
    return '"action"' in inside


def _has_own_fence(body: str, root: _Root) -> bool:
    head = body[max(0, root.start - _FENCE_HEAD_CHARACTERS) : root.start]
    return bool(_FENCE_BEFORE.search(head) and _FENCE_BEHIND.match(body, root.end))


def _roots(body: str) -> Iterator[_Root]:
    """Each outermost bracket, left to right, in one pass."""
    at = 0
    while opening := _BRACKET.search(body, at):
        end = _end_of(body, opening.start())
        yield _Root(opening.start(), end)
        if end < 0:
            return
        at = end


def _end_of(body: str, start: int) -> int:
    """One behind the bracket that closes the one at `start`, strings respected; -1 when it is missing or wrong."""
    expected: list[str] = []
    for found in _STRING_OR_BRACKET.finditer(body, start):
        sign = found[0]
        if sign in _CLOSING:
            expected.append(_CLOSING[sign])
        elif sign in ("}", "]"):
            if sign != expected.pop():
                return -1
            if not expected:
                return found.end()
    return -1


def full_width_to_ascii(body: str) -> str:
    """Full-width brackets, colons, commas and spaces outside strings as their ASCII twins; strings untouched."""
    if body.isascii():
        return body
    return _STRING_OR_FULL_WIDTH.sub(lambda found: _FULL_WIDTH.get(found[0], found[0]), body)
