"""When beat sends what: operators change the hour or switch a schedule off. The tasks are the code's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from market.admin_facts import Remembered

for schedule in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(schedule)  # the package's own can send any task, and asks the queue, which web does not reach


class _Kept(Remembered):
    """What is in use is not deleted, and neither is a schedule of the house."""

    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(PeriodicTask)
class ScheduleAdmin(_Kept):
    list_display = ("name", "task", "when", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    search_fields = ("name", "task")
    ordering = ("name",)
    readonly_fields = ("name", "task", "interval", "last_run_at", "total_run_count")
    fieldsets = (
        (
            None,
            {
                "description": "Times are in UTC, and beat follows a change within seconds. How many seconds lie in "
                "between is said by the environment (TICK_EVERY_S) each time beat starts; the hour, and whether a "
                "schedule is enabled, are yours. Without the tick, the second ticker does it.",
                "fields": ("name", "task", "enabled", "interval", "crontab", "last_run_at", "total_run_count"),
            },
        ),
    )

    @admin.display(description="when")
    def when(self, row: PeriodicTask) -> str:
        return str(row.interval or row.crontab or "never")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        is_hourly = obj is not None and obj.crontab_id is not None
        return self.readonly_fields if is_hourly else (*self.readonly_fields, "crontab")


@admin.register(CrontabSchedule)
class CrontabAdmin(_Kept):
    """Hours that a schedule can be given."""

    fields = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")
