"""The asking phase: so many entries whose models take two seconds each, asked by one orchestrator process.

Leasing, reserving, asking over HTTP, storing and judging are measured together, on a real PostgreSQL, against a
runner on loopback that answers every question after two seconds. The peer is the asking alone, without any record.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median

from bench._engines import engines_of_its_own

SIZES = (100, 1000)
ROUNDS = 3
MODEL_S = 2.0
START = datetime(2024, 1, 1, tzinfo=UTC)
RUNNER = f"""
import asyncio, json
from aiohttp import web
async def decide(request):
    asked = await request.json()
    await asyncio.sleep({MODEL_S})
    reply = '{{"action": "rebalance", "allocations": {{"BTCUSDT": 0.4, "ETHUSDT": 0.3}}}}'
    return web.json_response({{"run_token": asked["run_token"], "reply": reply}})
app = web.Application(client_max_size=2**21)
app.router.add_post("/v1/decide", decide)
async def main():
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def season_of(entries: int, number: int):
    """An open season of so many foreign agents, briefed and waiting to be asked."""
    from agents.core.roster import Profile
    from competition.core.rules import Rules
    from competition.services import cycles, seasons
    from competition.services.demo import UNIVERSE
    from competition.services.markets import candles_of

    rules = Rules(universe=UNIVERSE, market_source="synthetic", market_starts_at=START, starts_at=START, cycles=4)
    profiles = [Profile(f"slow-{n}", f"Slow {n}", "single", "example/slow", {}) for n in range(1, entries + 1)]
    season = seasons.draft_season(f"bench-{entries}-{number}", "Bench", rules, profiles)
    season = seasons.open_season(season.id, START)
    cycles.open_due(season.id, START)
    cycle = season.cycles.get(number=1)
    cycles.brief_cycle(cycle.id, START, candles_of(rules))
    return cycle


def ours(entries: int, number: int, address: str) -> float:
    """Seconds from the first lease to the last verdict."""
    from agents.runner_client import runners_at
    from competition.services import asking_round

    cycle = season_of(entries, number)
    started = time.perf_counter()
    asked = asking_round.ask_cycle(
        cycle.id, lambda: START + timedelta(seconds=1), lambda: runners_at(lambda question: address)
    )
    took_s = time.perf_counter() - started
    assert asked == entries
    assert cycle.turns.filter(verdict="rebalance").count() == entries
    season = cycle.season
    season.close_reason, season.state, season.closed_at = "bench", "closed", START
    season.save()
    return took_s


def bare(entries: int, address: str) -> float:
    """Seconds that the same questions take when nothing is read, written or judged."""
    import aiohttp

    async def all_at_once() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one(token: int) -> None:
                async with session.post(f"{address}/v1/decide", json={"run_token": token}) as response:
                    assert (await response.json())["run_token"] == token

            await asyncio.gather(*(one(token) for token in range(entries)))

    started = time.perf_counter()
    asyncio.run(all_at_once())
    return time.perf_counter() - started


def main(address: str) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    found: dict[str, dict[str, float]] = {}
    for entries in SIZES:
        times = [(ours(entries, number, address), bare(entries, address)) for number in range(ROUNDS)]
        mine, peer = (median(column) for column in zip(*times, strict=True))
        print(f"{entries:>5} entries: {mine:.2f} s, asking alone {peer:.2f} s")
        found[str(entries)] = {"wall_s": round(mine, 2), "asking_alone_s": round(peer, 2)}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ratio = {size: round(figures["asking_alone_s"] / figures["wall_s"], 3) for size, figures in found.items()}
    print(
        json.dumps(
            {
                "name": "asking",
                "ours": {size: figures["wall_s"] for size, figures in found.items()} | {"peak_mib": round(peak_mib)},
                "peers": {"aiohttp alone": {size: figures["asking_alone_s"] for size, figures in found.items()}},
                "ratio": {"aiohttp alone": ratio},
            }
        )
    )


if __name__ == "__main__":
    with engines_of_its_own():
        runner = subprocess.Popen([sys.executable, "-c", RUNNER], stdout=subprocess.PIPE, text=True)
        try:
            main(f"http://127.0.0.1:{runner.stdout.readline().strip()}")
        finally:
            runner.kill()
