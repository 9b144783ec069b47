"""What comes back when an agent is asked: a reply, or none with the reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.core.brief import Brief
from portfolio.core.decisions import Violation


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


def storable(text: str) -> str:
    """The text as a database can keep it: NUL and lone surrogates, which no UTF-8 column takes, become U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
