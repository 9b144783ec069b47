"""From what an agent said to a decision, without guessing.

Peeling off a wrapper that carries no information is allowed and recorded; completing, inventing or changing a value
is not. What cannot be read is refused with the reason, and the raw text is kept by the caller either way. Every rule
of reading is told in `docs/replies.md`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator, model_validator

from agents.core.text import storable
from agents.core.unwrap import Unreadable, unwrap
from portfolio.core.decisions import Action, Decision, Violation

REPLY_BYTES_MAX = 65_536
RATIONALE_CHARACTERS_MAX = 4_000
# A season lists at most 50 symbols; more names than this are no attempt at a decision.
SYMBOLS_MAX = 100
SYMBOL_CHARACTERS_MAX = 100
# What an agent is told about one reply; thousands of complaints would help nobody.
VIOLATIONS_MAX = 20

# Far wider than the rules allow, so that the rules can name what is wrong; narrow enough to be written out in full.
# The schema says number and nothing else: by itself it would offer a text as well, which is then refused.
Weight = Annotated[
    Decimal,
    Field(ge=-1000, le=1000, max_digits=40, decimal_places=30),
    WithJsonSchema({"type": "number", "minimum": -1000, "maximum": 1000}),
]
Fraction = Annotated[
    Decimal,
    Field(ge=0, le=1, max_digits=40, decimal_places=30),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]


# Prompt and validator are both generated from this class; its docstring and descriptions are read by models.
class ReplySchema(BaseModel):
    """The answer to a brief."""

    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["hold", "rebalance"]
    allocations: dict[str, Weight] | None = Field(
        default=None,
        description="Target weight by symbol, as a fraction of the portfolio's value; what is left out stays in cash.",
    )
    confidence: Fraction | None = None
    rationale: str = Field(default="", max_length=RATIONALE_CHARACTERS_MAX)

    @field_validator("rationale")
    @classmethod
    def text_can_be_stored(cls, text: str) -> str:
        if storable(text) != text:
            raise ValueError("holds NUL or half a character, which no database can keep")
        return text

    @field_validator("allocations")
    @classmethod
    def symbols_can_be_told(cls, allocations: dict[str, Decimal] | None) -> dict[str, Decimal] | None:
        if allocations and len(allocations) > SYMBOLS_MAX:
            raise ValueError(f"names {len(allocations)} symbols; at most {SYMBOLS_MAX} are read")
        for name in allocations or ():
            cls.text_can_be_stored(name)
            if len(name) > SYMBOL_CHARACTERS_MAX:
                raise ValueError(f"a symbol's name is longer than {SYMBOL_CHARACTERS_MAX} characters")
        return allocations

    @model_validator(mode="after")
    def allocations_fit_the_action(self) -> "ReplySchema":
        if self.action == "hold" and self.allocations:
            raise ValueError("a hold carries no allocations; to change something, answer rebalance")
        if self.action == "rebalance" and not self.allocations:
            raise ValueError("a rebalance needs allocations; to sell everything, allocate 1 to the quote asset")
        return self


@dataclass(frozen=True, slots=True)
class Parsed:
    """`decision` is None when the text could not be read; then `violations` says why.

    `unwrapped` lists what was peeled off on the way.
    """

    decision: Decision | None
    violations: tuple[Violation, ...] = ()
    unwrapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read[Said]:
    """A reply read into its model; `said` is None when it could not be, and then `violations` says why."""

    said: Said | None
    violations: tuple[Violation, ...] = ()
    unwrapped: tuple[str, ...] = ()


def parse_reply(text: str) -> Parsed:
    """Read one decision out of a reply. Never raises on any text."""
    read = read_json(text, ReplySchema)
    return Parsed(_decision_of(read.said) if read.said else None, read.violations, read.unwrapped)


def read_json[Said: BaseModel](text: str, model: type[Said]) -> Read[Said]:
    """Read the one JSON object of a reply into `model`, numbers as `Decimal`. Never raises on any text."""
    if len(text.encode("utf-8", "surrogatepass")) > REPLY_BYTES_MAX:
        return _unreadable(f"the reply is longer than {REPLY_BYTES_MAX} bytes")
    try:
        found = unwrap(text)
    except Unreadable as error:
        return _unreadable(str(error))
    peeled = found.peeled
    try:
        loaded = _load(found.text)
        if isinstance(loaded, list) and len(loaded) == 1 and isinstance(loaded[0], dict):
            loaded = loaded[0]
            peeled = (*peeled, "list of one")
        return Read(model.model_validate(loaded), (), peeled)
    except ValidationError as error:
        return Read(None, _schema_violations(error), peeled)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return _unreadable(f"the reply is not valid JSON: {_complaint(error)}", peeled)


def _complaint(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "a number beyond all measure" if isinstance(error, ArithmeticError) else str(error)


def _decision_of(reply: ReplySchema) -> Decision:
    return Decision(Action(reply.action), reply.allocations or {}, reply.confidence, reply.rationale)


def _unreadable(reason: str, unwrapped: tuple[str, ...] = ()) -> Read[Any]:
    return Read(None, (Violation("reply_is_readable", reason),), unwrapped)


def _schema_violations(error: ValidationError) -> tuple[Violation, ...]:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    told = [Violation("reply_fits_the_schema", _told(dict(problem))) for problem in problems[:VIOLATIONS_MAX]]
    if (left := len(problems) - len(told)) > 0:
        told.append(Violation("reply_fits_the_schema", f"and {left} more of the kind"))
    return tuple(told)


def _told(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part)[:SYMBOL_CHARACTERS_MAX] for part in problem["loc"]) or "reply"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _load(text: str) -> Any:
    return json.loads(
        text,
        parse_float=Decimal,
        parse_int=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=_without_duplicates,
    )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key appears twice in the same object")
    return members
