"""Orders at the exchange in the admin: every request and its states can be read, and trading can be stopped."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from market.admin_facts import FactAdmin, FactInline, number, related, state
from portfolio.exchange_models import (
    AttemptChange,
    ExchangeTrade,
    Incident,
    OrderAttempt,
    TradingHalt,
    VenueEpoch,
)
from portfolio.found_models import FoundOrder


class ChangeInline(FactInline):
    model = AttemptChange
    fields = ("at", "before", "after", "reason")
    ordering = ("id",)


class TradeInline(FactInline):
    model = ExchangeTrade
    fields = ("at", number("quantity"), number("price"), number("quote_amount"), number("fee"), "fee_asset", "trade_id")


@admin.register(OrderAttempt)
class OrderAttemptAdmin(FactAdmin):
    list_display = (
        "client_order_id",
        related("order__portfolio__key", "portfolio"),
        state("state"),
        "reason",
        "claimed_at",
        "due_at",
        number("deviation_bps"),
    )
    list_filter = ("state", "refusal", "epoch")
    list_select_related = ("order__portfolio",)
    search_fields = ("client_order_id", "order__portfolio__key", "reason")
    date_hierarchy = "claimed_at"
    ordering = ("-id",)
    fields = (
        *(
            "order",
            "number",
            "epoch",
            "client_order_id",
            "claimed_at",
            "payload",
            state("state"),
            "changed_at",
            "reason",
        ),
        *("refusal", "due_at", "not_found_at", "exchange_order_id", number("executed"), number("quote_amount")),
        number("deviation_bps"),
    )
    inlines = (ChangeInline, TradeInline)


@admin.register(FoundOrder)
class FoundOrderAdmin(FactAdmin):
    list_display = (
        "found_at",
        "client_order_id",
        related("portfolio__key", "portfolio"),
        "cycle_number",
        number("executed"),
        "symbol",
        "becomes",
    )
    list_select_related = ("portfolio",)
    search_fields = ("client_order_id", "portfolio__key")
    date_hierarchy = "found_at"
    ordering = ("-id",)
    fields = (
        *("portfolio", "cycle_number", "client_order_id", "symbol", "side", "epoch", "exchange_order_id"),
        *(number("quantity"), number("executed"), number("quote_amount"), "becomes", "found_at"),
    )

    @admin.display(description="becomes", ordering="goes_on")
    def becomes(self, found: FoundOrder) -> str:
        """A tick or a cross would look as if one of the two had failed."""
        return "part of its turn" if found.goes_on else "a correction"


@admin.register(VenueEpoch)
class VenueEpochAdmin(FactAdmin):
    list_display = ("number", "began_at", "reason")
    ordering = ("-number",)
    fields = ("number", "began_at", "reason")


@admin.register(Incident)
class IncidentAdmin(FactAdmin):
    list_display = ("at", "kind", "subject", "sentence")
    list_filter = ("kind",)
    search_fields = ("subject", "sentence")
    date_hierarchy = "at"
    ordering = ("-id",)
    fields = ("at", "kind", "subject", "sentence")


@admin.register(TradingHalt)
class TradingHaltAdmin(FactAdmin):
    """The kill switch: add a row to throw it, and another to take it back. Rows are history and never change."""

    list_display = ("at", "halted", "reason", "who")
    ordering = ("-id",)
    fields = ("halted", "reason")
    change_form_before_template = "admin/desk/_halt.html"

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("portfolio.add_tradinghalt")

    def save_model(self, request: HttpRequest, obj: TradingHalt, form: Any, change: bool) -> None:
        obj.at, obj.who = timezone.now(), request.user.get_username()
        super().save_model(request, obj, form, change)
