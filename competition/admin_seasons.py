"""Seasons and entries in the admin. A draft can be changed and entered; opening it freezes it, and asks before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, ForeignKey, OuterRef, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents.budget import caps_of
from agents.core.planned_calls import planned_calls
from agents.models import Agent
from competition.core.rules import Rules
from competition.core.schedule import boundary
from competition.core.states import SeasonState, UndeclaredTransition
from competition.models import Entry, EntryPause, Season
from competition.season_forms import EntryForm, SeasonForm, rules_text
from competition.services.demo import UNIVERSE, last_monday
from competition.services.projections import SeasonCost, season_cost
from competition.services.seasons import SeasonRefused, enter, open_season
from market.admin_facts import NOTHING, FactInline, PublicPage, Remembered, ViewOnly, act, preformatted, state


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening a season will do, or what is in the way of it."""

    season: Season
    rules: Rules
    entries: int
    last_due_at: datetime
    boundaries_passed: bool
    cost: SeasonCost

    @property
    def problem(self) -> str:
        if self.season.state != SeasonState.DRAFT:
            return f"It is {self.season.state}; only a draft can be opened."
        return "" if self.entries else "It has no entries; enter at least one agent first."


def opening(season: Season, now: datetime) -> Opening:
    """What opening would do at `now`."""
    rules = season.rule_book
    cost = season_cost(season, planned_calls, caps_of(settings), now)
    return Opening(season, rules, season.entries.count(), boundary(rules, rules.cycles), rules.starts_at < now, cost)


def example_rules(now: datetime) -> Rules:
    """A season of 26 real weeks from next Monday, on the market of this installation, to begin editing from."""
    next_monday = last_monday(now) + timedelta(days=7)
    starts = {"market_starts_at": next_monday, "starts_at": next_monday}
    return Rules.model_validate({"universe": UNIVERSE, "market_source": settings.MARKET_DATA, **starts, "cycles": 26})


