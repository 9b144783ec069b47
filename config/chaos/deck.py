"""Which fault comes when: a deck of all there are, dealt to its end before it is shuffled again.

So a run of half a minute has met each of them once, and a longer one none much oftener than the others.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

POSTGRES, REDIS, EXCHANGE, EVERYTHING = "postgres", "redis", "exchange", "everything"
TICKERS = ("ticker", "third ticker")
WRITERS = (*TICKERS, "beat", "executor", "orchestrator")  # who may change the record
PROCESSES = (*WRITERS, "runner", EXCHANGE, "web")
PARENTS = ("executor", "runner")  # who work through children
PAUSE_S, DOWN_S, FROZEN_S = (0.3, 2.2), (0.0, 2.0), (0.5, 3.5)
MACHINE_EVERY = 3  # decks, since after it every process has to start at once


class Deed(StrEnum):
    """`KILL` and `KILL_CHILD` are SIGKILL, `FREEZE` is SIGSTOP and after a while SIGCONT."""

    KILL = "killed"
    KILL_CHILD = "killed a child of"
    FREEZE = "frozen"
    FLUSH = "flushed"
    FORGE = "forged messages in"
    LOSE_ANSWER = "lost an answer of"


@dataclass(frozen=True, slots=True)
class Fault:
    """`after_s` is since the fault before it, `lasts_s` until whom it met is started again or goes on."""

    deed: Deed
    whom: str
    after_s: float
    lasts_s: float


DECK = (
    *((Deed.KILL, name) for name in (*PROCESSES, POSTGRES, REDIS)),
    *((Deed.FREEZE, name) for name in (*PROCESSES, POSTGRES, REDIS)),
    *((Deed.KILL_CHILD, name) for name in PARENTS),
    (Deed.FLUSH, REDIS),
    (Deed.FORGE, REDIS),
    (Deed.LOSE_ANSWER, EXCHANGE),
)
# The whole machine goes down and comes up.
MACHINE = (Deed.KILL, EVERYTHING)


def dealt(seed: int) -> Iterator[Fault]:
    """Faults without end, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - faults, not a secret
    for number in itertools.count(1):
        cards = (*DECK, MACHINE) if number % MACHINE_EVERY == 0 else DECK
        for deed, whom in dice.sample(cards, len(cards)):
            spell = FROZEN_S if deed is Deed.FREEZE else DOWN_S
            yield Fault(deed, whom, dice.uniform(*PAUSE_S), dice.uniform(*spell))
