"""A firm's record of its deliberation, read for a page. A runner wrote it: nothing of its shape is taken on trust."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from competition.pages import text

ANALYSTS = ("technical", "sentiment", "tokenomics")
DESK = ("researcher", "trader", "risk")
ROLES = (*ANALYSTS, *DESK)
ENTRIES_MAX = 200

# far wider than what roles may say, and narrow enough to be written out
Number = Annotated[Decimal, Field(ge=-1_000, le=1_000, max_digits=60)]
Weights = Annotated[dict[str, Number], Field(max_length=ENTRIES_MAX)]
Words = Annotated[list[str], Field(max_length=ENTRIES_MAX)]


class Said(BaseModel):
    """What is not known is passed over: later versions may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Report(Said):
    stances: Weights
    confidence: Number | None = None
    summary: str = ""
    missing: Words = []


class View(Said):
    symbol: str
    stance: Number
    why: str = ""


class Disagreement(Said):
    analysts: Words
    about: str


class Note(Said):
    thesis: str
    views: list[View] = Field(default=[], max_length=ENTRIES_MAX)
    dissent: list[Disagreement] = Field(default=[], max_length=ENTRIES_MAX)


class Proposal(Said):
    action: str
    allocations: Weights | None = None
    confidence: Number | None = None
    rationale: str = ""


class Ruling(Said):
    ruling: str
    allocations: Weights | None = None
    rationale: str = ""


class RoleRecord(Said):
    """How one role did. `output` is what it handed on; `objected` why it was asked again."""

    tier: str = ""
    prompt: str = ""
    status: str = ""
    why: str = ""
    objected: str = ""
    output: Any = None


class Minutes(Said):
    """The whole record: `dissent` is stance by analyst by symbol, `diff` what the risk manager made of each weight."""

    quorum: int = Field(default=0, ge=0, le=100)
    analysts_used: int = Field(default=0, ge=0, le=100)
    missing: dict[str, str] = {}
    dissent: dict[str, Weights] = Field(default={}, max_length=ENTRIES_MAX)
    diff: dict[str, tuple[Number, Number]] = Field(default={}, max_length=ENTRIES_MAX)
    roles: dict[str, RoleRecord] = Field(default={}, max_length=ENTRIES_MAX)

    def role(self, role: str) -> RoleRecord:
        return self.roles.get(role, RoleRecord())

    @property
    def reports(self) -> dict[str, Report]:
        """The usable reports by analyst."""
        found = {role: read(Report, self.role(role).output) for role in ANALYSTS}
        return {role: report for role, report in found.items() if report}

    @property
    def note(self) -> Note | None:
        return read(Note, self.role("researcher").output)

    @property
    def proposal(self) -> Proposal | None:
        return read(Proposal, self.role("trader").output)

    @property
    def ruling(self) -> Ruling | None:
        return read(Ruling, self.role("risk").output)


def minutes_of(content: Any) -> Minutes | None:
    """The record, or None when it is not in the shape that this page reads."""
    return read(Minutes, content)


def read[Part: BaseModel](model: type[Part], content: Any) -> Part | None:
    try:
        return model.model_validate(content) if isinstance(content, Mapping) else None
    except ValidationError:
        return None


def as_text(content: Any) -> str:
    """Whatever it is, as indented JSON that can be seen, cut at the length of a reply."""
    return text.reply(json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True))[0]
