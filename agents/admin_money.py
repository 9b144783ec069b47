"""Money in the admin: prices are added and never changed, budgets and calls are looked at.

What a model or its provider wrote is not shown here but on the call's public page, under the strict policy.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from agents.models import Budget, Call, KeptReply, Price, Reservation, TrainingCutoff
from agents.prices import PriceRefused, Quote, check_model, check_quote, check_valid_from
from market.admin_facts import NOTHING, FactAdmin, FactInline, Remembered, json_text, number, related, state
from market.core.canonical import plain


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    class Meta:
        model = Price
        fields: ClassVar = (
            *("model", "valid_from", "prompt_usd", "completion_usd", "cached_usd"),
            *("supports_schema", "source"),
        )
        help_texts: ClassVar = {
            "valid_from": "UTC. From then on it counts; calls made before keep the price they were charged by.",
            "prompt_usd": "USD per million tokens",
            "completion_usd": "USD per million tokens; reasoning is charged by it too",
            "cached_usd": "USD per million prompt tokens that are read from a cache; the prompt's price if unsure",
        }

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        _checked(check_model, model)
        return model

    def clean_valid_from(self) -> datetime:
        valid_from: datetime = self.cleaned_data["valid_from"]
        _checked(check_valid_from, valid_from)
        return valid_from

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not {"prompt_usd", "completion_usd", "cached_usd"} <= cleaned.keys():
            return cleaned  # what is wrong with them stands beside them
        _checked(check_quote, Quote(cleaned["prompt_usd"], cleaned["completion_usd"], cleaned["cached_usd"]))
        return cleaned


def _checked[T](check: Callable[[T], None], stated: T) -> None:
    try:
        check(stated)
    except PriceRefused as refused:
        raise forms.ValidationError(str(refused)) from None


@admin.register(Price)
class PriceAdmin(Remembered, FactAdmin):  # type: ignore[misc]  # as in FactAdmin
    """A new price is a new row: what a call was charged by stays readable for ever."""

    form = PriceForm
    list_display = (
        *("model", "valid_from", number("prompt_usd"), number("completion_usd"), number("cached_usd")),
        *("supports_schema", "source"),
    )
    list_filter = ("supports_schema", "valid_from")
    search_fields = ("model", "source")
    date_hierarchy = "valid_from"
    ordering = ("model", "-valid_from")

    def get_fieldsets(self, request: HttpRequest, obj: Price | None = None) -> Any:
        told = "" if obj else "A new price is a new row; rows are neither changed nor deleted."
        return ((None, {"description": told, "fields": PriceForm.Meta.fields}),)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        given = {"valid_from": timezone.now(), "source": f"operator {request.user.get_username()}"}
        return {**given, **super().get_changeform_initial_data(request)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)


@admin.register(Budget)
class BudgetAdmin(FactAdmin):
    list_display = ("scope", "tokens", "usd", number("usd_reserved"))
    search_fields = ("scope",)
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "description": "Caps come from the settings (DAILY_TOKEN_BUDGET, USD_PER_…_MAX) with every attempt "
                "that is made; they never fall below what is used.",
                "fields": (
                    *("scope", number("tokens_cap"), number("tokens_spent"), number("tokens_reserved")),
                    *(number("usd_cap"), number("usd_spent"), number("usd_reserved")),
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        used = {
            "tokens_used": F("tokens_reserved") + F("tokens_spent"),
            "usd_used": F("usd_reserved") + F("usd_spent"),
        }
        budgets: QuerySet[Budget] = super().get_queryset(request).annotate(**used)
        return budgets

    @admin.display(description="tokens used of cap", ordering="tokens_used")
    def tokens(self, row: Budget) -> str:
        cap = NOTHING if row.tokens_cap is None else f"{row.tokens_cap:,}"
        return f"{row.tokens_reserved + row.tokens_spent:,} / {cap}"

    @admin.display(description="USD used of cap", ordering="usd_used")
    def usd(self, row: Budget) -> str:
        cap = NOTHING if row.usd_cap is None else plain(row.usd_cap)
        return f"{plain(row.usd_reserved + row.usd_spent)} / {cap}"


@admin.register(Reservation)
class ReservationAdmin(FactAdmin):
    list_display = (
        *("made_at", "attempt", "tokens", number("usd")),
        *("settled_at", "tokens_charged", number("usd_charged")),
    )
    list_filter = (("settled_at", admin.EmptyFieldListFilter),)
    list_select_related = ("attempt",)
    search_fields = ("attempt__brief__agent__slug",)
    date_hierarchy = "made_at"
    ordering = ("-made_at", "-id")
    fieldsets = (
        (None, {"fields": ("attempt", "made_at", "tokens", number("usd"), json_text("scopes"))}),
        ("Settled", {"fields": ("settled_at", "tokens_charged", number("usd_charged"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return super().get_queryset(request).defer("attempt__reply", "attempt__deliberation", "attempt__objections")


TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")


class CallInline(FactInline):
    model = Call
    fields = (
        *("position", "number", "prompt_tokens", "completion_tokens"),
        *(number("usd"), "latency_ms", state("error_class")),
    )
    ordering = ("position",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        return super().get_queryset(request).defer("messages", "reply", "usage_raw", "parameters")


@admin.register(Call)
class CallAdmin(FactAdmin):
    """Numbers, classes and hashes of a call; even the name of the model that answered is a text of its runner."""

    list_display = (
        *("started_at", related("attempt__brief__agent", "agent"), "number"),
        *("prompt_tokens", "completion_tokens", number("usd"), state("charge"), "latency_ms", state("error_class")),
        "public_page",
    )
    list_filter = ("error_class", "charge")
    list_select_related = ("attempt__brief__agent",)
    search_fields = (
        *("requested_model", "returned_model", "provider_request_id", "request_sha256", "reply_sha256"),
        "attempt__brief__agent__slug",
    )
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-id")
    fieldsets = (
        (None, {"fields": ("attempt", "position", "number", "public_page")}),
        ("Cost", {"fields": (*TOKENS, "charge", "tokens_charged", number("usd"), "price")}),
        (
            "Course",
            {"fields": ("started_at", "latency_ms", state("error_class"), "status", "request_sha256", "reply_sha256")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        large = ("messages", "reply", "usage_raw", "parameters", "attempt__reply", "attempt__deliberation")
        return super().get_queryset(request).defer(*large, "attempt__brief__content", "attempt__brief__holdings")

    def public_path(self, row: Call) -> str:
        return f"/calls/{row.pk}/"


class CutoffForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    class Meta:
        model = TrainingCutoff
        fields: ClassVar = ("model", "cutoff", "source")


@admin.register(TrainingCutoff)
class TrainingCutoffAdmin(Remembered, FactAdmin):  # type: ignore[misc]  # as in FactAdmin
    """What is learnt of a model's training is a new row; the newest counts, also for backtests that are shown again."""

    form = CutoffForm
    list_display = ("model", "cutoff", "source", "stated_at")
    search_fields = ("model", "source")
    ordering = ("model", "-stated_at")

    def get_fieldsets(self, request: HttpRequest, obj: TrainingCutoff | None = None) -> Any:
        told = "" if obj else "Leave the day empty where it is unknown. Rows are neither changed nor deleted."
        return ((None, {"description": told, "fields": CutoffForm.Meta.fields}),)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"source": f"operator {request.user.get_username()}", **super().get_changeform_initial_data(request)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def save_model(self, request: HttpRequest, obj: TrainingCutoff, form: Any, change: bool) -> None:
        obj.stated_at = timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(KeptReply)
class KeptReplyAdmin(FactAdmin):
    list_display = ("question_sha256", "attempt")
    list_select_related = ("attempt",)
    search_fields = ("question_sha256",)
    ordering = ("-id",)
