"""Celery carries hints, never truth: a lost or repeated message changes nothing but latency."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("openoutcry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["competition"])
