"""The calls one attempt will make, each with the most tokens it can take, known before anything is asked.

Hand-offs between roles are not known yet and count at their greatest size, which is why every one of them is bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.blocks import OBJECTIONS_BYTES_MAX, Objection, utf8_bytes
from agents.core.firm import RoleQuestion, analyst_question, researcher_question, risk_question, trader_question
from agents.core.firm_roles import ANALYSTS, NOTE_BYTES_MAX, PROPOSAL_BYTES_MAX, REPORT_BYTES_MAX, Tier
from agents.core.parameters import AgentParameters
from agents.core.pricing import TOKENS_AROUND_A_MESSAGE, prompt_tokens_bound
from agents.core.prompts import LAST_REPLY_BYTES_MAX, REPAIR, SCHEMAS, single_messages

_NAME_BYTES = 20  # an analyst's name before its report, with quotes, colon and comma
_REPORTS_BYTES_MAX = len(ANALYSTS) * (REPORT_BYTES_MAX + _NAME_BYTES)
_TAGS_BYTES = 64  # around a block, with the empty lines before it
_REPAIR_TOKENS_MAX = (
    LAST_REPLY_BYTES_MAX
    + utf8_bytes(REPAIR)
    + _TAGS_BYTES
    + OBJECTIONS_BYTES_MAX
    + 2 * TOKENS_AROUND_A_MESSAGE  # two more messages
)


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call that an attempt may make; the bounds are of a single try of it, its reply's schema counted in."""

    role: str
    tier: Tier
    prompt_tokens_max: int
    completion_tokens_max: int


def planned_calls(
    kind: str,
    brief: Mapping[str, Any],
    objections: Sequence[Objection],
    last_reply: str,
    parameters: AgentParameters,
) -> tuple[PlannedCall, ...]:
    """Every call that one attempt of a `single` or a `firm` can make, in order; the risk manager's may come twice."""
    most = parameters.max_output_tokens
    if kind == "single":
        prompt = prompt_tokens_bound(single_messages(brief, objections, last_reply)) + _schema_tokens("single")
        return (PlannedCall("single", "desk", prompt, most),)
    trader = trader_question(brief, "", objections, last_reply)
    risk = risk_question(brief, "", objections, last_reply)
    return (
        *(_planned(analyst_question(role, brief), 0, most) for role in ANALYSTS),
        _planned(researcher_question(brief, ""), _REPORTS_BYTES_MAX, most),
        _planned(trader, NOTE_BYTES_MAX, most),
        _planned(risk, PROPOSAL_BYTES_MAX, most),
        _planned(risk, PROPOSAL_BYTES_MAX + _REPAIR_TOKENS_MAX, most),
    )


def _planned(question: RoleQuestion, more: int, completion_tokens_max: int) -> PlannedCall:
    tokens = prompt_tokens_bound(question.messages) + _schema_tokens(question.role) + more
    return PlannedCall(question.role, question.tier, tokens, completion_tokens_max)


def _schema_tokens(role: str) -> int:
    """What the schema takes where it is sent beside the prompt, counted as `worst_of_call` counts it."""
    return utf8_bytes(str(SCHEMAS[role]))
