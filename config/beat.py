"""Beat's schedule, in the database: made from the settings at each start, changed and switched off in the admin.

Of the house's own schedules what the environment says is renewed at each start: how often to tick, and whether there is
a market to fetch. An hour that an operator has chosen, and whether a schedule is enabled, stay theirs.
"""

import logging
from collections.abc import Mapping
from typing import Any

from celery.schedules import crontab
from django.db import DatabaseError, InterfaceError, close_old_connections, transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

logger = logging.getLogger(__name__)

OF_THE_HOUSE = "Of the house: "  # how the description of ours begins
MICROSECONDS = 1_000_000


class HouseScheduler(DatabaseScheduler):  # type: ignore[misc]  # it has no types
    """django-celery-beat's, but that it begins with the house's schedules and outlives an outage of the database."""

    def setup_schedule(self) -> None:
        synchronise(self.app.conf.beat_schedule)

    def all_as_schedule(self) -> Any:
        """What is enabled; while the database is away, what was when it was last there."""
        try:
            return super().all_as_schedule()
        except (DatabaseError, InterfaceError) as outage:
            if self._schedule is None:
                raise
            logger.warning("the database is away, beat goes on with the schedule it knows: %s", str(outage).strip())
            close_old_connections()
            return self._schedule


@transaction.atomic
def synchronise(wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Bring the house's schedules to what `wanted` says, as CELERY_BEAT_SCHEDULE does; others are left alone."""
    gone = PeriodicTask.objects.filter(description__startswith=OF_THE_HOUSE).exclude(name__in=wanted)
    for row in gone:
        row.delete()
    for name, entry in wanted.items():
        _bring(name, entry)


def _bring(name: str, entry: Mapping[str, Any]) -> None:
    when = _row_of(entry["schedule"])
    field = "crontab" if isinstance(when, CrontabSchedule) else "interval"
    always = {
        "task": entry["task"],
        "expire_seconds": max(int(entry["options"]["expires"]), 1),
        "description": f"{OF_THE_HOUSE}{name}.",
    }
    row, is_new = PeriodicTask.objects.get_or_create(name=name, defaults={**always, field: when})
    if is_new:
        return
    renewed = {**always, "interval": when, "crontab": None} if field == "interval" else always
    if any(getattr(row, key) != value for key, value in renewed.items()):
        for key, value in renewed.items():
            setattr(row, key, value)
        row.save()


def _row_of(schedule: Any) -> CrontabSchedule | IntervalSchedule:
    """The row of a crontab, or of so many seconds; parts of a second are counted in microseconds."""
    if isinstance(schedule, crontab):
        hour, minute = str(schedule._orig_hour), str(schedule._orig_minute)
        return CrontabSchedule.objects.get_or_create(hour=hour, minute=minute, timezone="UTC")[0]
    is_whole = float(schedule).is_integer()
    every = int(schedule) if is_whole else round(schedule * MICROSECONDS)
    period = IntervalSchedule.SECONDS if is_whole else IntervalSchedule.MICROSECONDS
    return IntervalSchedule.objects.get_or_create(every=every, period=period)[0]
