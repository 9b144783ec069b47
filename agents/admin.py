"""Agents in the admin can be made, and corrected until they are asked. What they were shown and said can be read."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.http import HttpRequest

from agents.core.baselines import BASELINES, baseline_reply
from agents.core.offline import OFFLINE_MODELS
from agents.models import Agent, AgentKind, Attempt, Brief
from market.admin_facts import FactAdmin, FactInline, json_text, number, state, verbatim
from market.core.symbols import DEFAULT_SYMBOLS, QUOTE_ASSET

KNOWN_MODELS = {"baseline": BASELINES, "offline": OFFLINE_MODELS}
KIND_OF_PROVIDER = {"baseline": AgentKind.BASELINE, "offline": AgentKind.SINGLE}
UNTIL_ASKED = "Once asked, an agent stays what it is. One added under a slug that exists is its next version."
# As much of a brief as baselines read: enough to find out whether their parameters can be worked with.
TRIAL_BRIEF = {
    "cycle": 1,
    "rules": {"quote": QUOTE_ASSET},
    "portfolio": {"holdings": {}},
    "market": {
        "symbols": {
            symbol.name: {"change_7d": "0.01", "change_28d": "0.02", "volatility_28d": "0.5"}
            for symbol in DEFAULT_SYMBOLS
        }
    },
}


class AgentForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    class Meta:
        model = Agent
        fields: ClassVar = ("slug", "name", "kind", "model", "parameters")

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        provider = model.partition("/")[0]
        if provider not in KNOWN_MODELS:
            there_are = ", ".join([*BASELINES, *OFFLINE_MODELS])
            raise forms.ValidationError(f"No runner can ask {provider} yet. There are: {there_are}.")
        if model not in KNOWN_MODELS[provider]:
            raise forms.ValidationError(f"There is no {model}. There are: {', '.join(KNOWN_MODELS[provider])}.")
        return model

    def clean_parameters(self) -> dict[str, Any]:
        parameters = self.cleaned_data["parameters"]
        if not isinstance(parameters, dict):
            raise forms.ValidationError('Write the parameters as an object, as in {"seed": 7}; {} for none.')
        return parameters

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        model = cleaned.get("model")
        if model is None:
            return cleaned
        kind = KIND_OF_PROVIDER[model.partition("/")[0]]
        if cleaned.get("kind") not in (None, kind):
            self.add_error("kind", f"{model} is a {kind.label}.")
        if model in BASELINES and "parameters" in cleaned:
            self._try(model, cleaned["parameters"])
        return cleaned

    def _try(self, model: str, parameters: dict[str, Any]) -> None:
        try:
            baseline_reply(model, parameters, TRIAL_BRIEF)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            problem = f"{model} cannot answer with these parameters ({type(error).__name__}: {error})."
            self.add_error("parameters", problem)


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """The version is counted here: an agent added under a slug that exists is its next version."""

    form = AgentForm
    list_display = ("name", "slug", "version", "kind", "model", "simulated", "asked")
    list_filter = ("kind",)
    search_fields = ("name", "slug", "model")
    ordering = ("slug", "-version")
    actions = None

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

    def has_change_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.briefs.exists())

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False


class AttemptInline(FactInline):
    model = Attempt
    fields = ("number", state("outcome"), "reason", "started_at", "ended_at", number("cost_usd"))
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
        return super().get_queryset(request).defer("content")

    def public_path(self, row: Brief) -> str | None:
        return turn_path(row)


@admin.register(Attempt)
class AttemptAdmin(FactAdmin):
    list_display = ("started_at", "agent", "number", state("outcome"), "reason", number("cost_usd"), "public_page")
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
                    "reason",
                    "started_at",
                    "lease_until",
                    "ended_at",
                    number("cost_usd"),
                )
            },
        ),
        ("Reply, verbatim", {"classes": ("collapse",), "fields": (verbatim("reply"),)}),
        ("What it was told", {"classes": ("collapse",), "fields": (json_text("objections"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return super().get_queryset(request).defer("reply", "brief__content")

    @admin.display(ordering="brief__agent__slug")
    def agent(self, attempt: Attempt) -> str:
        return str(attempt.brief.agent)

    def public_path(self, row: Attempt) -> str | None:
        return turn_path(row.brief)
