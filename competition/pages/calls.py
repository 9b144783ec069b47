"""The page of one call: who asked which model what, what came back, and what it cost, so that it can be recomputed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.core.calls import UNSENT
from agents.models import AgentKind, Attempt, Call, Price
from competition.models import Turn
from competition.pages import text
from competition.pages.call_cost import Cost, cost_of
from competition.pages.called import (
    LONG_FIELDS,
    CallLine,
    call_lines,
    call_mark,
    error_words,
    is_cut,
    is_simulated,
    role_word,
    took,
)
from competition.pages.figures import Moment, moment
from competition.pages.frame import NotThere, season_links
from competition.pages.names import EntryName, name_of
from competition.pages.words import Mark
from market.core.canonical import canonical_json

NUMBER_MAX = 2**63 - 1  # what the database can count to
SHOWN_CHARACTERS_MAX = 200_000
# How the form of the reply was asked for.
STRATEGIES = {
    "json_schema": "a JSON schema, sent along",
    "tool": "a tool to be called with it",
    "text": "described in the messages alone",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Words of others in full, under a label of ours. `left_off` counts what is kept and not shown."""

    label: str
    content: str
    left_off: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Other tries of the same call by id; None at either end."""

    earlier: int | None
    later: int | None


@dataclass(frozen=True, slots=True)
class CallPage:
    """Everything on record of one call. `renamed` is true when a model of another name answered."""

    id: int
    season: str
    week: int
    entry: EntryName
    is_firm: bool
    attempt: int
    role: str
    tries: str
    mark: Mark
    sentence: str
    is_simulated: bool
    requested: str
    returned: str
    renamed: bool
    parameters: tuple[tuple[str, str], ...]
    messages: tuple[Block, ...]
    reply: Block
    cost: Cost
    usage: tuple[tuple[str, str], ...]
    usage_raw: str
    started: Moment
    took: str
    facts: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    neighbours: Neighbours
    siblings: tuple[CallLine, ...]


def call_numbered(number: int) -> Call:
    """The call with its turn, price and agent: one query. Raises `NotThere`, also when it belongs to no turn."""
    if number <= NUMBER_MAX:
        rows = Call.objects.filter(id=number, attempt__brief__turn__isnull=False).select_related(
            "price",
            "attempt__brief__agent",
            "attempt__brief__turn__cycle__season",
            "attempt__brief__turn__entry__agent",
        )
        call = rows.defer("attempt__brief__content", "attempt__deliberation", "attempt__reply").first()
        if call is not None:
            return call
    raise NotThere("There is no call of this number.", season_links())


def season_slug_of(call: Call) -> str:
    return turn_of(call).cycle.season.slug


def turn_of(call: Call) -> Turn:
    turn: Turn = call.attempt.brief.turn
    return turn


def call_page(call: Call) -> CallPage:
    """Everything on record of a call from `call_numbered`: one query for the others of its attempt."""
    turn = turn_of(call)
    siblings = _siblings(call.attempt)
    tries = [other for other in siblings if other.role == call.role]
    return CallPage(
        id=call.id,
        season=turn.cycle.season.slug,
        week=turn.cycle.number,
        entry=name_of(turn.entry),
        is_firm=turn.entry.agent.kind == AgentKind.FIRM,
        attempt=call.attempt.number,
        role=role_word(call.role),
        tries=f"try {1 + tries.index(call)} of {len(tries)}",
        mark=call_mark(call),
        sentence=_sentence(call),
        is_simulated=is_simulated(call.requested_model),
        requested=text.line(call.requested_model),
        returned=text.line(call.returned_model),
        renamed=bool(call.returned_model) and not _same_model(call.requested_model, call.returned_model),
        parameters=tuple(_parameter(name, value) for name, value in sorted(call.parameters.items())),
        messages=tuple(_block(_words(part["role"]), part["content"]) for part in call.messages),
        reply=_block("reply", call.reply),
        cost=cost_of(call),
        usage=_usage(call),
        usage_raw=text.reply(_json(call.usage_raw, indent=2))[0] if call.usage_raw else "",
        started=moment(call.started_at),
        took=took(call),
        facts=_facts(call),
        hashes=(("the question", call.request_sha256), ("the reply", call.reply_sha256)),
        neighbours=_neighbours(call, tries),
        siblings=call_lines(siblings),
    )


def call_text(call: Call) -> str:
    """The call as canonical JSON, nothing cut and nothing written out. `question` is what `request_sha256` is of."""
    apart = ("id", "attempt", "price", "requested_model", "messages", "parameters")
    names = (field.name for field in Call._meta.concrete_fields if field.name not in apart)
    question = {"model": call.requested_model, "messages": call.messages, "parameters": call.parameters}
    content = {name: getattr(call, name) for name in names}
    return canonical_json({**content, "question": question, "price": price_content(call.price)})


def price_content(price: Price | None) -> Mapping[str, Any] | None:
    if price is None:
        return None
    names = ("model", "valid_from", "prompt_usd", "cached_usd", "completion_usd", "source")
    return {name: getattr(price, name) for name in names}


def _siblings(attempt: Attempt) -> list[Call]:
    return list(attempt.calls.defer(*LONG_FIELDS).order_by("position"))


def _neighbours(call: Call, tries: list[Call]) -> Neighbours:
    ids = [other.id for other in tries]
    at = tries.index(call)
    return Neighbours(ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None)


def _sentence(call: Call) -> str:
    if call.error_class:
        meaning = error_words(call.error_class)[1]
        return f"{meaning} Nothing was sent." if call.error_class in UNSENT else meaning
    if is_cut(call):
        return "The reply did not come to its end (by the provider's own word), so it does not count."
    return "The model answered."


def _same_model(requested: str, returned: str) -> bool:
    """Providers answer with the name alone, or with some of the path before it."""
    return requested == returned or requested.endswith(f"/{returned}")


def _words(name: str) -> str:
    return text.line(str(name).replace("_", " "))


def _parameter(name: str, value: Any) -> tuple[str, str]:
    """What was set for the call, and what it was set to. Two names are of our record and not of any provider's."""
    if name == "strategy":
        return "form of the reply", STRATEGIES.get(str(value)) or text.detail(_json(value))
    if name == "dropped" and isinstance(value, list):
        return "set, but not sent", text.detail(", ".join(map(_words, value)))
    return _words(name), text.detail(_json(value))


def _json(value: Any, indent: int | None = None) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent)


def _block(label: str, content: str) -> Block:
    return Block(label, *text.reply(content, SHOWN_CHARACTERS_MAX))


def _usage(call: Call) -> tuple[tuple[str, str], ...]:
    kinds = {
        "Prompt tokens": call.prompt_tokens,
        "of them cached": call.cached_tokens,
        "Completion tokens": call.completion_tokens,
        "of them reasoning": call.reasoning_tokens,
    }
    return tuple((kind, f"{count:,}") for kind, count in kinds.items() if count is not None)


def _facts(call: Call) -> tuple[tuple[str, str], ...]:
    facts = {
        "Finish reason": call.finish_reason,
        "Error class": f"{call.error_class}: {error_words(call.error_class)[0]}" if call.error_class else "",
        "Detail": call.error_detail,
        "HTTP status": "" if call.status is None else str(call.status),
        "Provider's request id": call.provider_request_id,
    }
    return tuple((name, text.detail(value)) for name, value in facts.items() if value)
