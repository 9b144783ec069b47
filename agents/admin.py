"""Agents in the admin can be made, and corrected until they are asked. What they were shown can be read.

What they said cannot: the admin has a looser content security policy, so what a model or a stranger's runner wrote is
shown on public pages alone, under the strict one. Every row leads there.
"""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.utils import timezone

from agents import checkup
from agents.admin_money import CallInline
from agents.agent_forms import AgentForm
from agents.budget import caps_of
from agents.models import Agent, Attempt, Brief
from agents.runner_client import address_for
from market.admin_facts import FactAdmin, FactInline, Remembered, json_text, number, state

UNTIL_ASKED = "Once asked, an agent stays what it is. One added under a slug that exists is its next version."
PREFLIGHTS_MAX = 20  # at a time: the page waits for them


@admin.register(Agent)
class AgentAdmin(Remembered):
    """The version is counted here: an agent added under a slug that exists is its next version."""

    form = AgentForm
    list_display = ("name", "slug", "version", "kind", "model", "simulated", "asked")
    list_filter = ("kind",)
    search_fields = ("name", "slug", "model")
    ordering = ("slug", "-version")
    actions = ("preflight", "preflight_with_call", "backtest")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        briefs = Brief.objects.filter(agent=OuterRef("pk"))
        agents: QuerySet[Agent] = super().get_queryset(request).annotate(is_asked=Exists(briefs))
        return agents

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        told = "" if obj and not self.has_change_permission(request, obj) else UNTIL_ASKED
        identity = ("name", "slug", "version") if obj else ("name", "slug")
        parameters: Any = "parameters" if told else json_text("parameters")
        return ((None, {"description": told, "fields": (*identity, "kind", "model", parameters)}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> tuple[str, ...]:
        return ("slug", "version") if obj else ()

    @admin.display(boolean=True)
    def simulated(self, agent: Agent) -> bool:
        return agent.is_simulated

    @admin.display(boolean=True)
    def asked(self, agent: Agent) -> bool:
        return bool(agent.is_asked)  # type: ignore[attr-defined]  # annotated by get_queryset

    def save_model(self, request: HttpRequest, obj: Agent, form: AgentForm, change: bool) -> None:
        if not change:
            newest = Agent.objects.filter(slug=obj.slug).aggregate(newest=Max("version"))["newest"]
            obj.version = (newest or 0) + 1
        super().save_model(request, obj, form, change)

    @admin.action(description="Preflight", permissions=["change"])
    def preflight(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self._preflight(request, queryset, call=False)

    @admin.action(description="Preflight with one cheap call (costs a little)", permissions=["change"])
    def preflight_with_call(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self._preflight(request, queryset, call=True)

    @admin.action(description="Backtest …", permissions=["view"])
    def backtest(self, request: HttpRequest, queryset: QuerySet[Agent]) -> HttpResponseRedirect:
        """Leads to the form, which says what it will take and cost before it is sent."""
        slugs = sorted(set(queryset.values_list("slug", flat=True)))
        return HttpResponseRedirect(f"/backtests/new/?{urlencode({'agent': slugs}, doseq=True)}")

    def _preflight(self, request: HttpRequest, queryset: QuerySet[Agent], *, call: bool) -> None:
        now, caps = timezone.now(), caps_of(settings)
        for agent in queryset.order_by("slug", "version")[:PREFLIGHTS_MAX]:
            address = address_for(agent.slug, settings.RUNNER_URL, settings.RUNNER_URLS)
            found = checkup.preflight_of(agent, address, checkup.ask_runner, caps, now, call=call)
            self.message_user(request, checkup.told(agent, found), messages.SUCCESS if found.ok else messages.ERROR)
        if queryset.count() > PREFLIGHTS_MAX:
            self.message_user(request, f"Only the first {PREFLIGHTS_MAX} were looked at.", messages.WARNING)

    def has_change_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.briefs.exists())

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False


class AttemptInline(FactInline):
    model = Attempt
    fields = ("number", state("outcome"), "started_at", "ended_at", number("cost_usd"))
    ordering = ("number",)


def turn_path(brief: Brief) -> str | None:
    """The public page of the cycle a brief was written for; the turn is the game's, only its name is used here."""
    turn = getattr(brief, "turn", None)
    return f"/s/{turn.cycle.season.slug}/c/{turn.cycle.number}/" if turn else None


@admin.register(Brief)
class BriefAdmin(FactAdmin):
    list_display = ("created_at", "agent", "sha256", "public_page")
    list_filter = ("agent__kind",)
    list_select_related = ("agent", "turn__cycle__season")
    search_fields = ("agent__slug", "agent__name", "sha256")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "agent")
    fieldsets = (
        (None, {"fields": ("agent", "created_at", "sha256")}),
        ("Content", {"classes": ("collapse",), "fields": (json_text("content"),)}),
    )
    inlines = (AttemptInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Brief]:
        return super().get_queryset(request).defer("content", "holdings")

    def public_path(self, row: Brief) -> str | None:
        return turn_path(row)


@admin.register(Attempt)
class AttemptAdmin(FactAdmin):
    list_display = ("started_at", "agent", "number", state("outcome"), number("cost_usd"), "public_page")
    list_filter = ("outcome", "brief__agent__kind")
    list_select_related = ("brief__agent", "brief__turn__cycle__season")
    search_fields = ("brief__agent__slug", "brief__agent__name", "brief__sha256", "reason", "reply")
    date_hierarchy = "started_at"
    ordering = ("-started_at", "brief", "number")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "brief",
                    "agent",
                    "number",
                    state("outcome"),
                    "truncated",
                    "started_at",
                    "lease_until",
                    "ended_at",
                    number("cost_usd"),
                )
            },
        ),
    )
    inlines = (CallInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return (
            super()
            .get_queryset(request)
            .defer("reply", "deliberation", "objections", "brief__content", "brief__holdings")
        )

    @admin.display(ordering="brief__agent__slug")
    def agent(self, attempt: Attempt) -> str:
        return str(attempt.brief.agent)

    def public_path(self, row: Attempt) -> str | None:
        return turn_path(row.brief)
