"""The market in the admin: listed symbols can be edited; what happened can be looked at."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from market.admin_facts import FactAdmin, Remembered, json_text
from market.core.candles import TIMEFRAME_S
from market.core.canonical import plain
from market.models import ListedSymbol, StoredSnapshot
from market.queries import coverage


@admin.register(ListedSymbol)
class ListedSymbolAdmin(Remembered):
    """Candles have no page of their own (the admin takes no composite keys): their coverage is shown here."""

    list_display = ("name", "base", "quote", "step_text", "tick_text", "min_notional_text", "filters_as_of")
    list_filter = ("quote", "filters_as_of")
    search_fields = ("name", "base")
    date_hierarchy = "filters_as_of"
    ordering = ("name",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: ListedSymbol | None = None) -> tuple[str, ...]:
        return ("name", "base", "quote", "stored_candles") if obj else ("stored_candles",)

    def has_delete_permission(self, request: HttpRequest, obj: ListedSymbol | None = None) -> bool:
        return False

    @admin.display(description="step", ordering="step")
    def step_text(self, symbol: ListedSymbol) -> str:
        return plain(symbol.step)

    @admin.display(description="tick", ordering="tick")
    def tick_text(self, symbol: ListedSymbol) -> str:
        return plain(symbol.tick)

    @admin.display(description="minimum notional", ordering="min_notional")
    def min_notional_text(self, symbol: ListedSymbol) -> str:
        return plain(symbol.min_notional)

    @admin.display(description="stored candles")
    def stored_candles(self, symbol: ListedSymbol) -> SafeString | str:
        found = ((timeframe, coverage(symbol.name, timeframe)) for timeframe in TIMEFRAME_S)
        lines = [
            (timeframe, has.candles, f"{has.first_open:%Y-%m-%d %H:%M}", f"{has.last_open:%Y-%m-%d %H:%M}")
            for timeframe, has in found
            if has
        ]
        if not lines:
            return "none; import some with manage.py import_candles"
        return format_html_join("\n", "<div>{}: {}, opened {} to {} UTC</div>", lines)


@admin.register(StoredSnapshot)
class StoredSnapshotAdmin(FactAdmin):
    """What a cycle was decided on."""

    list_display = ("as_of", "source", "sha256")
    list_filter = ("source",)
    search_fields = ("sha256",)
    date_hierarchy = "as_of"
    ordering = ("-as_of",)
    fieldsets = (
        (None, {"fields": ("as_of", "source", "sha256")}),
        ("Content", {"classes": ("collapse",), "fields": (json_text("content"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[StoredSnapshot]:
        return super().get_queryset(request).defer("content")
