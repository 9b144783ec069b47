"""The six roles of a firm and what they hand to each other: typed, bounded, and each given only its part of the brief.

technical, sentiment, tokenomics   AnalystReport   at the same time
researcher                         ResearchNote    reads the reports
trader                             ReplySchema     reads the note: this is the firm's proposal
risk                               RiskRuling      reads the proposal, and may only reduce it
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agents.core.blocks import cut, encoded_bytes
from agents.core.reply import Fraction, ReplySchema, read_json
from agents.core.text import storable
from market.core.canonical import plain
from portfolio.core.decisions import Violation

Tier = Literal["analyst", "desk"]
Analyst = Literal["technical", "sentiment", "tokenomics"]

ANALYSTS: tuple[str, ...] = ("technical", "sentiment", "tokenomics")
DESK = ("researcher", "trader", "risk")
FIRM_ROLES = (*ANALYSTS, *DESK)

# What each may hand on, in bytes as they stand in the next role's prompt.
REPORT_BYTES_MAX = 6_144
NOTE_BYTES_MAX = 8_192
PROPOSAL_BYTES_MAX = 8_192
PROPOSAL_RATIONALE_BYTES_MAX = 2_000  # as far as the risk manager reads it
REASON_CHARACTERS_MAX = 250


def _can_be_stored(text: str) -> str:
    if storable(text) != text:
        raise ValueError("holds NUL or half a character, which no database can keep")
    return text


Stored = AfterValidator(_can_be_stored)
SymbolName = Annotated[str, Field(min_length=1, max_length=40), Stored]
Stance = Annotated[Decimal, Field(ge=-1, le=1, max_digits=20, decimal_places=18)]
Sentence = Annotated[str, Field(max_length=300), Stored]


class HandOff(BaseModel):
    """What one role hands to the next; a field nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AnalystReport(HandOff):
    """What an analyst sees in its own figures. It proposes no weights."""

    stances: dict[SymbolName, Stance] = Field(
        max_length=100, description="By symbol: -1 for sure to fall, 0 for nothing to say, 1 for sure to rise."
    )
    confidence: Fraction = Field(description="How far the figures you had can carry these stances, 0 to 1.")
    summary: Annotated[str, Field(min_length=1, max_length=1_200), Stored]
    missing: list[Sentence] = Field(default=[], max_length=10, description="Data you would have needed and had not.")


class RankedView(HandOff):
    symbol: SymbolName
    stance: Stance
    why: Annotated[str, Field(max_length=300), Stored] = ""


class Dissent(HandOff):
    """Where analysts contradict each other."""

    analysts: list[Analyst] = Field(min_length=1, max_length=3)
    about: Sentence


class ResearchNote(HandOff):
    """One view made of the analysts' reports, with what they disagree on left visible."""

    thesis: Annotated[str, Field(min_length=1, max_length=2_000), Stored]
    views: list[RankedView] = Field(max_length=100, description="Symbols from the most to the least attractive.")
    dissent: list[Dissent] = Field(default=[], max_length=10)


class RiskRuling(HandOff):
    """What becomes of the trader's proposal."""

    ruling: Literal["approve", "reduce", "veto"] = Field(
        description="approve it as it is; reduce it to `allocations`; veto it, so that the firm holds."
    )
    allocations: dict[SymbolName, Fraction] | None = Field(
        default=None,
        max_length=100,
        description="Only with reduce: the whole target, symbol by symbol; what is left out is cut to 0.",
    )
    rationale: Annotated[str, Field(min_length=1, max_length=1_200), Stored]

    @model_validator(mode="after")
    def allocations_fit_the_ruling(self) -> "RiskRuling":
        if self.ruling == "reduce" and not self.allocations:
            raise ValueError("reduce needs allocations; to sell everything, allocate 1 to the quote asset")
        if self.ruling != "reduce" and self.allocations:
            raise ValueError(f"{self.ruling} carries no allocations")
        return self


