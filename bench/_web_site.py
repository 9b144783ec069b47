"""The site that `bench/web.py` and `bench/phone.py` look at: a season of twenty entries on engines of its own."""

import os
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from bench._web_peers import process, wait_for

ENTRIES = 20
START = datetime(2024, 1, 1, tzinfo=UTC)
GRANIAN = "--interface wsgi --host 127.0.0.1 --workers 1 --blocking-threads 4 --no-ws --log-level warning"


def finished_season() -> None:
    """A season of twenty entries and 26 weeks, of the house and of seeded dice."""
    from agents.core.roster import Profile, house
    from competition.core.play import play
    from competition.core.rules import Rules
    from competition.services.demo import UNIVERSE
    from competition.services.loading import save_played_season
    from competition.services.markets import candles_of
    from competition.services.playing import contestants_for
    from competition.services.seasons import draft_season
    from market.queries import listed_symbols

    rules = Rules(universe=UNIVERSE, market_source="synthetic", market_starts_at=START, starts_at=START, cycles=26)
    profiles = list(house(1, UNIVERSE))[:ENTRIES]
    more = ENTRIES - len(profiles)
    profiles += [Profile(f"dice-{n}", f"Dice {n}", "baseline", "baseline/random", {"seed": n}) for n in range(more)]
    season = draft_season("bench", "Bench", rules, profiles)
    played = play("bench", rules, listed_symbols(UNIVERSE), contestants_for(profiles), candles_of(rules))
    save_played_season(season, played, "the calendar has ended")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def fetched(url: str, encoding: str = "gzip") -> tuple[bytes, dict[str, str]]:
    request = urllib.request.Request(url, headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read(), {name.lower(): value for name, value in response.headers.items()}


@contextmanager
def served(port: int, core: int) -> Iterator[str]:
    """The site of that season at this port, with its server on one core; its address."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    finished_season()
    serve = (sys.executable, "-m", "granian", *GRANIAN.split(), "--port", str(port), "config.wsgi:application")
    address = f"http://127.0.0.1:{port}/"
    with process(*serve, core=core, environ={**os.environ, "ALLOWED_HOSTS": "127.0.0.1", "COLLECTED": "true"}):
        wait_for(address)
        yield address
