"""Questions of backtests that were answered already: the same question is not asked, and not paid for, twice.

A live season neither reads nor writes here: there everybody is asked afresh, every time.
"""

from collections.abc import Mapping
from typing import Any

from agents.core.answers import Answer, Question
from agents.core.budgeting import makes_calls_of_ours
from agents.core.prompts import SYSTEM_TEXTS
from agents.models import Attempt, KeptReply
from market.core.canonical import sha256_of


def question_sha256(question: Question) -> str:
    """The hash of all that decides what is asked: model, parameters, our texts, brief, objections, the reply before.

    Who makes calls of its own is asked by name, since its model string tells nothing of what it asks.
    """
    asked: Mapping[str, Any] = {
        "agent": "" if makes_calls_of_ours(question.model) else question.agent,
        "kind": question.kind,
        "model": question.model,
        "parameters": dict(question.parameters),
        "texts": SYSTEM_TEXTS,
        "brief": question.brief.content,
        "objections": [[one.rule, one.detail] for one in question.objections],
        "last_reply": question.last_reply,
    }
    return sha256_of(asked)


def kept_answer(sha256: str) -> Answer | None:
    """The reply to this question as it was stored, or None when it was never answered."""
    row = KeptReply.objects.select_related("attempt").filter(question_sha256=sha256).first()
    return None if row is None else Answer(row.attempt.reply, row.attempt.truncated)


def keep_answer(sha256: str, attempt: Attempt) -> None:
    """Keep the reply of this attempt; of two replies to one question the first is kept."""
    KeptReply.objects.get_or_create(question_sha256=sha256, defaults={"attempt": attempt})
