"""Backtests in the admin: to be read, ended and asked for again. What was asked and what came out is never touched."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from competition.backtest_models import Backtest, BacktestRun, Sweep
from competition.core.states import UndeclaredTransition
from competition.services.backtests import cancel, resume
from market.admin_facts import FactAdmin, FactInline, json_text, state


class BacktestRunInline(FactInline):
    model = BacktestRun
    fields = ("number", "agent", "trades_count", "decisions_count", "postings_sha256")
    ordering = ("number",)
    show_change_link = False


@admin.register(Backtest)
class BacktestAdmin(FactAdmin):
    list_display = (
        *(
            "key",
            state("state"),
            "progress",
            "label",
            "requested_via",
            "requested_by",
            "requested_at",
            "seconds",
            "error",
            "public_page",
        ),
    )
    list_filter = ("state", "label", "requested_via")
    list_select_related = ("requested_by",)
    search_fields = ("key", "parameters_sha256", "error")
    date_hierarchy = "requested_at"
    ordering = ("-requested_at", "-id")
    actions = ("cancel_chosen", "resume_chosen")  # type: ignore[assignment]  # facts have none
    inlines = (BacktestRunInline,)
    fieldsets = (
        (None, {"fields": ("key", state("state"), "progress", "error", "label", "attempts", "lease_until")}),
        ("Asked for", {"fields": ("requested_by", "requested_via", "requested_at", json_text("parameters"))}),
        ("Played", {"fields": ("started_at", "finished_at", "seconds", json_text("notes"), json_text("data"))}),
    )

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Who may change backtests may end them and ask for them again; nobody may edit one."""
        return bool(request.user.has_perm("competition.change_backtest"))

    def public_path(self, row: Backtest) -> str:
        return f"/backtests/{row.key}/"

    @admin.display(description="progress")
    def progress(self, backtest: Backtest) -> str:
        total = backtest.progress_total
        return f"{backtest.progress_done / total:.0%}" if total else "–"

    @admin.action(description="Cancel", permissions=["end"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> None:
        self._each(request, queryset, cancel, "is cancelled")

    @admin.action(description="Play again what failed or was cancelled", permissions=["end"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> None:
        self._each(request, queryset, resume, "waits for a worker")

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Backtest], act: Callable[[str, datetime], Any], done: str
    ) -> None:
        for backtest in queryset.order_by("id"):
            try:
                act(backtest.key, timezone.now())
            except UndeclaredTransition:
                backtest.refresh_from_db()
                self.message_user(request, f"{backtest} is {backtest.state}; it stays as it is.", messages.ERROR)
            else:
                self.log_change(request, backtest, f"{done.capitalize()}.")
                self.message_user(request, f"{backtest} {done}.")


@admin.register(Sweep)
class SweepAdmin(FactAdmin):
    list_display = ("key", "requested_at")
    ordering = ("-requested_at",)
    fields = ("key", "requested_at", json_text("document"))
