"""Schedules one after another, each on a database of its own: `python -m tests.schedules.run 500`."""

import sys
import time
from collections import Counter
from typing import Any

from tests.databases import fresh_copy
from tests.schedules.invariants import Violation, check
from tests.schedules.world import World


def run(template: str, seed: int, **shape: Any) -> World:
    """Play and check one schedule; raises `Violation` with its story."""
    with fresh_copy(template):
        world = World(seed, **shape)
        try:
            world.play()
            check(world)
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{type(error).__name__}: {error}\n\n{world.story()}") from error
    return world


def shape_of(seed: int) -> dict[str, Any]:
    """Most schedules are short; every fourth goes on into the next week, every fifth is of proofs beside the ledger."""
    goes_on = seed % 4 == 0
    return {"fills": "reference" if seed % 5 == 0 else "venue", "weeks": 1 + goes_on, "entries": 1 + goes_on}


def run_many(template: str, seeds: range) -> Counter[str]:
    """How many schedules, kills and so on there were, and the seeds that broke something, told as they come."""
    counts = Counter[str]()
    for seed in seeds:
        began = time.monotonic()
        try:
            world = run(template, seed, **shape_of(seed))
        except Violation as violation:
            counts["violations"] += 1
            sys.stderr.write(f"{violation}\n")
            continue
        finally:
            counts["schedules"] += 1
            counts["ms"] += round((time.monotonic() - began) * 1000)
        for name in ("kills", "freezes", "lied_commits", "sends"):
            counts[name] += getattr(world, name)
        if counts["schedules"] % 50 == 0:
            sys.stderr.write(f"{counts['schedules']} schedules, {counts['violations']} violations\n")
        counts["orders accepted"] += len(world.exchange.log)
        counts["wipes"] += world.exchange.life - 1
    return counts
