"""What an agent is asked, and what comes back: a reply, or none with the reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.brief import Brief
from portfolio.core.decisions import Violation


@dataclass(frozen=True, slots=True)
class Question:
    """One attempt as it is sent to a runner. `run_token` belongs to this attempt alone.

    `objections` says what was wrong with the reply before; `seconds` is how long the reply may take.
    """

    run_token: str
    model: str
    parameters: Mapping[str, Any]
    brief: Brief
    objections: tuple[Violation, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply, verbatim."""

    text: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing usable came: time ran out, the runner was gone. Never a hold, never a trade."""

    reason: str


# (brief, what was wrong with the last answer; empty the first time) -> what came back
Decide = Callable[[Brief, Sequence[Violation]], Answer | NoAnswer]
