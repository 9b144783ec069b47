"""Whether pages still follow the season: nothing opens, asks or closes while no process has a heartbeat."""

from datetime import datetime, timedelta

from django.db.models import Max

from competition.models import Heartbeat
from competition.pages.figures import Moment, moment

STALE_AFTER = timedelta(minutes=10)  # ticks are seconds apart, and a restart takes a minute


def stale_since(now: datetime, beat: datetime | None) -> Moment | None:
    """When the newest heartbeat was, if that is too long ago; None while all runs, and before anything ever ran."""
    return moment(beat) if beat is not None and now - beat > STALE_AFTER else None


def newest_beat() -> datetime | None:
    """When any process was last heard of: one query."""
    at: datetime | None = Heartbeat.objects.aggregate(at=Max("at"))["at"]
    return at
