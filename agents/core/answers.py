"""What an agent is asked, and what comes back: a reply, or none with the reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.brief import Brief
from agents.core.calls import CallRecord
from agents.core.pricing import NOTHING, ModelCard, Worst
from portfolio.core.decisions import Decision, Violation


@dataclass(frozen=True, slots=True)
class Question:
    """One attempt as it is sent to a runner. `run_token` belongs to this attempt alone.

    `objections` says what was wrong with `last_reply`, the reply before; `seconds` is how long the reply may take.
    `allowance` is the most that all calls together may use, at the prices of `cards`.
    """

    run_token: str
    model: str
    parameters: Mapping[str, Any]
    brief: Brief
    objections: tuple[Violation, ...]
    seconds: float
    agent: str = ""
    kind: str = "single"
    last_reply: str = ""
    cards: tuple[ModelCard, ...] = ()
    allowance: Worst = NOTHING


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply, verbatim. One that was `truncated` never counts, whatever it says.

    `calls` is what was asked of models on the way, `deliberation` a firm's record of who said what.
    """

    text: str
    truncated: bool = False
    calls: tuple[CallRecord, ...] = ()
    deliberation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing usable came: time ran out, the runner was gone. Never a hold, never a trade.

    `calls_known` is False when nobody can say what was asked of models on the way: then the worst is assumed.
    """

    reason: str
    calls: tuple[CallRecord, ...] = ()
    deliberation: Mapping[str, Any] | None = None
    calls_known: bool = True


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that came as values and need not be read; the rules hold for it all the same."""

    decision: Decision


# (brief, what was wrong with the last answer; empty the first time) -> what came back
Decide = Callable[[Brief, Sequence[Violation]], Answer | NoAnswer]
# likewise, from whoever may also have the decision as values
DecideFreely = Callable[[Brief, Sequence[Violation]], Answer | Decided | NoAnswer]
