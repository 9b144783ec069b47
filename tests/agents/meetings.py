"""A firm whose six roles say what a test has them say, on a clock that only waiting moves.

came = meet(Cast())                              everybody says something usable
came = meet(Cast(sentiment=SILENCE))             an analyst does not answer
came = meet(Cast(risk=ruling("reduce", "BTC 20%")))
"""

import asyncio
import json
import selectors
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.baselines import rebalance_text
from agents.core.blocks import Objection, blocks_of
from agents.core.firm import Deliberation, RoleAnswer, RoleFailure, RoleQuestion, deliberate
from market.core.canonical import plain
from tests.notation import R, W, content

BRIEF = content("BTC change_28d 0.1, ETH change_28d 0.2, SOL change_28d -0.1", holdings="BTC 30%, SOL 20%")
SILENCE = RoleFailure("the provider is overloaded")
CHATTER = RoleAnswer("I would rather talk about the weather.")
BROKEN_OFF = RoleAnswer(R("BTC 40%"), truncated=True)


def report(stances: str = "BTC 0.5, ETH 0.2", summary: str = "It rises.") -> str:
    pairs = (part.split() for part in stances.split(", "))
    told = {f"{base}USDT": float(stance) for base, stance in pairs}
    return json.dumps({"stances": told, "confidence": 0.5, "summary": summary})


NOTE = json.dumps({"thesis": "Bitcoin first.", "views": [{"symbol": "BTCUSDT", "stance": 0.4, "why": "trend"}]})


def ruling(kind: str, weights: str = "", why: str = "So it is.") -> str:
    """`ruling("reduce", "BTC 20%")`."""
    if not weights:
        return json.dumps({"ruling": kind, "rationale": why})
    inside = ", ".join(f'"{name}": {plain(weight)}' for name, weight in W(weights).items())
    return f'{{"ruling": "{kind}", "allocations": {{{inside}}}, "rationale": {json.dumps(why)}}}'


USUAL = report()
DOUBTFUL = report("BTC -0.3, ETH 0.1")
PROPOSAL = rebalance_text(W("BTC 40%, ETH 30%"), "As the note says.")
APPROVED = ruling("approve")
Said = str | RoleAnswer | RoleFailure


@dataclass
class Cast:
    """What each role says; a list is said one after the other. `seconds` is how long each takes."""

    technical: Said = USUAL
    sentiment: Said = DOUBTFUL
    tokenomics: Said = USUAL
    researcher: Said = NOTE
    trader: Said = PROPOSAL
    risk: Said | list[Said] = APPROVED
    seconds: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        self.asked: list[RoleQuestion] = []
        self.began: dict[str, float] = {}

    async def ask(self, question: RoleQuestion) -> RoleAnswer | RoleFailure:
        now = asyncio.get_running_loop().time
        self.began.setdefault(question.role, now())
        self.asked.append(question)
        await asyncio.sleep((self.seconds or {}).get(question.role, 1))
        said = getattr(self, question.role)
        if isinstance(said, list):
            said = said[sum(earlier.role == question.role for earlier in self.asked) - 1]
        return RoleAnswer(said) if isinstance(said, str) else said

    @property
    def roles(self) -> list[str]:
        return [question.role for question in self.asked]

    def shown(self, role: str, time: int = 0) -> dict[str, Any]:
        """The data this role was shown, by block, the first or another time it was asked."""
        questions = [question for question in self.asked if question.role == role]
        return blocks_of(questions[time].messages)


class _Waiting(selectors.DefaultSelector):
    """Waits for nothing: it moves the clock on by what it was to wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0
        return super().select(0)


def meet(
    cast: Cast,
    brief: Mapping[str, Any] = BRIEF,
    quorum: int = 2,
    objections: Sequence[Objection] = (),
    last_reply: str = "",
) -> Deliberation:
    return meet_timed(cast, brief, quorum, objections, last_reply)[0]


def meet_timed(
    cast: Cast,
    brief: Mapping[str, Any] = BRIEF,
    quorum: int = 2,
    objections: Sequence[Objection] = (),
    last_reply: str = "",
) -> tuple[Deliberation, float]:
    """What the firm came to, and after how many seconds of its own clock."""
    return timed(deliberate(brief, objections, last_reply, cast.ask, quorum, asyncio.gather))


def timed[Result](work: Coroutine[Any, Any, Result]) -> tuple[Result, float]:
    """What work comes to in a loop of its own that never really waits, and after how many seconds of its clock."""
    waiting = _Waiting()
    loop = asyncio.SelectorEventLoop(waiting)
    loop.time = lambda: waiting.now  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(work), waiting.now
    finally:
        loop.close()
