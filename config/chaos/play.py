"""One run, start to end: the site comes up, a season is opened, faults fall, all is calm again, and the record is read.

Played in a process of its own, whose database is the one that is killed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from competition.core.reliability import RunKind, RunResult
from competition.core.states import SeasonState
from competition.models import Heartbeat, Season
from competition.services.executing import open_orders
from competition.services.reconciling import reconcile_account
from config.chaos.crew import Crew
from config.chaos.dealer import Dealer
from config.chaos.deck import EXCHANGE, PROCESSES, WRITERS, dealt
from config.chaos.exchange_log import call, read
from config.chaos.onlookers import Chronicler, Visitor, answers, looking
from config.chaos.season import SLUG, cycles_in, open_one
from config.chaos.verdict import counts, what_does_not_hold
from config.chaos.witness import Witness, through_outages
from config.processes import EXCHANGE_SEASON, HOST, Command
from market.core.canonical import canonical_json
from portfolio.core.order_attempts import LIVE, RESOLVED_AFTER_S
from portfolio.exchange_models import OrderAttempt

UP_WITHIN_S, ENDS_WITHIN_S, BREATH_S = 180, 180, 0.2
RESOLVED_WITHIN_S = RESOLVED_AFTER_S + 120


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for. `wait_for_orders` is the patience that an order of unknown outcome takes: twelve minutes."""

    seed: int
    minutes: float
    wait_for_orders: bool
    data: Path


class NotUp(Exception):
    """The site did not come up, so there is nothing to break; the message says what did not."""


class Story:
    """Says what happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"{time.monotonic() - self._began_s:8.1f} s  {sentence}", flush=True)  # noqa: T201


def play(plan: Plan, processes: Mapping[str, Command]) -> RunResult:
    """Play a run with these processes; what did not hold is in the result. Raises `NotUp`."""
    say, started_at = Story(), timezone.now()
    say("The database is made")
    call_command("migrate", interactive=False, verbosity=0)
    crew = Crew(processes, plan.data / "logs")
    try:
        return _play(plan, crew, say, started_at)
    finally:
        crew.kill_all()


def _play(plan: Plan, crew: Crew, say: Story, started_at: datetime) -> RunResult:
    exchange_url, site = settings.EXCHANGE_DOUBLE, _address(crew.commands["web"])
    season = _bring_up(plan, crew, say, exchange_url, site)
    witness = Witness()
    dealer = Dealer(crew, plan.data, exchange_url, witness, say)
    visitor = Visitor(site, ("/", "/status/", f"/s/{SLUG}/"))
    with looking(Chronicler(season, say), visitor):
        dealer.deal(dealt(plan.seed), time.monotonic() + plan.minutes * 60)
        say("All is calm: everything is up, and nothing is broken any more")
        _wait(lambda: Season.objects.filter(id=season.id, state=SeasonState.CLOSED.value).exists(), ENDS_WITHIN_S)
    _wait_for_orders(season, say, plan.wait_for_orders)
    for name in WRITERS:
        crew.kill(name)
    say("Everybody who writes is killed. The record is read, and laid beside that of the exchange")
    theirs = read(call(exchange_url, "told"))
    found = [*witness.findings, *what_does_not_hold(season, theirs, all_resolved=plan.wait_for_orders)]
    if not answers(f"{site}/s/{SLUG}/"):
        found.append("the board of the season is not served when all is calm")
    done = {**counts(season), **dict(sorted(visitor.seen.items()))}
    return RunResult(RunKind.CHAOS, plan.seed, started_at, timezone.now(), done, dict(dealer.dealt), tuple(found))


def _bring_up(plan: Plan, crew: Crew, say: Story, exchange_url: str, site: str) -> Season:
    """Everything runs, the account at the exchange has been looked at, and a season begins in a moment."""
    for name in PROCESSES:
        if name != EXCHANGE:  # it learns its market from the season
            crew.start(name)
    say(f"Started: {', '.join(PROCESSES)}, PostgreSQL and Redis")
    _must(lambda: answers(f"{site}/livez"), "web")
    _must(lambda: answers(f"{crew.commands['executor'].environ['RUNNER_URL']}/livez"), "the runner")
    for name in ("second ticker", "third ticker", "beat and worker"):
        _must(lambda name=name: Heartbeat.objects.filter(name=name).exists(), name)  # type: ignore[misc]
    season = open_one(plan.seed, cycles_in(plan.minutes), timezone.now())
    Path(crew.commands["web"].environ[EXCHANGE_SEASON]).write_text(canonical_json(season.rules))
    crew.start(EXCHANGE)
    _must(lambda: answers(f"{exchange_url}/api/v3/ping"), "the exchange double")
    looked = reconcile_account(timezone.now)
    if looked.trouble:
        raise NotUp(looked.trouble)
    say(f"The season is open: {season.rule_book.cycles} weeks of {season.rule_book.cycle_s} seconds, seed {plan.seed}")
    return season


def _address(web: Command) -> str:
    return f"http://{HOST}:{web.argv[web.argv.index('--port') + 1]}"


def _must(condition: Callable[[], bool], what: str) -> None:
    if not _wait(condition, UP_WITHIN_S):
        raise NotUp(f"{what} did not come up within {UP_WITHIN_S} s; its log is in the folder of the run")


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition came true in time."""
    give_up_at = time.monotonic() + seconds
    while not through_outages(condition):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(BREATH_S)
    return True


def _wait_for_orders(season: Season, say: Story, wait_for_silence: bool) -> None:
    """Until every order has come to its end; or, without patience for silence, is under way or has."""
    live = OrderAttempt.objects.filter(state__in=[state.value for state in LIVE])
    waited_for = open_orders(season) if wait_for_silence else open_orders(season).exclude(attempts__in=live)
    if wait_for_silence and (count := live.count()):
        say(f"{count} orders are of unknown outcome: nothing is concluded from silence for ten minutes")
    _wait(lambda: not waited_for.exists(), RESOLVED_WITHIN_S if wait_for_silence else ENDS_WITHIN_S)
