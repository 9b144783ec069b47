"""Errands and pauses in the admin: a page that says what will happen, a yes, and a page that shows how far it is."""

from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from competition.errand_pages import confirmation_of, course_of
from competition.errands import EntryPause, Errand, ErrandKind
from competition.models import Cycle, Entry, Season
from competition.services.errands import ErrandRefused, ask_for
from market.admin_facts import FactAdmin, related, state


@admin.register(Errand)
class ErrandAdmin(FactAdmin):
    list_display = ("__str__", state("state"), "outcome", "asked_by", "asked_at", "ended_at")
    list_filter = ("kind", "state")
    list_select_related = ("season", "cycle__season", "asked_by")
    search_fields = ("outcome", "season__slug", "asked_by__username")
    date_hierarchy = "asked_at"
    ordering = ("-id",)
    fields = ("kind", "season", "cycle", "asked_by", "asked_at", state("state"), "started_at", "ended_at", "outcome")

    def get_urls(self) -> list[Any]:
        ask = self.admin_site.admin_view(self.ask_view)
        return [path("ask/<slug:kind>/", ask, name="competition_errand_ask"), *super().get_urls()]

    def ask_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Says what would happen, and at a yes puts it into the queue and leads to its page."""
        if not request.user.has_perm("competition.add_errand"):
            raise PermissionDenied
        if kind not in ErrandKind.values:
            raise Http404
        season, cycle = _chosen(Season, request), _chosen(Cycle, request)
        told = confirmation_of(ErrandKind(kind), season, cycle, timezone.now())
        problem = told.problem
        if request.method == "POST" and not problem:
            try:
                errand = ask_for(
                    ErrandKind(kind), cast(int, request.user.pk), timezone.now(), season=season, cycle=cycle
                )
            except ErrandRefused as refused:
                problem = str(refused)
            else:
                self.log_addition(request, errand, f"Asked for: {errand}.")
                return HttpResponseRedirect(reverse("admin:competition_errand_change", args=[errand.pk]))
        context = {**self.admin_site.each_context(request), "title": told.title, "told": told, "problem": problem}
        return TemplateResponse(request, "admin/desk/confirm.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How far it is; the page asks again by itself until nothing changes any more."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        errand = self.get_object(request, object_id)
        if errand is None:
            raise Http404
        context = {"course": course_of(errand), "title": str(errand), "opts": self.opts}
        if request.headers.get("HX-Request"):
            return TemplateResponse(request, "admin/desk/_course.html", context)
        return TemplateResponse(request, "admin/desk/course.html", {**self.admin_site.each_context(request), **context})


@admin.register(EntryPause)
class EntryPauseAdmin(FactAdmin):
    """A row is added to pause an entry, and another to have it asked again. Rows are history and never change."""

    list_display = (
        *("at", related("entry__slug", "entry"), related("entry__season__name", "season")),
        *("paused", "reason", "who", "public_page"),
    )
    list_filter = ("paused", "entry__season")
    list_select_related = ("entry__season",)
    search_fields = ("entry__slug", "entry__season__slug", "reason", "who")
    date_hierarchy = "at"
    ordering = ("-id",)
    fields = ("entry", "paused", "reason")
    change_form_before_template = "admin/desk/_pause.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("competition.add_entrypause"))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        entries = Entry.objects.exclude(season__state="closed").select_related("season").order_by("-season", "number")
        return super().formfield_for_foreignkey(db_field, request, **{**kwargs, "queryset": entries})

    def save_model(self, request: HttpRequest, obj: EntryPause, form: Any, change: bool) -> None:
        obj.at, obj.who = timezone.now(), request.user.get_username()
        super().save_model(request, obj, form, change)

    def public_path(self, row: EntryPause) -> str:
        return f"/s/{row.entry.season.slug}/e/{row.entry.slug}/"


def _chosen(model: type[Season] | type[Cycle], request: HttpRequest) -> Any:
    """The season or cycle that the address names, if it names one."""
    name = model.__name__.lower()
    pk = request.GET.get(name, "")
    if not pk:
        return None
    if not pk.isdecimal():
        raise Http404
    return get_object_or_404(model, pk=pk)
