"""Schedules one after another on a scratch database."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import override_settings

from agents.core.roster import Profile
from competition.models import Season, Standing
from competition.services import ticking
from competition.services.seasons import draft_season, open_season
from portfolio.models import Journal, Order
from tests.live.stage import weekly_rules
from tests.simulation.actors import end_all
from tests.simulation.lines import Lines, lines
from tests.simulation.oracle import Violation, check_end, check_safety
from tests.simulation.scratch import Scratch
from tests.simulation.weather import USUAL, weather_of
from tests.simulation.world import World

SYMBOLS = ("BTCUSDT", "ETHUSDT", "ADAUSDT")


POOR_TOKENS, RICH_TOKENS = 20_500, 2_000_000  # an attempt sets aside 20,000


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of season a seed plays."""

    venue: str  # "paper", "venue" or "proof"
    weeks: int
    entries: int
    is_poor: bool = False


@dataclass(slots=True)
class Played:
    """What came of one schedule: the hash of all that happened, what was counted, and what was broken.

    One that was played again may have told another story then: `differs`.
    """

    seed: int
    sha256: str = ""
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    violation: str = ""
    cpu_s: float = 0.0
    is_retold: bool = False
    differs: bool = False


def shape_of(seed: int) -> Shape:
    """Most are a week of one or two models on paper or at the exchange; some go on into the next, some are poor.

    Where the exchange has a weather there are three models, so that it has orders to remember and to forget.
    """
    venue = ("venue", "paper", "venue", "paper", "proof")[seed % 5]
    is_busy = venue != "paper" and weather_of(seed) is not USUAL
    entries = 3 if is_busy else 2 if seed % 3 == 0 else 1
    return Shape(venue, 2 if seed % 8 == 0 else 1, entries, is_poor=seed % 3 == 1 and not is_busy)


def build(shape: Shape) -> Season:
    execution = "paper" if shape.venue == "paper" else "testnet"
    fills = "venue" if shape.venue == "venue" else "reference"
    rules = weekly_rules(
        universe=SYMBOLS,
        cycles=shape.weeks,
        execution=execution,
        fills=fills,
        slippage_bps="30",
        drift_band="0.01",
    )
    profiles = [
        Profile(f"model-{n}", f"Model {n}", "single", "offline/steady", {"seed": n})
        for n in range(1, shape.entries + 1)
    ]
    season = draft_season("simulated", "Simulated", rules, profiles)
    return open_season(season.id, rules.starts_at - timedelta(hours=1))


class Theatre:
    """A scratch database with its lines, on which schedules are played."""

    def __init__(self, opened: Lines) -> None:
        self._lines, self.scratch = opened, Scratch()

    def play(
        self,
        seed: int,
        shape: Shape | None = None,
        change: Callable[[World], None] = lambda world: None,
        kind: Callable[[int, Season, Lines], World] = World,
    ) -> Played:
        """One schedule from its seed. What it breaks is in the result, as a story."""
        shape = shape or shape_of(seed)
        began, played = time.process_time(), Played(seed)
        self.scratch.begin(shape, lambda: build(shape))
        world = kind(seed, Season.objects.get(slug="simulated"), self._lines)
        change(world)
        try:
            with override_settings(DAILY_TOKEN_BUDGET=POOR_TOKENS if shape.is_poor else RICH_TOKENS), _market_of(world):
                world.play(lambda: check_safety(world))
                check_end(world)
        except Violation as violation:
            played.violation = str(violation)
        except Exception as error:
            told = "\n".join(world.log[-60:])
            played.violation = f"{type(error).__name__}: {error}\n\nseed {seed}\n{told}"
        finally:
            end_all(world.stage.actors)
        played.sha256, played.counted = hash_of(world), world.counted
        played.cpu_s = time.process_time() - began
        return played


@contextmanager
def _market_of(world: World) -> Iterator[None]:
    """The steps read the market through the schedule's own, which can be away."""
    before = ticking.candles_of
    ticking.candles_of = lambda rules: world.candles
    try:
        yield
    finally:
        ticking.candles_of = before


def hash_of(world: World) -> str:
    """Of everything that was told, and of the record that it left."""
    journals = Journal.objects.order_by("portfolio__key", "sequence").values_list("portfolio__key", "key", "hash")
    orders = Order.objects.order_by("client_order_id").values_list("client_order_id", "state", "quantity")
    board = Standing.objects.order_by("cycle__number", "revision", "position").values_list("entry__slug", "value")
    told = "\n".join([*world.log, *map(str, journals), *map(str, orders), *map(str, board)])
    return hashlib.sha256(told.encode()).hexdigest()


@contextmanager
def theatre(**shape: Any) -> Iterator[Theatre]:
    """On the connected database, which has to be one that nobody needs."""
    with _rows_at_once(), lines(**shape) as opened:
        yield Theatre(opened)


@contextmanager
def _rows_at_once() -> Iterator[None]:
    """The auditor reads what a schedule left in one answer each, instead of opening, asking and closing a cursor."""
    settings = connection.settings_dict
    before = settings.get("DISABLE_SERVER_SIDE_CURSORS", False)
    settings["DISABLE_SERVER_SIDE_CURSORS"] = True
    try:
        yield
    finally:
        settings["DISABLE_SERVER_SIDE_CURSORS"] = before
