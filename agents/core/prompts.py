"""What models are told: the texts of `agents/prompts`, the reply's schema, and the data in delimited blocks.

Everything has a stated greatest size. What is too long is left out in a fixed order, and the prompt says what.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from agents.core.blocks import Objection, block, cut, encoded, encoded_bytes, told
from agents.core.calls import Message
from agents.core.firm_roles import (
    FIRM_ROLES,
    HAND_OFFS,
    NOTE_BYTES_MAX,
    REPORT_BYTES_MAX,
    part_for,
)
from agents.core.reply import ReplySchema
from agents.core.text import storable
from portfolio.core.decisions import Action

PROMPT_VERSIONS: Mapping[str, str] = {"single": "v1", **dict.fromkeys(FIRM_ROLES, "v1"), "risk": "v2"}

BRIEF_BYTES_MAX = 32_768
LAST_REPLY_BYTES_MAX = 8_192
BOARD_LINES_MAX = 10
CLOSES_MAX = 8
REPAIR = "Your last answer could not be used. What was wrong with it follows, as data. Answer the same question again."


class _NumbersOnly(GenerateJsonSchema):
    """The validator takes a weight as a JSON number and never as text, so the schema says no more than that."""

    def decimal_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        bounds = {"minimum": schema.get("ge"), "maximum": schema.get("le")}
        return {"type": "number", **{name: float(bound) for name, bound in bounds.items() if bound is not None}}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a reply, from the class that validates it."""
    return model.model_json_schema(schema_generator=_NumbersOnly)


REPLY_SCHEMA: Mapping[str, Any] = schema_of(ReplySchema)
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "single": REPLY_SCHEMA,
    **{role: schema_of(model) for role, model in HAND_OFFS.items()},
}


def _system_texts() -> dict[str, str]:
    folder = resources.files("agents.prompts")
    limits = {"report_bytes": REPORT_BYTES_MAX, "note_bytes": NOTE_BYTES_MAX}
    actions = " or ".join(f'"{action.value}"' for action in Action)
    return {
        role: Template((folder / f"{role}-{version}.md").read_text(encoding="utf-8")).substitute(
            role=role, version=version, schema=encoded(SCHEMAS[role]), actions=actions, **limits
        )
        for role, version in PROMPT_VERSIONS.items()
    }


# Texts ship with the code and are read once, like modules; nothing reads them while a turn is played.
SYSTEM_TEXTS: Mapping[str, str] = _system_texts()


def single_messages(brief: Mapping[str, Any], objections: Sequence[Objection], last_reply: str) -> tuple[Message, ...]:
    """The question to a single model; with `objections`, also what it said before and what was wrong with that."""
    question = role_messages("single", {"brief": limited(brief)})
    return repaired(question, objections, last_reply) if objections else question


def role_messages(role: str, blocks: Mapping[str, Any]) -> tuple[Message, ...]:
    """A role's system text, and one user message with these values as delimited blocks."""
    data = "\n\n".join(block(name, value) for name, value in blocks.items())
    return Message(role="system", content=SYSTEM_TEXTS[role]), Message(role="user", content=data)


def repaired(messages: tuple[Message, ...], objections: Sequence[Objection], last_reply: str) -> tuple[Message, ...]:
    """The same question again, after what was said to it and what was wrong with that.

    Without a last reply the objections join the question: providers refuse empty messages, and two of one speaker.
    """
    complaint = f"{REPAIR}\n\n{block('objections', told(objections))}"
    said = cut(storable(last_reply), LAST_REPLY_BYTES_MAX)
    if said.strip():
        return *messages, Message(role="assistant", content=said), Message(role="user", content=complaint)
    *before, question = messages
    return *before, Message(role="user", content=f"{question.content}\n\n{complaint}")


def brief_for(role: str, brief: Mapping[str, Any]) -> Mapping[str, Any]:
    """The role's part of the brief, within its size."""
    return limited(part_for(role, brief))


# -- A brief that is too long ----------------------------------------------------------------------------------------


def limited(brief: Mapping[str, Any]) -> Mapping[str, Any]:
    """The brief, or what is left of it when it is too long; then `left_out` says in words what is not there."""
    content, left_out = dict(brief), list[str]()
    for shorten in (_few_rivals, _newest_closes, _no_closes):
        if encoded_bytes(content) <= BRIEF_BYTES_MAX:
            return content
        content, note = shorten(content)
        left_out = [*left_out, *note]
        content["left_out"] = left_out
    if encoded_bytes(content) <= BRIEF_BYTES_MAX:
        return content
    room = BRIEF_BYTES_MAX - encoded_bytes({"left_out": [*left_out, _BROKEN_OFF], "beginning": ""})
    return {"left_out": [*left_out, _BROKEN_OFF], "beginning": cut(encoded(content), room, encoded_bytes)}


_BROKEN_OFF = "everything behind the beginning, which stands here as text"
Shortened = tuple[dict[str, Any], list[str]]


def _few_rivals(content: dict[str, Any]) -> Shortened:
    """The leaderboard's first lines, and one's own."""
    board = content.get("leaderboard", [])
    kept = [line for at, line in enumerate(board) if at < BOARD_LINES_MAX or line.get("entry") == content.get("you")]
    missing = len(board) - len(kept)
    return {**content, **({"leaderboard": kept} if board else {})}, _note(missing, f"{missing} leaderboard lines")


def _newest_closes(content: dict[str, Any]) -> Shortened:
    note = f"daily closes but the newest {CLOSES_MAX}"
    return _with_rows(content, note, lambda row: {**row, "closes_1d": row["closes_1d"][-CLOSES_MAX:]})


def _no_closes(content: dict[str, Any]) -> Shortened:
    return _with_rows(
        content, "all daily closes", lambda row: {name: value for name, value in row.items() if name != "closes_1d"}
    )


def _with_rows(
    content: dict[str, Any], note: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Shortened:
    market = content.get("market", {})
    rows = market.get("symbols", {})
    changed = {name: change(row) if "closes_1d" in row else row for name, row in rows.items()}
    if changed == rows:
        return content, []
    return {**content, "market": {**market, "symbols": changed}}, [note]


def _note(missing: int, note: str) -> list[str]:
    return [note] if missing else []
