"""Backtests in the admin: started, watched, ended, played again and read. What was asked and what came out stays."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from competition.backtest_models import Backtest, BacktestRun, Sweep
from competition.core.states import UndeclaredTransition
from competition.pages.backtest_acts import before_cancelling, before_playing_again, course_of
from competition.services.backtests import cancel, resume
from competition.views.backtest_staff import asked_by_staff
from market.admin_facts import FactAdmin, FactInline, json_text, state

ACTS: dict[str, tuple[Callable[[str, datetime], Any], str]] = {
    "cancel": (cancel, "is cancelled"),
    "again": (resume, "waits for a worker"),
}
AT_ONCE_MAX = 50
LIST, CHANGE, ASK, ACT = (f"admin:competition_backtest_{name}" for name in ("changelist", "change", "ask", "act"))


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
    list_before_template = "admin/backtests/_start.html"
    change_form_before_template = "admin/backtests/_course.html"
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

    def get_urls(self) -> list[Any]:
        ask, act = (self.admin_site.admin_view(view) for view in (self.ask_view, self.act_view))
        own = [path("ask/", ask, name="competition_backtest_ask")]
        return [*own, path("act/<slug:act>/", act, name="competition_backtest_act"), *super().get_urls()]

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Who may change backtests may end them and ask for them again; nobody may edit one."""
        return bool(request.user.has_perm("competition.change_backtest"))

    def public_path(self, row: Backtest) -> str:
        return f"/backtests/{row.key}/"

    @admin.display(description="progress")
    def progress(self, backtest: Backtest) -> str:
        total = backtest.progress_total
        return f"{backtest.progress_done / total:.0%}" if total else "–"

    # -- Started, watched, ended, played again ----------------------------------------------------------------------

    def ask_view(self, request: HttpRequest) -> HttpResponse:
        """The form, then what was asked and what it will take, and at a yes it is in the queue."""
        if not request.user.has_perm("competition.add_backtest"):
            raise PermissionDenied
        asked = asked_by_staff(request, timezone.now())
        if asked.backtest is not None:
            self.log_addition(request, asked.backtest, f"Asked for: {asked.backtest}.")
            return HttpResponseRedirect(reverse(CHANGE, args=[asked.backtest.pk]))
        context = {**self.admin_site.each_context(request), "title": "Run a backtest", "asked": asked}
        status = 422 if asked.form.errors else 200
        return TemplateResponse(request, "admin/backtests/ask.html", context, status=status)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The facts below how far it is, which asks again by itself; when it is over, the whole page is loaded anew."""
        backtest = self.get_object(request, object_id) if self.has_view_permission(request) else None
        if backtest is None:
            return super().change_view(request, object_id, form_url, extra_context)
        course = course_of(backtest, timezone.now())
        context = {"course": course, "may_act": self.has_end_permission(request)}
        if not request.headers.get("HX-Request"):
            return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})
        part = TemplateResponse(request, "admin/backtests/_course.html", {**context, "original": backtest})
        if not course.head.is_under_way:
            part.headers["HX-Refresh"] = "true"
        return part

    def act_view(self, request: HttpRequest, act: str) -> HttpResponse:
        """Says what ending these, or playing them again, would do, and does it at a yes."""
        if not self.has_end_permission(request):
            raise PermissionDenied
        keys = [key for key in request.GET.getlist("key") if key.isalnum()]  # anything else, NUL too, is no key
        chosen = list(Backtest.objects.filter(key__in=keys).order_by("id")[:AT_ONCE_MAX])
        if act not in ACTS or not chosen:
            raise Http404
        told = before_cancelling(chosen) if act == "cancel" else before_playing_again(chosen, timezone.now())
        if request.method == "POST" and not told.problem:
            self._each(request, chosen, *ACTS[act])
            one = len(chosen) == 1
            return HttpResponseRedirect(reverse(CHANGE, args=[chosen[0].pk]) if one else reverse(LIST))
        context = {"title": told.title, "told": told, "problem": told.problem, "back": reverse(LIST)}
        return TemplateResponse(
            request, "admin/desk/confirm.html", {**self.admin_site.each_context(request), **context}
        )

    @admin.action(description="Cancel …", permissions=["end"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> HttpResponse | None:
        return self._ask_before("cancel", request, queryset)

    @admin.action(description="Play again what failed or was cancelled …", permissions=["end"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> HttpResponse | None:
        return self._ask_before("again", request, queryset)

    def _ask_before(self, act: str, request: HttpRequest, queryset: QuerySet[Backtest]) -> HttpResponse | None:
        keys = list(queryset.order_by("id").values_list("key", flat=True)[: AT_ONCE_MAX + 1])
        if len(keys) > AT_ONCE_MAX:
            self.message_user(request, f"Choose {AT_ONCE_MAX} at most; nothing was done.", messages.ERROR)
            return None
        return HttpResponseRedirect(f"{reverse(ACT, args=[act])}?{urlencode({'key': keys}, doseq=True)}")

    def _each(
        self, request: HttpRequest, chosen: Sequence[Backtest], act: Callable[[str, datetime], Any], done: str
    ) -> None:
        for backtest in chosen:
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