HAND_OFFS: Mapping[str, type[BaseModel]] = {
    **dict.fromkeys(ANALYSTS, AnalystReport),
    "researcher": ResearchNote,
    "trader": ReplySchema,
    "risk": RiskRuling,
}
_BYTES_MAX = {**dict.fromkeys(ANALYSTS, REPORT_BYTES_MAX), "researcher": NOTE_BYTES_MAX, "trader": PROPOSAL_BYTES_MAX}


def tier_of(role: str) -> Tier:
    return "analyst" if role in ANALYSTS else "desk"


def handed_on(output: BaseModel) -> dict[str, Any]:
    """What the next role is shown of it: all, but of a proposal's rationale no more than the beginning."""
    content = output.model_dump()
    if isinstance(output, ReplySchema):
        content["rationale"] = cut(output.rationale, PROPOSAL_RATIONALE_BYTES_MAX, encoded_bytes)
    return content


def read_hand_off(role: str, text: str) -> tuple[BaseModel | None, tuple[Violation, ...]]:
    """What this role hands on, read out of its reply; None with the reasons when it cannot be used."""
    read = read_json(text, HAND_OFFS[role])
    if read.said is None:
        return None, read.violations
    size, most = encoded_bytes(handed_on(read.said)), _BYTES_MAX.get(role)
    if most and size > most:
        return None, (Violation("hand_off_is_short", f"it takes {size} bytes, more than the {most} it may hand on"),)
    return read.said, ()


# -- Each role's part of the brief -----------------------------------------------------------------------------------

_PRICES = ("price", "high_24h", "low_24h")
_CHANGES = ("change_1d", "change_7d", "change_28d")
_ROW_FIELDS: Mapping[str, tuple[str, ...]] = {
    "technical": (*_PRICES, *_CHANGES, "volatility_28d", "closes_1d"),
    "sentiment": (*_PRICES, "change_1d", "change_7d", "volume_24h", "positioning"),
    "tokenomics": ("price", "volume_24h", "change_28d", "day"),
    "researcher": ("price", *_CHANGES, "volatility_28d"),
    "trader": (*_PRICES, *_CHANGES, "volatility_28d", "volume_24h", "closes_1d", "step", "min_notional", "book"),
    "risk": ("price", *_CHANGES, "volatility_28d", "min_notional"),
}
_TOP_FIELDS: Mapping[str, tuple[str, ...]] = {
    "researcher": ("cycle", "cycles", "rules"),
    "trader": ("version", "cycle", "cycles", "you", "rules", "portfolio", "leaderboard"),
    "risk": ("cycle", "cycles", "rules", "portfolio"),
}
_BOARD_FIELDS = ("entry", "rank", "net_return")
_MARKET_FIELDS = ("as_of", "source", "missing", "off_because", "halted")
# What an analyst's trade would be read from, and this brief does not have.
_NOT_IN_ANY_BRIEF = {"tokenomics": ["supply schedule"]}


def part_for(role: str, brief: Mapping[str, Any]) -> dict[str, Any]:
    """What this role is shown of the brief: named fields only, so that nothing else can ever reach it.

    Sources that are off are said to be off; turnover is what was traded in a day at the last price, in quote.
    """
    part = _picked(brief, _TOP_FIELDS.get(role, ("cycle",)))
    if "leaderboard" in part:
        part["leaderboard"] = [_picked(line, _BOARD_FIELDS) for line in part["leaderboard"]]
    market = brief.get("market", {})
    rows = {name: _picked(row, _ROW_FIELDS[role]) for name, row in market.get("symbols", {}).items()}
    if role == "tokenomics":
        rows = {name: {**row, "turnover_24h": _turnover(row)} for name, row in rows.items()}
    off = [*market.get("off", ()), *_NOT_IN_ANY_BRIEF.get(role, ())]
    part["market"] = {**_picked(market, _MARKET_FIELDS), "symbols": rows, "off": off}
    return part


def _picked(content: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: content[name] for name in names if name in content}


def _turnover(row: Mapping[str, Any]) -> str | None:
    if row.get("price") is None or row.get("volume_24h") is None:
        return None
    return plain(Decimal(row["price"]) * Decimal(row["volume_24h"]))
