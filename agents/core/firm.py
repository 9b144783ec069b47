"""A firm: three analysts at once, then researcher, trader and risk manager, each reading what the one before hands on.

A role that is missing is said to be missing, to the next role and in the record; nobody speaks in its place. Below
the quorum of analysts, or without one of the desk, the firm has no reply: it is silent, it does not choose to hold.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from agents.core.blocks import Objection, cut, encoded_bytes, told
from agents.core.calls import Message
from agents.core.firm_roles import (
    ANALYSTS,
    FIRM_ROLES,
    REASON_CHARACTERS_MAX,
    AnalystReport,
    ResearchNote,
    RiskRuling,
    Tier,
    handed_on,
    read_hand_off,
    tier_of,
)
from agents.core.firm_rules import diff_of, dissent_of, objections_to, reply_of
from agents.core.prompts import LAST_REPLY_BYTES_MAX, PROMPT_VERSIONS, SCHEMAS, brief_for, repaired, role_messages
from agents.core.reply import ReplySchema
from agents.core.text import storable
from market.core.canonical import canonical_json
from portfolio.core.decisions import Violation

TITLES = {
    **{role: f"{role} analyst" for role in ANALYSTS},
    "researcher": "researcher",
    "trader": "trader",
    "risk": "risk manager",
}
# Analysts are asked at the same time, so theirs is one of four rounds of calls, or of five when the risk manager is
# asked twice. They get more than a round's share, enough for a second try, and leave a fifth of all time to each role.
ANALYSTS_TIME_SHARE = 0.4
CUT_OFF = "the model was cut off before its answer was whole"


@dataclass(frozen=True, slots=True)
class RoleQuestion:
    """What one role is asked. `tier` says which of the firm's models answers."""

    role: str
    tier: Tier
    messages: tuple[Message, ...]
    reply_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoleAnswer:
    """What a role said, verbatim; one that was `truncated` is not used."""

    text: str
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class RoleFailure:
    """No answer came from a role, and why, in words that may be shown to the public."""

    reason: str


Ask = Callable[[RoleQuestion], Awaitable[RoleAnswer | RoleFailure]]
AtOnce = Callable[..., Awaitable[Sequence[Any]]]  # as asyncio.gather: starts all of them, waits for all


def role_ends_at(tier: Tier, now_s: float, deadline_s: float) -> float:
    """When a role asked now must have answered, in seconds of the clock on which the firm's time ends at `deadline_s`.

    An analyst that hangs is a missing one, which the quorum is for: it must not take the time of those after it.
    """
    share = ANALYSTS_TIME_SHARE if tier == "analyst" else 1.0
    return now_s + (deadline_s - now_s) * share