class EntryInline(FactInline):
    model = Entry
    fields = ("number", "slug", "agent", "portfolio")
    ordering = ("number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("season", "agent", "portfolio")


@admin.register(Season)
class SeasonAdmin(PublicPage, Remembered):  # type: ignore[misc]  # as in FactAdmin
    form = SeasonForm
    list_display = ("name", "slug", state("state"), "entered", "opened_at", "closed_at", "public_page")
    list_filter = ("state",)
    search_fields = ("name", "slug", "rules_sha256")
    date_hierarchy = "opened_at"
    ordering = ("-id",)
    actions = ("open_chosen",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Season]:
        seasons: QuerySet[Season] = super().get_queryset(request).annotate(entries_count=Count("entries"))
        return seasons

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Season | None:
        """While a change is being saved, the row is locked: nobody opens the season under the operator's hands."""
        season = super().get_object(request, object_id, from_field)
        if season is None or request.method != "POST":
            return season
        return Season.objects.select_for_update().get(pk=season.pk)

    def get_fieldsets(self, request: HttpRequest, obj: Season | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "slug", "rules")}),)
        if obj.state == SeasonState.DRAFT:
            return ((None, {"fields": ("name", "slug", "next_steps", "rules")}),)
        course = (
            "name",
            "slug",
            state("state"),
            "may_be_done",
            "opened_at",
            "closed_at",
            "close_reason",
            "rules_sha256",
        )
        return ((None, {"fields": course}), ("Rules", {"fields": ("frozen_rules",)}))

    def get_inlines(self, request: HttpRequest, obj: Season | None) -> tuple[type[EntryInline], ...]:
        return (EntryInline,) if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Season | None = None) -> tuple[str, ...]:
        entered = obj is not None and obj.entries.exists()
        return ("next_steps", "slug") if entered else ("next_steps",)  # portfolios are named after the slug

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"rules": rules_text(example_rules(timezone.now()).document())}

    def has_change_permission(self, request: HttpRequest, obj: Season | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.state == SeasonState.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Season | None = None) -> bool:
        return False

    def public_path(self, row: Season) -> str | None:
        return None if row.state == SeasonState.DRAFT else f"/s/{row.slug}/"

    @admin.display(description="rules")
    def frozen_rules(self, season: Season) -> SafeString:
        return preformatted(rules_text(season.rules))

    @admin.display(description="entries", ordering="entries_count")
    def entered(self, season: Season) -> int:
        return int(season.entries_count)  # type: ignore[attr-defined]  # annotated by get_queryset

    @admin.display(description="next steps")
    def next_steps(self, season: Season) -> SafeString:
        return format_html(
            "{} {} What opening will do and cost is said before it is done.",
            act("Enter an agent", reverse("admin:competition_entry_add"), season=season.pk),
            act("Open season …", reverse("admin:competition_season_open", args=[season.pk])),
        )

    @admin.display(description="may be done")
    def may_be_done(self, season: Season) -> SafeString | str:
        """An open season can be run now and rehearsed; it closes by itself when its calendar has ended."""
        if season.state != SeasonState.OPEN:
            return NOTHING
        return format_html(
            "{} {}",
            act("Run now …", reverse("admin:competition_errand_ask", args=["look"])),
            act("Ask everybody …", reverse("admin:competition_errand_ask", args=["rehearse"]), season=season.pk),
        )

    def get_urls(self) -> list[Any]:
        opening_of = self.admin_site.admin_view(self.open_view)
        return [path("<int:pk>/open/", opening_of, name="competition_season_open"), *super().get_urls()]

    def open_view(self, request: HttpRequest, pk: int) -> TemplateResponse:
        """What opening this season would do; the yes there is that of the list."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        return self._asked(request, [opening(get_object_or_404(Season, pk=pk), timezone.now())])

    @admin.action(description="Open season", permissions=["change"])
    def open_chosen(self, request: HttpRequest, queryset: QuerySet[Season]) -> TemplateResponse | None:
        now = timezone.now()
        openings = [opening(season, now) for season in queryset.order_by("id")]
        if request.POST.get("confirmed") == "yes":
            for chosen in openings:
                self._open(request, chosen.season, now)
            return None
        return self._asked(request, openings)

    def _asked(self, request: HttpRequest, openings: list[Opening]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Open season?",
            "opts": self.model._meta,
            "openings": openings,
            "not_asked": [entry for chosen in openings for entry in chosen.cost.problems],
            "can_open": not any(chosen.problem for chosen in openings),
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/competition/season/open_confirmation.html", context)

    def _open(self, request: HttpRequest, season: Season, now: datetime) -> None:
        try:
            opened = open_season(season.pk, now)
        except (SeasonRefused, UndeclaredTransition) as error:
            self.message_user(request, f"{season} was not opened. {error}", messages.ERROR)
            return
        self.log_change(request, opened, "Opened.")
        self.message_user(request, f"{opened} is open; its rules are frozen as {opened.rules_sha256}.")


@admin.register(Entry)
class EntryAdmin(ViewOnly, PublicPage, Remembered):  # type: ignore[misc]  # as in FactAdmin
    """An agent enters a draft, with a portfolio of its own, and stays as it entered."""

    form = EntryForm
    list_display = ("slug", "season", "number", "agent", "portfolio", "asked", "public_page")
    list_filter = ("season__state", "season", "agent__kind")
    list_select_related = ("season", "agent", "portfolio")
    search_fields = ("slug", "season__slug", "season__name", "agent__name", "portfolio__key")
    ordering = ("-season", "number")
    actions = None

    def get_fields(self, request: HttpRequest, obj: Entry | None = None) -> tuple[str, ...]:
        return ("season", "agent", "portfolio", "slug", "number", "asked") if obj else ("season", "agent")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        pauses = EntryPause.objects.in_force().filter(entry=OuterRef("pk"))
        entries: QuerySet[Entry] = super().get_queryset(request).annotate(is_paused=Exists(pauses))
        return entries

    @admin.display(description="asked")
    def asked(self, entry: Entry) -> SafeString | str:
        """Whether it is asked, and the way to change that."""
        address = reverse("admin:competition_entrypause_add")
        if entry.season.state == SeasonState.CLOSED:
            return NOTHING
        if entry.is_paused:  # type: ignore[attr-defined]  # annotated by get_queryset
            return format_html(
                '<span class="state state-bad">paused</span> {}',
                act("Ask again …", f"{address}?entry={entry.pk}&paused="),
            )
        return act("Pause …", address, entry=entry.pk)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:  # type: ignore[type-arg]
        choices = {
            "season": Season.objects.filter(state=SeasonState.DRAFT).order_by("-id"),
            "agent": Agent.objects.order_by("name", "-version"),
        }
        return super().formfield_for_foreignkey(db_field, request, queryset=choices[db_field.name], **kwargs)

    def save_form(self, request: HttpRequest, form: EntryForm, change: bool) -> Entry:
        super().save_form(request, form, change)  # gives the form what the admin calls after saving
        return enter(form.cleaned_data["season"], form.cleaned_data["agent"])

    def save_model(self, request: HttpRequest, obj: Entry, form: EntryForm, change: bool) -> None:
        """Nothing: `enter` has written the entry together with its portfolio."""

    def public_path(self, row: Entry) -> str | None:
        return None if row.season.state == SeasonState.DRAFT else f"/s/{row.season.slug}/e/{row.slug}/"
