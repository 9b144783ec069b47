"""From what an agent said to a decision, without guessing.

Peeling off a wrapper that carries no information is allowed and recorded; completing, inventing or changing a value
is not. What cannot be read is refused with the reason, and the raw text is kept by the caller either way.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agents.core.text import storable
from agents.core.unwrap import Unreadable, unwrap
from portfolio.core.decisions import Action, Decision, Violation

REPLY_BYTES_MAX = 65_536
RATIONALE_CHARACTERS_MAX = 4_000

# Far wider than the rules allow, so that the rules can name what is wrong; narrow enough to be written out in full.
Weight = Annotated[Decimal, Field(ge=-1000, le=1000, max_digits=40, decimal_places=30)]
Fraction = Annotated[Decimal, Field(ge=0, le=1, max_digits=40, decimal_places=30)]


class ReplySchema(BaseModel):
    """The answer to a brief. Prompt and validator are both generated from this class."""

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
    def symbols_can_be_stored(cls, allocations: dict[str, Decimal] | None) -> dict[str, Decimal] | None:
        for name in allocations or ():
            cls.text_can_be_stored(name)
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
    try:
        said = model.model_validate(_load(found.text))
    except ValidationError as error:
        return Read(None, tuple(_schema_violations(error)), found.peeled)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return _unreadable(f"the reply is not valid JSON: {_complaint(error)}", found.peeled)
    return Read(said, (), found.peeled)


def _complaint(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "a number beyond all measure" if isinstance(error, ArithmeticError) else str(error)


def _decision_of(reply: ReplySchema) -> Decision:
    return Decision(Action(reply.action), reply.allocations or {}, reply.confidence, reply.rationale)


def _unreadable(reason: str, unwrapped: tuple[str, ...] = ()) -> Read[Any]:
    return Read(None, (Violation("reply_is_readable", reason),), unwrapped)


def _schema_violations(error: ValidationError) -> Iterator[Violation]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"]) or "reply"
        yield Violation("reply_fits_the_schema", f"{where}: {problem['msg'].removeprefix('Value error, ')}")


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