@dataclass(frozen=True, slots=True)
class Deliberation:
    """What a firm came to. `reply` is None with a `reason` when it came to nothing; `content` is the public record.

    `truncated`: it came to nothing because a model was cut off.
    """

    reply: str | None
    reason: str
    truncated: bool
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came of asking one role: `output` is None when there is nothing to use, and `why` says why not."""

    role: str
    text: str = ""
    output: BaseModel | None = None
    why: str = ""
    violations: tuple[Violation, ...] = ()
    truncated: bool = False
    asked: int = 1
    objected: str = ""  # to its first answer, where it was asked twice

    @property
    def status(self) -> str:
        if self.output is not None:
            return "used"
        return "unusable" if self.truncated or self.violations else "no answer"


@dataclass(slots=True)
class _Minutes:
    """The record of one deliberation, as it goes on."""

    quorum: int
    heard: dict[str, _Heard] = field(default_factory=dict)
    diff: dict[str, list[str]] = field(default_factory=dict)

    @property
    def reports(self) -> dict[str, AnalystReport]:
        outputs = {role: self.heard[role].output for role in ANALYSTS if role in self.heard}
        return {role: output for role, output in outputs.items() if isinstance(output, AnalystReport)}

    @property
    def missing(self) -> dict[str, str]:
        return {role: self.heard[role].why for role in ANALYSTS if role not in self.reports}

    def without_reply(self, reason: str, truncated: bool = False) -> Deliberation:
        return Deliberation(None, _short(reason), truncated, self.content())

    def content(self) -> dict[str, Any]:
        return {
            "quorum": self.quorum,
            "analysts_used": len(self.reports),
            "missing": self.missing,
            "dissent": dissent_of(self.reports),
            "diff": self.diff,
            "roles": {role: _role_content(role, self.heard.get(role)) for role in FIRM_ROLES},
        }


async def deliberate(
    brief: Mapping[str, Any],
    objections: Sequence[Objection],
    last_reply: str,
    ask: Ask,
    quorum: int,
    at_once: AtOnce,
) -> Deliberation:
    """Let a firm decide on a brief. `ask` puts a question to a role and never raises; `at_once` is asyncio.gather.

    `quorum` is how many analysts must be usable; `objections` say what was wrong with the firm's `last_reply`.
    """
    minutes = _Minutes(quorum)
    for heard in await at_once(*(_hear(ask, analyst_question(role, brief)) for role in ANALYSTS)):
        minutes.heard[heard.role] = heard
    if len(minutes.reports) < quorum:
        return minutes.without_reply(_below_quorum(minutes), any(heard.truncated for heard in minutes.heard.values()))
    research = await _hear(ask, researcher_question(brief, _reports_told(minutes)))
    minutes.heard["researcher"] = research
    if not isinstance(research.output, ResearchNote):
        return minutes.without_reply(*_unusable(research))
    trade = await _hear(ask, trader_question(brief, handed_on(research.output), objections, last_reply))
    minutes.heard["trader"] = trade
    if not isinstance(trade.output, ReplySchema):
        return minutes.without_reply(*_unusable(trade))
    risk = await _hear_risk(ask, brief, trade.output, objections, last_reply)
    minutes.heard["risk"] = risk
    if not isinstance(risk.output, RiskRuling):
        return minutes.without_reply(*_unusable(risk))
    minutes.diff = diff_of(risk.output, trade.output, brief)
    return Deliberation(reply_of(risk.output, trade.text), "", False, minutes.content())


# -- What each role is asked ---------------------------------------------------------------------------------------


def analyst_question(role: str, brief: Mapping[str, Any]) -> RoleQuestion:
    return _question(role, {"brief": brief_for(role, brief)})


def researcher_question(brief: Mapping[str, Any], reports: Any) -> RoleQuestion:
    """`reports` by analyst, a missing one with the reason."""
    return _question("researcher", {"brief": brief_for("researcher", brief), "reports": reports})


def trader_question(
    brief: Mapping[str, Any], note: Any, objections: Sequence[Objection], last_reply: str
) -> RoleQuestion:
    blocks = {"brief": brief_for("trader", brief), "note": note, **_before(objections, last_reply)}
    return _question("trader", blocks)


def risk_question(
    brief: Mapping[str, Any], proposal: Any, objections: Sequence[Objection], last_reply: str
) -> RoleQuestion:
    blocks = {"brief": brief_for("risk", brief), "proposal": proposal, **_before(objections, last_reply)}
    return _question("risk", blocks)


def _question(role: str, blocks: Mapping[str, Any]) -> RoleQuestion:
    return RoleQuestion(role, tier_of(role), role_messages(role, blocks), SCHEMAS[role])


def _before(objections: Sequence[Objection], last_reply: str) -> dict[str, Any]:
    """What the firm said before and what was wrong with it, when it is asked again."""
    if not objections:
        return {}
    said = cut(storable(last_reply), LAST_REPLY_BYTES_MAX, encoded_bytes)
    return {"last_reply": said, "objections": told(objections)}


def _reports_told(minutes: _Minutes) -> dict[str, Any]:
    reports = {role: handed_on(report) for role, report in minutes.reports.items()}
    return {**reports, **{role: {"missing": why} for role, why in minutes.missing.items()}}


# -- What each role said -------------------------------------------------------------------------------------------


async def _hear(ask: Ask, question: RoleQuestion) -> _Heard:
    answer = await ask(question)
    if isinstance(answer, RoleFailure):
        return _Heard(question.role, why=_short(answer.reason or "no reason was given"))
    if answer.truncated:
        return _Heard(question.role, answer.text, why=CUT_OFF, truncated=True)
    output, violations = read_hand_off(question.role, answer.text)
    return _Heard(question.role, answer.text, output, _short(_sentence(violations)), violations)


async def _hear_risk(
    ask: Ask,
    brief: Mapping[str, Any],
    proposal: ReplySchema,
    objections: Sequence[Objection],
    last_reply: str,
) -> _Heard:
    """The risk manager's ruling. One that cannot be used is asked for once more, with what is wrong with it."""
    question = risk_question(brief, handed_on(proposal), objections, last_reply)
    first = _within_powers(await _hear(ask, question), proposal, brief)
    if not first.violations:
        return first
    again = replace(question, messages=repaired(question.messages, first.violations, first.text))
    second = _within_powers(await _hear(ask, again), proposal, brief)
    return replace(second, asked=2, objected=first.why)


def _within_powers(heard: _Heard, proposal: ReplySchema, brief: Mapping[str, Any]) -> _Heard:
    """The ruling, or why it is none: a risk manager who raises anything has not ruled."""
    if not isinstance(heard.output, RiskRuling):
        return heard
    violations = objections_to(heard.output, proposal, brief)
    if not violations:
        return heard
    return replace(heard, output=None, why=_short(_sentence(violations)), violations=violations)


# -- How it is told ------------------------------------------------------------------------------------------------


def _below_quorum(minutes: _Minutes) -> str:
    missing = "; ".join(f"{TITLES[role]}: {why}" for role, why in minutes.missing.items())
    return f"{len(minutes.reports)} of {len(ANALYSTS)} analysts are usable, the quorum is {minutes.quorum} ({missing})"


def _unusable(heard: _Heard) -> tuple[str, bool]:
    again = ", asked twice" if heard.asked > 1 else ""
    return f"nothing usable from the {TITLES[heard.role]}{again}: {heard.why}", heard.truncated


def _role_content(role: str, heard: _Heard | None) -> dict[str, Any]:
    """One role in the record; its messages, reply and cost stand in its calls."""
    output = heard.output.model_dump() if heard and heard.output else None
    return {
        "tier": tier_of(role),
        "prompt": PROMPT_VERSIONS[role],
        "status": heard.status if heard else "not asked",
        "why": heard.why if heard else "",
        "asked": heard.asked if heard else 0,
        "objected": heard.objected if heard else "",
        "output": json.loads(canonical_json(output)),
    }


def _sentence(violations: Sequence[Violation]) -> str:
    return "; ".join(violation.detail for violation in violations)


def _short(reason: str) -> str:
    text = storable(reason)
    return text if len(text) <= REASON_CHARACTERS_MAX else f"{text[: REASON_CHARACTERS_MAX - 1]}…"
