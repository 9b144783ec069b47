"""Every public page at 200 entries and 104 cycles: milliseconds until it is answered, and queries asked.

The season is played once by the engine and kept under DATA: baselines all, of which twenty trade by lot
every week and the others hold bitcoin, which takes minutes and not a quarter of an hour. So that pages have calls to
add up, each turn is given one as a model would have made it, and six those of the twenty, as of a firm: made up for
this. A page is answered in process, through every middleware, without the memory that boards are served from. There is
no peer: the figures to keep are 50 ms, with what PostgreSQL takes, and 12 queries; our own CPU stands beside.
"""

import atexit
import json
import os
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.models import Attempt, Call

ENTRIES, BY_LOT, CYCLES, TIMES = 200, 20, 104, 5
ROWS_AT_ONCE = 5_000
MS_MAX, QUERIES_MAX = 50.0, 12
START = datetime(2022, 1, 3, tzinfo=UTC)
SLUG = f"bench-{ENTRIES}x{CYCLES}-called"


def ensure_season() -> None:
    """The season of this size, unless it is there from another time."""
    from django.db import connection, transaction

    from agents.core.roster import Profile, house
    from competition.core.play import play
    from competition.core.rules import Rules
    from competition.models import Season
    from competition.services.demo import UNIVERSE
    from competition.services.loading import save_played_season
    from competition.services.markets import candles_of
    from competition.services.playing import contestants_for
    from competition.services.seasons import draft_season
    from market.queries import listed_symbols

    if Season.objects.filter(slug=SLUG).exclude(state="draft").exists():
        return
    rules = Rules(universe=UNIVERSE, market_source="synthetic", market_starts_at=START, starts_at=START, cycles=CYCLES)
    (held,) = [profile for profile in house(7, UNIVERSE) if profile.slug == rules.benchmark]
    by_lot = [Profile(f"random-{n}", f"Random {n}", "baseline", "baseline/random", {"seed": n}) for n in range(BY_LOT)]
    others = [replace(held, slug=f"held-{n}", name=f"Held {n}") for n in range(ENTRIES - BY_LOT - 1)]
    players = [held, *by_lot, *others]
    done = play(SLUG, rules, listed_symbols(rules.universe), contestants_for(players), candles_of(rules))
    with transaction.atomic():  # whole or not at all, so that an interrupted run leaves nothing half made
        save_played_season(draft_season(SLUG, "Bench", rules, players), done, "played for the bench")
        make_up_calls()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as PostgreSQL does by itself a minute later


def make_up_calls() -> None:
    """One call for each turn, six where a firm would have made them; each says what the brief said."""
    from agents.core.firm_roles import ANALYSTS, DESK
    from agents.models import Attempt, Call

    attempts = Attempt.objects.filter(brief__turn__cycle__season__slug=SLUG).select_related("brief__agent")
    rows: list[Call] = []
    for attempt in attempts.iterator():
        roles = (*ANALYSTS, *DESK) if attempt.brief.agent.slug.startswith("random-") else ("single",)
        rows += (made_up_call(attempt, position, role) for position, role in enumerate(roles, start=1))
        if len(rows) >= ROWS_AT_ONCE:
            Call.objects.bulk_create(rows)
            rows.clear()
    Call.objects.bulk_create(rows)


def made_up_call(attempt: "Attempt", position: int, role: str) -> "Call":
    from agents.models import Call, Charge

    fails = attempt.pk % 20 == 0
    return Call(
        attempt=attempt,
        position=position,
        role=role,
        number=1,
        requested_model=f"made-up/{'strong' if position > 3 else 'cheap'}",
        messages=[{"role": "user", "content": json.dumps(attempt.brief.content)}],
        reply=attempt.reply,
        prompt_tokens=3_000 + position,
        completion_tokens=200,
        cached_tokens=position * 100,
        charge=Charge.WORST if fails else Charge.USAGE,
        error_class="timeout" if fails else "",
        tokens_charged=3_200 + position,
        usd="0.000375",
        started_at=attempt.started_at,
        latency_ms=2_000,
        request_sha256="0" * 64,
        reply_sha256="0" * 64,
    )


def addresses() -> dict[str, str]:
    """One address of every kind of page, by what it is."""
    season = f"/s/{SLUG}/"
    return {
        "board, last weeks alone": f"{season}?weeks=4&returns=gross",
        "entry": f"{season}e/random-7/",
        "cycle": f"{season}c/{CYCLES}/",
        "turn": f"{season}c/{CYCLES}/e/random-7/",
        "market": f"{season}m/BTCUSDT/",
        "compare": f"{season}compare/?e=random-7&e=random-8",
        "costs": f"{season}costs/",
        "rules": f"{season}rules/",
        "backtests": "/backtests/",
        "seasons": "/seasons/",
        "status": "/status/",
        "reliability": "/reliability/",
        "about": "/about/",
        "API docs": "/api/v1/docs",
        "leaderboard of the API": f"/api/v1/leaderboard?season={SLUG}",
        "export of the API": f"/api/v1/seasons/{SLUG}/export",
    }


def measured(address: str) -> dict[str, float | int]:
    """Medians of some answers behind one that warms up."""
    from django.db import connection
    from django.test import Client

    client = Client()
    asked: list[str] = []

    def note(execute, sql, params, many, context):
        asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    cpu, wall = [], []
    for _ in range(TIMES):
        began_cpu, began = time.process_time(), time.perf_counter()
        client.get(address)
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
    return {
        "cpu_ms": round(statistics.median(cpu) * 1000, 1),
        "wall_ms": round(statistics.median(wall) * 1000, 1),
        "queries": len(asked),
        "kB": round(len(response.content) / 1000),
    }


def main() -> None:
    from config import engines

    data = engines.data_folder(os.environ.get("DATA")) / SLUG
    found = engines.use(data)
    os.environ |= {
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "SECRET_KEY": "bench",
        "ALLOWED_HOSTS": "testserver",
        "API_READS_PER_MINUTE": "1000000",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    import django
    from django.conf import settings
    from django.core.management import call_command

    from config.garbage import look_seldom

    django.setup()
    atexit.register(engines.release, data)
    call_command("migrate", verbosity=0)
    ensure_season()
    import_module(settings.ROOT_URLCONF)
    look_seldom()  # as the server does
    rows = {}
    for kind, address in addresses().items():
        rows[kind] = row = measured(address)
        over = " OVER" if row["wall_ms"] > MS_MAX or row["queries"] > QUERIES_MAX else ""
        times = f"{row['wall_ms']:7.1f} ms {row['cpu_ms']:8.1f} ms CPU"
        print(f"{kind:26} {times} {row['queries']:3} queries {row['kB']:5} kB{over}", flush=True)
    worst = max(row["wall_ms"] for row in rows.values())
    print(json.dumps({"name": "pages", "ours": round(1000 / worst, 1), "peers": {}, "ratio": {}, "pages": rows}))


if __name__ == "__main__":
    main()
