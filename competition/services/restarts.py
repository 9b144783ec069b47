"""Starting a portfolio again. The ledger of the old one is history, so the new one begins in a season of its own."""

import re
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from agents.core.roster import Profile
from agents.models import Agent
from competition.core.rules import Rules
from competition.core.states import SeasonState
from competition.models import Entry, Season
from competition.services.seasons import draft_season

SLUG_MAX, NAME_MAX = 40, 80
STARTS_IN = timedelta(hours=1)
_ENDING = re.compile(r"-again-[0-9]+$")


class RestartRefused(ValueError):
    """It cannot be started again now; the message says why."""


@transaction.atomic
def restart(entry: Entry, now: datetime) -> Season:
    """Draft a season by the same rules with this entry's agent and the benchmark, from the start capital on.

    Nothing of the old season is touched, and the new one begins when an operator opens it: that may cost money, and
    an open season is what visitors see. Raises `RestartRefused` while such a draft waits already.
    """
    season = Season.objects.select_for_update().get(id=entry.season_id)
    root = _ENDING.sub("", season.slug)[: SLUG_MAX - 12]
    again = Season.objects.filter(slug__startswith=f"{root}-again-")
    waiting = again.filter(state=SeasonState.DRAFT.value).order_by("id").first()
    if waiting:
        raise RestartRefused(f"Season {waiting.slug} is drafted already; an operator opens it in the admin.")
    rules = Rules.model_validate({**season.rules, "starts_at": (now + STARTS_IN).replace(microsecond=0)})
    wanted = Q(id=entry.id) | Q(slug=rules.benchmark)
    entries = season.entries.filter(wanted).select_related("agent").order_by("number")
    name = f"{season.name.removesuffix(', again')[: NAME_MAX - 7]}, again"
    return draft_season(f"{root}-again-{again.count() + 1}", name, rules, [_profile(one.agent) for one in entries])


def _profile(agent: Agent) -> Profile:
    return Profile(agent.slug, agent.name, agent.kind, agent.model, agent.parameters)
