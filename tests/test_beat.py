"""Beat's schedule is brought into the database at each start; what operators have set there stays."""

from typing import Any

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from config.beat import HouseScheduler, synchronise
from config.celery import app
from tests.test_admin import operator  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beat drops connections that it holds to be old; in a test that is the one with the test's transaction."""
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)
    monkeypatch.setattr("config.beat.close_old_connections", lambda: None)


TICK = {"task": "competition.tasks.tick", "schedule": 60.0, "options": {"expires": 300}}
AUDIT = {"task": "competition.tasks.audit", "schedule": crontab("17", "3"), "options": {"expires": 3600}}


def schedules() -> dict[str, Any]:
    return {row.name: row for row in PeriodicTask.objects.select_related("interval", "crontab")}


def test_a_start_brings_in_every_schedule_of_the_house() -> None:
    scheduler = HouseScheduler(app=app)
    wanted = {*settings.CELERY_BEAT_SCHEDULE, "audit the record", "reconcile the account"}
    assert set(schedules()) == wanted
    assert set(settings.CELERY_BEAT_SCHEDULE) <= set(scheduler.schedule) <= wanted  # what is due at another hour waits
    assert scheduler.schedule["look for what is due"].options["expires"] == 300


def test_the_environment_says_how_often_and_the_operator_when_and_whether() -> None:
    synchronise({"tick": TICK, "audit": AUDIT})
    five = CrontabSchedule.objects.create(minute="0", hour="5", timezone="UTC")
    PeriodicTask.objects.filter(name="audit").update(crontab=five)
    PeriodicTask.objects.filter(name="tick").update(enabled=False)
    synchronise({"tick": {**TICK, "schedule": 0.3}, "audit": AUDIT})
    tick, audit = schedules()["tick"], schedules()["audit"]
    assert (tick.interval.every, tick.interval.period) == (300_000, IntervalSchedule.MICROSECONDS)
    assert tick.schedule.run_every.total_seconds() == 0.3
    assert not tick.enabled
    assert audit.crontab == five


def test_a_start_without_news_writes_nothing() -> None:
    synchronise({"tick": TICK, "audit": AUDIT})
    before = list(PeriodicTask.objects.order_by("id").values())
    synchronise({"tick": TICK, "audit": AUDIT})
    assert list(PeriodicTask.objects.order_by("id").values()) == before


def test_what_the_settings_no_longer_want_goes_and_what_is_not_of_the_house_stays() -> None:
    synchronise({"tick": TICK, "fetch the market": TICK})
    PeriodicTask.objects.create(name="mine", task="x", interval=IntervalSchedule.objects.first())
    synchronise({"tick": TICK})
    assert set(schedules()) == {"tick", "mine"}


def test_a_database_that_is_away_leaves_beat_with_the_schedule_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = HouseScheduler(app=app)
    known = set(scheduler.schedule)

    def away(self: DatabaseScheduler) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(DatabaseScheduler, "all_as_schedule", away)
    assert set(scheduler.all_as_schedule()) == known
    scheduler._schedule = None
    with pytest.raises(OperationalError):
        scheduler.all_as_schedule()


def test_every_task_that_is_sent_exists() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)


def test_an_operator_chooses_the_hour_and_switches_off_but_names_no_task(operator: Client) -> None:
    synchronise({"tick": TICK, "audit": AUDIT})
    five = CrontabSchedule.objects.create(minute="0", hour="5", timezone="UTC")
    audit, tick = schedules()["audit"], schedules()["tick"]
    address = "/admin/django_celery_beat/periodictask/"
    assert "competition.tasks.audit" in operator.get(address).content.decode()
    assert operator.get(f"{address}add/").status_code == 403
    assert operator.get(f"{address}{tick.pk}/change/").status_code == 200
    operator.post(f"{address}{audit.pk}/change/", {"enabled": "", "crontab": five.pk, "task": "os.system"})
    changed = schedules()["audit"]
    assert (changed.crontab, changed.enabled, changed.task) == (five, False, "competition.tasks.audit")
    assert operator.post(f"{address}{audit.pk}/delete/", {"post": "yes"}).status_code == 403
