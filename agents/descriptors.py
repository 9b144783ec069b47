"""How many files and connections this process may have open, and what of them is left for questions."""

import logging
import os
import resource
from dataclasses import dataclass

logger = logging.getLogger(__name__)

# More are never needed, and there are libraries that walk through every number up to the limit.
DESCRIPTORS_MAX = 65_536
# As many as the largest round of questions, and as many as the server in front takes at once.
QUESTIONS_MAX = 1_000
# For what is opened in passing: modules, the line of a process while it is handed over, whoever is turned away.
SPARE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Room:
    """How many questions may be open at once, waiting ones with them, and how many of them be worked on."""

    questions: int
    children: int


def room_in(free: int, children_max: int) -> Room:
    """What fits into so many free descriptors: a question takes one, and one more while it is worked on."""
    usable = free - int(free * SPARE_SHARE)
    children = max(min(children_max, usable // 3), 1)
    return Room(questions=max(min(usable - children, QUESTIONS_MAX), 1), children=children)


def free_descriptors() -> int:
    """How many more this process can open, after its limit was raised to the highest it may have."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if most == resource.RLIM_INFINITY else min(most, DESCRIPTORS_MAX)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            limit = wanted
        except (OSError, ValueError) as error:
            logger.warning("the limit of %d descriptors could not be raised to %d: %s", limit, wanted, error)
    return (DESCRIPTORS_MAX if limit == resource.RLIM_INFINITY else limit) - len(os.listdir("/dev/fd"))
