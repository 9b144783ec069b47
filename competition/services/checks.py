"""What has to be in order before a season can run by itself, each with what to do when it is not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import InterfaceError, OperationalError
from kombu.connection import Connection
from kombu.exceptions import OperationalError as BrokerAway

from agents.checkup import AskRunner, preflight_of
from agents.core.budgeting import Caps
from agents.models import Agent
from competition.core.rules import Rules
from competition.core.schedule import market_time
from competition.core.states import SeasonState
from competition.models import Season
from market.queries import coverage

CLOCK_SKEW_MAX = timedelta(seconds=2)
BROKER_S = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `told` is what was found, or what to do."""

    what: str
    ok: bool
    told: str


def database_checks(clock: Callable[[], datetime]) -> list[Check]:
    """Whether the database answers, holds every migration, and has the same time as this machine."""
    try:
        connection.ensure_connection()
    except (OperationalError, InterfaceError):
        return [Check("database", False, "it does not answer; start it, or correct DATABASE_URL")]
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    told = f"{missing} missing: run manage.py migrate" if missing else "all applied"
    migrated = Check("migrations", not missing, told)
    return [Check("database", True, "answers"), migrated, _clock(clock)]


def _clock(clock: Callable[[], datetime]) -> Check:
    before = clock()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        there = cursor.fetchone()[0]
    skew = max(before - there, there - clock(), timedelta(0))
    if skew > CLOCK_SKEW_MAX:
        return Check("clock", False, f"it is {skew.total_seconds():.1f} s apart from the database's: run NTP on both")
    return Check("clock", True, f"within {CLOCK_SKEW_MAX.total_seconds():.0f} s of the database's")


def redis_check(url: str) -> Check:
    """Whether the broker answers. Without it the second ticker still does everything, later."""
    if not url:
        return Check("redis", False, "REDIS_URL is not set")
    try:
        with Connection(url, transport_options={"socket_connect_timeout": BROKER_S}) as broker:  # type: ignore[no-untyped-call]
            broker.ensure_connection(max_retries=1, timeout=BROKER_S)
    except (BrokerAway, OSError) as error:
        return Check("redis", False, f"it does not answer ({type(error).__name__}); start it, or correct REDIS_URL")
    return Check("redis", True, "answers")


def agent_checks(
    agents: Iterable[Agent],
    address_of: Callable[[str], str],
    ask: AskRunner,
    caps: Caps,
    now: datetime,
    *,
    call: bool,
) -> Iterator[Check]:
    """The preflight of each agent, a check per finding; `address_of` says where the runner of a slug is."""
    for agent in agents:
        for finding in preflight_of(agent, address_of(agent.slug), ask, caps, now, call=call).findings:
            yield Check(f"{agent.slug} v{agent.version}: {finding.check}", finding.ok, finding.detail)


def market_checks(now: datetime) -> Iterator[Check]:
    """Whether the market of each open season has prices for the present."""
    for season in Season.objects.filter(state=SeasonState.OPEN.value).order_by("id"):
        rules = season.rule_book
        if rules.market_source == "synthetic":
            yield Check(f"{season.slug}: market", True, "synthetic, needs nothing")
        else:
            yield _stored_market(season.slug, rules, market_time(rules, now))


def _stored_market(slug: str, rules: Rules, at: datetime) -> Check:
    oldest = at - timedelta(seconds=rules.price_max_age_market_s)
    stale = []
    for symbol in rules.universe:
        stored = coverage(symbol, rules.timeframe)
        if stored is None or stored.last_open < oldest:
            stale.append(f"{symbol} ({f'{stored.last_open:%Y-%m-%d %H:%M}' if stored else 'none'})")
    if stale:
        way = "fetch_market" if rules.market_source == "binance" else "import_candles"
        told = f"no fresh candles at {at:%Y-%m-%d %H:%M} UTC of {', '.join(stale)}: run manage.py {way}"
        return Check(f"{slug}: market", False, told)
    return Check(f"{slug}: market", True, f"stored candles of {len(rules.universe)} symbols are fresh")


def broker_check() -> Check:
    """Orders are filled on paper; there is no exchange to reach."""
    return Check("broker", True, "paper: orders are filled by the rules of the season")


def agents_to_check(slug: str | None) -> list[Agent]:
    """The newest version of every agent, or of one; raises `Agent.DoesNotExist` when there is none of that slug."""
    found: Any = Agent.objects.order_by("slug", "-version").distinct("slug")
    if slug is None:
        return list(found)
    return [found.get(slug=slug)]
