"""The game in the admin: what happened can be looked at. Seasons and entries can be made, in `admin_seasons`."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from competition import (  # noqa: F401 - registers them
    admin_backtests,
    admin_changes,
    admin_errands,
    admin_schedules,
    admin_seasons,
    admin_tokens,
    admin_users,
)
from competition.core.states import TERMINAL_CYCLES
from competition.models import Cycle, Heartbeat, ReliabilityRun, Standing, Turn
from market.admin_facts import FactAdmin, act, json_text, money, number, related, state

admin.site.site_header = admin.site.site_title = "Open Outcry"
admin.site.index_title = "Dashboard"


WHY_ELSEWHERE = (
    "What the entry said, and why it counts or not, is on the public page: no text of a model is shown here."
)


def cycle_path(cycle: Cycle) -> str:
    return f"/s/{cycle.season.slug}/c/{cycle.number}/"


@admin.register(Cycle)
class CycleAdmin(FactAdmin):
    list_display = ("season", "number", state("state"), "due_at", "is_late", "closed_at", "reason", "public_page")
    list_filter = ("state", "is_late", "season")
    list_select_related = ("season",)
    search_fields = ("season__slug", "season__name", "=number", "reason")
    date_hierarchy = "due_at"
    ordering = ("-due_at", "season")
    fields = (
        "season",
        "number",
        state("state"),
        "reason",
        "due_at",
        "opened_at",
        "is_late",
        "as_of",
        "deadline_at",
        "snapshot",
        "trade_as_of",
        "trade_snapshot",
        "closed_at",
        "may_be_done",
    )

    @admin.display(description="may be done")
    def may_be_done(self, cycle: Cycle) -> SafeString | str:
        if cycle.state in TERMINAL_CYCLES:
            return "nothing: it has ended, and stays as it ended"
        return act("Retry stage …", reverse("admin:competition_errand_ask", args=["retry"]), cycle=cycle.pk)

    def public_path(self, row: Cycle) -> str:
        return cycle_path(row)


@admin.register(Turn)
class TurnAdmin(FactAdmin):
    list_display = (
        related("cycle__season__name", "season"),
        related("cycle__number", "cycle"),
        related("entry__slug", "entry"),
        state("state"),
        state("verdict"),
        money("value_after"),
        "public_page",
    )
    list_filter = ("state", "verdict", "cycle__season")
    list_select_related = ("cycle__season", "entry")
    search_fields = ("cycle__season__slug", "=cycle__number", "entry__slug", "verdict_reason", "trade_reason")
    date_hierarchy = "cycle__due_at"
    ordering = ("-cycle__due_at", "cycle", "entry__number")
    fieldsets = (
        (None, {"fields": ("cycle", "entry", "brief", state("state"), "lease_until")}),
        ("Verdict", {"description": WHY_ELSEWHERE, "fields": (state("verdict"), "decided_at")}),
        (
            "Trade",
            {
                "fields": (
                    number("value_before"),
                    number("value_after"),
                    number("traded"),
                    number("fees"),
                    "trade_reason",
                    "settled_at",
                    json_text("skipped"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Turn]:
        return super().get_queryset(request).defer("decision", "violations", "unwrapped", "skipped")

    def public_path(self, row: Turn) -> str:
        return cycle_path(row.cycle)


@admin.register(Standing)
class StandingAdmin(FactAdmin):
    list_display = (
        related("cycle__season__name", "season"),
        related("cycle__number", "cycle"),
        "position",
        "rank",
        related("entry__slug", "entry"),
        money("value"),
        number("net_return"),
        number("coverage"),
        "unranked",
        "public_page",
    )
    list_filter = ("cycle__season",)
    list_select_related = ("cycle__season", "entry")
    search_fields = ("cycle__season__slug", "=cycle__number", "entry__slug", "unranked")
    date_hierarchy = "cycle__due_at"
    ordering = ("-cycle__due_at", "cycle", "position")
    fields = (
        "cycle",
        "entry",
        "position",
        "rank",
        "unranked",
        number("value"),
        number("net_return"),
        number("excess_return"),
        number("max_drawdown"),
        number("turnover"),
        number("fees"),
        number("ai_cost"),
        number("coverage"),
        "due",
        "valid",
    )

    def public_path(self, row: Standing) -> str:
        return cycle_path(row.cycle)


@admin.register(Heartbeat)
class HeartbeatAdmin(FactAdmin):
    list_display = ("name", "at", "public_page")
    search_fields = ("name",)
    date_hierarchy = "at"
    ordering = ("name",)
    fields = ("name", "at")

    def public_path(self, row: Heartbeat) -> str:
        return "/status/"


@admin.register(ReliabilityRun)
class ReliabilityRunAdmin(FactAdmin):
    list_display = ("kind", "started_at", "ended_at", "version", "seed", "seeds_count", "violations", "public_page")
    list_filter = ("kind",)
    search_fields = ("kind", "commit", "=seed")
    date_hierarchy = "started_at"
    ordering = ("-id",)
    fields = (
        *("kind", "version", "commit", "seed", "seeds_count", "started_at", "ended_at"),
        *(json_text("counts"), json_text("faults"), "violations", json_text("findings")),
    )

    def public_path(self, row: ReliabilityRun) -> str:
        return "/reliability/"
