"""One live cycle on a real PostgreSQL: our own CPU per turn, and whether it grows faster than the number of entries.

Everything is real but the agents, who answer at once. Leasing, storing, judging, trading, settling and closing are
measured together; the database's own CPU is not ours and not counted. There is no peer: it is a figure to keep.
"""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from bench._engines import engines_of_its_own

SIZES = (13, 100, 1000)
START = datetime(2024, 1, 1, tzinfo=UTC)


def season_of(entries: int):
    """An open season of so many entries: random baselines, each with a seed of its own."""
    from agents.core.roster import Profile
    from competition.core.rules import Rules
    from competition.services.demo import UNIVERSE
    from competition.services.seasons import draft_season, open_season

    rules = Rules(universe=UNIVERSE, market_source="synthetic", market_starts_at=START, starts_at=START, cycles=4)
    profiles = [
        Profile(f"random-{n}", f"Random {n}", "single", "example/random", {"seed": n}) for n in range(1, entries + 1)
    ]
    season = draft_season(f"bench-{entries}", "Bench", rules, profiles)
    return open_season(season.id, START)


@asynccontextmanager
async def at_once():
    """A runner that answers as soon as it is asked."""
    from agents.core.answers import Answer
    from agents.core.baselines import baseline_reply

    async def ask(question, admit=None):
        await asyncio.sleep(0)
        return Answer(baseline_reply("baseline/random", question.parameters, question.brief.content))

    yield ask


def measure(entries: int) -> dict[str, float]:
    """Play the first cycle of a season of this size; CPU and wall time per turn in milliseconds."""
    from competition.services import asking_round, ticking

    season = season_of(entries)
    now = START

    def dispatch(step: str, cycle_id: int) -> None:
        if step == ticking.ASK:
            asking_round.ask_cycle(cycle_id, lambda: now, at_once)
        else:
            ticking.advance(cycle_id, lambda: now)

    wall_before, cpu_before = time.perf_counter(), time.process_time()
    for after in (timedelta(0), timedelta(milliseconds=1), timedelta(hours=1)):
        now = START + after
        ticking.tick(now, dispatch)
    wall_s, cpu_s = time.perf_counter() - wall_before, time.process_time() - cpu_before
    cycle = season.cycles.get(number=1)
    assert cycle.state == "closed", cycle.reason
    assert cycle.turns.filter(verdict="rebalance", state="settled").count() == entries
    season.refresh_from_db()
    season.close_reason = "bench"
    season.state, season.closed_at = "closed", now
    season.save()
    return {"cpu_ms_per_turn": cpu_s / entries * 1000, "wall_ms_per_turn": wall_s / entries * 1000}


def main() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    ours = {}
    for entries in SIZES:
        found = measure(entries)
        print(
            f"{entries:>5} entries: {found['cpu_ms_per_turn']:.1f} ms CPU, {found['wall_ms_per_turn']:.1f} ms per turn"
        )
        ours[str(entries)] = {name: round(value, 2) for name, value in found.items()}
    print(json.dumps({"name": "cycle", "ours": ours, "peers": {}, "ratio": {}}))


if __name__ == "__main__":
    with engines_of_its_own():
        main()
