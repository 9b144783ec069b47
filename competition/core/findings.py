"""What an audit says: findings, each under the invariant that it breaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """The invariants that stored rows can prove; docs/reliability.md tells of the others too."""

    CALENDAR = "I1"
    ENDED = "I2"
    ONE_ORDER = "I3"
    FILLS_POSTED = "I5"
    BALANCED = "I6"
    BOOK = "I7"
    NEVER_BELOW_ZERO = "I8"
    WITHIN_RULES = "I9"
    BOARD = "I10"
    BUDGET = "I11"
    UNCHANGED = "I12"
    FIRST_WORD = "I14"
    LIVENESS = "I15"
    NO_SECRETS = "I16"


WORDS: Mapping[Invariant, str] = {
    Invariant.CALENDAR: "One cycle for each week of the calendar, one at a time",
    Invariant.ENDED: "When a cycle has ended, so has every turn and order of it",
    Invariant.ONE_ORDER: "One order for each leg of a plan, ended once",
    Invariant.FILLS_POSTED: "Every fill is posted once, and nothing else is",
    Invariant.BALANCED: "Every journal sums to zero per asset",
    Invariant.BOOK: "A book is the fold of its journals",
    Invariant.NEVER_BELOW_ZERO: "No balance was ever below zero",
    Invariant.WITHIN_RULES: "Nothing is traded without a decision, or out of its time",
    Invariant.BOARD: "Boards and valuations, computed again, are the same",
    Invariant.BUDGET: "What is reserved and spent adds up, and stays below the caps",
    Invariant.UNCHANGED: "What was recorded has the hash it was recorded under",
    Invariant.FIRST_WORD: "Verdicts follow from the replies, judged again",
    Invariant.LIVENESS: "No cycle stands still",
    Invariant.NO_SECRETS: "Nothing stored has the shape of a key",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: `subject` is whose record it is in. `known` ones were said in public when they arose."""

    invariant: Invariant
    check: str
    subject: str
    sentence: str
    known: bool = False

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.sentence}"

    def content(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            "invariant": self.invariant.value,
            "check": self.check,
            "subject": self.subject,
            "sentence": self.sentence,
            "known": self.known,
        }
