"""Runs that try to break the site, as values: what one did, what was done to it, and what did not hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class RunKind(StrEnum):
    """How it is tried: on a virtual clock, with real processes, or by removing a guard and looking who notices."""

    SIMULATION = "simulation"
    CHAOS = "chaos"
    MUTATIONS = "mutations"


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run. `counts` and `faults` are by what they count, in words that a page can show.

    Instants are wall clock. `findings` are what did not hold, in words; none is a clean run.
    """

    kind: RunKind
    seed: int
    started_at: datetime
    ended_at: datetime
    counts: Mapping[str, int]
    faults: Mapping[str, int]
    findings: tuple[str, ...] = field(default=())
    seeds_count: int = 1
