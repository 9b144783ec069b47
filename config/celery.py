"""Celery carries hints, never truth: a lost or repeated message changes nothing but latency."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("PGAPPNAME", "celery")
# Django's checks load the pages and the API, which takes a second and keeps their memory; migrate made them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("openoutcry")
app.config_from_object("django.conf:settings", namespace="CELERY")
# What is due at a time of day is due here: to say so in the settings would have every command load celery.
app.conf.beat_schedule = app.conf.beat_schedule | {
    "audit the record": {
        "task": "competition.tasks.audit",
        "schedule": crontab("17", "3"),
        "options": {"expires": 3600},
    },
    "reconcile the account": {
        "task": "competition.tasks.reconcile",
        "schedule": crontab("47", "3"),
        "options": {"expires": 3600},
    },
}
app.autodiscover_tasks(["competition"])
