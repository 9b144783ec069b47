"""The ledger in the admin: what was owned, ordered, executed and posted can be looked at."""

from django.contrib import admin

from market.admin_facts import FactAdmin, FactInline, json_text, money, number, related, state
from market.core.canonical import plain
from portfolio import exchange_admin  # noqa: F401 - registers them
from portfolio.exchange_models import Reconciliation
from portfolio.models import Fill, Journal, Order, Portfolio, Posting, Valuation
from portfolio.queries import book_of


def entry_path(portfolio: Portfolio) -> str:
    """The public page of whoever owns this portfolio: its key is season and entry."""
    season, _, entry = portfolio.key.partition("/")
    return f"/s/{season}/e/{entry}/"


def cycle_path(portfolio: Portfolio, number: int) -> str | None:
    """The public page of a cycle in which the portfolio took part; number 0 is the start, which has none."""
    return f"/s/{portfolio.key.partition('/')[0]}/c/{number}/" if number else None


class FillInline(FactInline):
    model = Fill
    fields = ("at", number("quantity"), number("price"), number("quote_amount"), number("fee"), "fee_asset", "trade_id")


class PostingInline(FactInline):
    model = Posting
    fields = ("position", "account", number("amount"), "asset")
    ordering = ("position",)


@admin.register(Portfolio)
class PortfolioAdmin(FactAdmin):
    list_display = ("key", "quote", "public_page")
    list_filter = ("quote",)
    search_fields = ("key",)
    ordering = ("key",)
    fields = ("key", "quote", "book")

    @admin.display(description="book now")
    def book(self, portfolio: Portfolio) -> str:
        held = book_of(portfolio.id).balances
        return ", ".join(f"{plain(held[asset])} {asset}" for asset in sorted(held)) or "empty"

    def public_path(self, row: Portfolio) -> str:
        return entry_path(row)


@admin.register(Journal)
class JournalAdmin(FactAdmin):
    list_display = ("portfolio", "sequence", "kind", "reason", "at", "public_page")
    list_filter = ("kind",)
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__key", "key", "reason", "hash")
    date_hierarchy = "at"
    ordering = ("-at", "portfolio", "-sequence")
    fields = ("portfolio", "sequence", "kind", "key", "at", "reason", "hash")
    inlines = (PostingInline,)

    def public_path(self, row: Journal) -> str:
        return entry_path(row.portfolio)


@admin.register(Posting)
class PostingAdmin(FactAdmin):
    list_display = (
        "portfolio",
        "account",
        number("amount"),
        "asset",
        related("journal__key", "journal"),
        "public_page",
    )
    list_filter = ("account", "asset")
    list_select_related = ("portfolio", "journal")
    search_fields = ("portfolio__key", "journal__key")
    date_hierarchy = "journal__at"
    ordering = ("-journal__at", "journal", "position")
    fields = ("journal", "portfolio", "position", "account", number("amount"), "asset")

    def public_path(self, row: Posting) -> str:
        return entry_path(row.portfolio)


@admin.register(Order)
class OrderAdmin(FactAdmin):
    """An order carries no time of its own, so there is no date hierarchy: its fills have one."""

    list_display = (
        "client_order_id",
        "portfolio",
        "cycle_number",
        "side",
        "symbol",
        number("quantity"),
        number("reference_price"),
        state("state"),
        "public_page",
    )
    list_filter = ("state", "side", "symbol")
    list_select_related = ("portfolio",)
    search_fields = ("client_order_id", "portfolio__key", "symbol")
    ordering = ("-cycle_number", "portfolio", "client_order_id")
    fields = (
        "client_order_id",
        "portfolio",
        "cycle_number",
        "side",
        "symbol",
        number("quantity"),
        number("reference_price"),
        state("state"),
        "reason",
    )
    inlines = (FillInline,)

    def public_path(self, row: Order) -> str | None:
        return cycle_path(row.portfolio, row.cycle_number)


@admin.register(Fill)
class FillAdmin(FactAdmin):
    list_display = (
        "at",
        related("order__client_order_id", "order"),
        number("quantity"),
        "symbol",
        number("price"),
        number("fee"),
        "fee_asset",
        "venue",
        "public_page",
    )
    list_filter = ("venue", "symbol", "fee_asset")
    list_select_related = ("order__portfolio",)
    search_fields = ("trade_id", "order__client_order_id", "order__portfolio__key")
    date_hierarchy = "at"
    ordering = ("-at", "order")
    fields = (
        "order",
        "venue",
        "trade_id",
        "at",
        "symbol",
        number("quantity"),
        number("price"),
        number("quote_amount"),
        number("fee"),
        "fee_asset",
    )

    def public_path(self, row: Fill) -> str | None:
        return cycle_path(row.order.portfolio, row.order.cycle_number)


@admin.register(Valuation)
class ValuationAdmin(FactAdmin):
    list_display = ("at", "portfolio", "cycle_number", money("value"), "public_page")
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__key",)
    date_hierarchy = "at"
    ordering = ("-at", "portfolio")
    fields = ("portfolio", "cycle_number", "at", number("value"))

    def public_path(self, row: Valuation) -> str | None:
        return cycle_path(row.portfolio, row.cycle_number)


@admin.register(Reconciliation)
class ReconciliationAdmin(FactAdmin):
    list_display = ("at", "epoch", "orders", "under_way", "findings_count", "is_wipe", "trouble")
    list_filter = ("is_wipe", "epoch")
    date_hierarchy = "at"
    ordering = ("-id",)
    fields = (
        *("at", "epoch", "seconds", "requests", "orders", "under_way", "is_wipe", "trouble"),
        *(json_text("findings"), json_text("lines")),
    )

    def public_path(self, row: Reconciliation) -> str:
        return "/status/"
