"""What operators ask for: written as a row, done by whoever ticks, and told in a sentence. Nothing of it is special:
each errand only does sooner what would be done anyway, or what may be done at any time."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.utils import InterfaceError, OperationalError

from competition.core.schedule import boundary
from competition.core.states import TERMINAL_CYCLES, CycleState, ErrandState, SeasonState, check_transition
from competition.errands import Errand, ErrandKind
from competition.models import Cycle, Season
from competition.services import ticking
from competition.services.analyses import AnalysisRefused, request_analysis
from competition.services.reconciling import reconcile_account
from competition.services.venue_account import NoAccount
from market.core.hosts import ForbiddenHost

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=30)
UNCHANGED = "Nothing was ordered and no ledger changed."
GONE = "Whoever did it was gone before it ended. The record shows how far it came; it may be asked for again."

type Clock = Callable[[], datetime]


class ErrandRefused(ValueError):
    """It cannot be asked for now; the message says why."""


def ask_for(
    kind: ErrandKind, user_id: int, now: datetime, *, season: Season | None = None, cycle: Cycle | None = None
) -> Errand:
    """Put it into the queue. Raises `ErrandRefused` while the same is under way."""
    about = cycle.season if cycle else season
    try:
        with transaction.atomic():
            return Errand.objects.create(kind=kind, season=about, cycle=cycle, asked_by_id=user_id, asked_at=now)
    except IntegrityError:
        raise ErrandRefused("The same has been asked for and is not done yet; wait for it.") from None


def run(errand_id: int, clock: Clock, dispatch: ticking.Dispatch, *, holds_keys: bool) -> None:
    """Do an errand if it waits for somebody; what came of it stands in its row.

    Without `holds_keys` of the exchange's account, what needs them is left to a process that has them.
    """
    errand = _claim(errand_id, clock(), holds_keys)
    if errand is None:
        return
    try:
        _end(errand, ErrandState.DONE, DEEDS[ErrandKind(errand.kind)](errand, clock, dispatch), clock())
    except (NoAccount, ForbiddenHost, ErrandRefused) as refused:
        _end(errand, ErrandState.FAILED, str(refused), clock())
    except (OperationalError, InterfaceError):
        raise  # the database is away: its lease ends, and the next tick says so
    except Exception as error:
        logger.exception("errand %s broke off", errand.pk)
        _end(errand, ErrandState.FAILED, f"It broke off with {type(error).__name__}; the log says more.", clock())


@transaction.atomic
def _claim(errand_id: int, now: datetime, holds_keys: bool) -> Errand | None:
    """The errand under a lease of ours; None when another has it, it has ended, or it is not for us."""
    waiting = Errand.objects.waiting(now).select_for_update(of=("self",), skip_locked=True)
    errand = waiting.select_related("season", "cycle__season").filter(id=errand_id).first()
    if errand is None or (errand.kind == ErrandKind.RECONCILE and not holds_keys):
        return None
    if errand.state == ErrandState.RUNNING:
        _end(errand, ErrandState.FAILED, GONE, now)
        return None
    check_transition(ErrandState(errand.state), ErrandState.RUNNING)
    errand.state, errand.started_at, errand.lease_until = ErrandState.RUNNING.value, now, now + LEASE
    errand.save()
    return errand


def _end(errand: Errand, state: ErrandState, outcome: str, now: datetime) -> None:
    check_transition(ErrandState.RUNNING, state)
    ours = Errand.objects.filter(id=errand.pk, state=ErrandState.RUNNING.value, started_at=errand.started_at)
    ours.update(state=state.value, outcome=outcome[:500], ended_at=now, lease_until=None)


# -- What is done ------------------------------------------------------------------------------------------------------


def _look(errand: Errand, clock: Clock, dispatch: ticking.Dispatch) -> str:
    newest = Cycle.objects.order_by("-id").values_list("id", flat=True).first() or 0
    steps = ticking.tick(clock(), dispatch)
    opened = [str(cycle) for cycle in Cycle.objects.filter(id__gt=newest).select_related("season").order_by("id")]
    said = [f"Opened {', '.join(opened)}."] if opened else []
    said += [f"The next step of {steps} running cycle{'' if steps == 1 else 's'} was handed out."] if steps else []
    return " ".join(said or ["Nothing was due.", *_what_is_next()])


def _what_is_next() -> list[str]:
    """When the next cycle of each open season is due, in a sentence each."""
    found = []
    for season in Season.objects.filter(state=SeasonState.OPEN.value).order_by("id"):
        number, rules = season.cycles.count() + 1, season.rule_book
        if number <= rules.cycles:
            found.append(f"Week {number} of {season} is due on {boundary(rules, number):%Y-%m-%d %H:%M:%S} UTC.")
    return found


def _retry(errand: Errand, clock: Clock, dispatch: ticking.Dispatch) -> str:
    cycle = errand.cycle
    if cycle is None:
        raise ErrandRefused("It names no cycle.")
    before = CycleState(cycle.state)
    if before in TERMINAL_CYCLES:
        return f"{cycle} is {before} already, and a cycle that has ended never changes."
    if before == CycleState.ASKING and clock() < cycle.deadline_at:
        dispatch(ticking.ASK, cycle.pk)
        return f"Whoever has no verdict in {cycle} is asked, as often as its rules allow."
    after = ticking.advance(cycle.pk, clock)
    if after != before:
        return f"{cycle} went from {before} to {after}."
    cycle.refresh_from_db(fields=["reason"])
    return f"{cycle} stays in {before}{f': {cycle.reason}' if cycle.reason else ' and waits for its time'}."


def _rehearse(errand: Errand, clock: Clock, dispatch: ticking.Dispatch) -> str:
    season = errand.season
    if season is None:
        raise ErrandRefused("It names no season.")
    asked, refused = 0, []
    for entry in season.entries.select_related("season").order_by("number"):
        try:
            dispatch(ticking.ANALYSE, request_analysis(entry, None, clock()).pk)
            asked += 1
        except AnalysisRefused as why:
            refused.append(str(why))
    if not asked:
        raise ErrandRefused(refused[0] if refused else f"{season} has no entries.")
    return f"{asked} of {asked + len(refused)} entries are asked what they would do now. Nothing is traded."


def _reconcile(errand: Errand, clock: Clock, dispatch: ticking.Dispatch) -> str:
    look = reconcile_account(clock)
    Errand.objects.filter(id=errand.pk, state=ErrandState.RUNNING.value, started_at=errand.started_at).update(look=look)
    told = f"The account at the exchange: {look.verdict} {UNCHANGED}"
    if look.trouble:
        raise ErrandRefused(told)
    return told


DEEDS = {
    ErrandKind.LOOK: _look,
    ErrandKind.RETRY: _retry,
    ErrandKind.REHEARSE: _rehearse,
    ErrandKind.RECONCILE: _reconcile,
}
