"""What happened, in the admin of every app: to be searched, read and followed to its public page, never touched."""

import json
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from market.core.canonical import plain

if TYPE_CHECKING:  # Unfold's classes are Django's with another look, and carry no types
    from django.contrib.admin import ModelAdmin as ModelAdmin
    from django.contrib.admin import TabularInline
else:
    from unfold.admin import ModelAdmin, TabularInline

GOOD = frozenset({"answered", "closed", "done", "filled", "hold", "open", "rebalance", "settled"})
BAD = frozenset(
    {"expired", "failed", "held", "late", "missed", "no_answer", "over_budget", "quarantined", "rejected", "silent"}
)
NOTHING = "–"

Column = Callable[[Any], SafeString | str]


class ViewOnly:
    """Permissions of what nobody adds, changes or deletes by hand; for admins and for their inlines."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PublicPage:
    """Rows that the public can see lead to where. `public_path` may be None."""

    def public_path(self, row: Any) -> str | None:
        return None

    @admin.display(description="public page")
    def public_page(self, row: Any) -> SafeString | str:
        path = self.public_path(row)
        return format_html('<a href="{}">view</a>', path) if path else NOTHING

    def view_on_site(self, row: Any) -> str | None:
        return self.public_path(row)


class FactAdmin(ViewOnly, PublicPage, ModelAdmin):  # type: ignore[type-arg,misc]  # generic for mypy only
    """Lists and pages of facts."""

    fields: ClassVar[Any] = None  # columns may stand among them, which the types of Django do not know
    fieldsets: ClassVar[Any] = None
    actions = None
    show_full_result_count = False  # one more count of a table that only grows


class Remembered(ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Configuration: its history, with what differs, is that of the database, whoever made the change."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseRedirect:
        which = urlencode({"kind__exact": self.opts.verbose_name, "row_id__exact": object_id})
        return HttpResponseRedirect(f"{reverse('admin:competition_configurationchange_changelist')}?{which}")


class FactInline(ViewOnly, TabularInline):  # type: ignore[type-arg]  # generic for mypy only
    """Facts shown on the page of what they belong to."""

    fields: ClassVar[Any] = None
    extra = 0
    show_change_link = True

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.fields


def state(name: str) -> Column:
    """The column of a state: its word, on a colour."""

    def column(row: Any) -> SafeString | str:
        word = getattr(row, name)
        tone = "good" if word in GOOD else "bad" if word in BAD else "neutral"
        return format_html('<span class="state state-{}">{}</span>', tone, word.replace("_", " ")) if word else NOTHING

    return _column(name, column)


def number(name: str) -> Column:
    """The column of a decimal, to the last digit, without the zeros that the database pads it with."""

    def column(row: Any) -> str:
        value = getattr(row, name)
        return NOTHING if value is None else plain(value)

    return _column(name, column)


def money(name: str) -> Column:
    """The column of an amount, rounded for lists; its own page has every digit."""

    def column(row: Any) -> str:
        value = getattr(row, name)
        return NOTHING if value is None else f"{value:,.2f}"

    return _column(name, column)


def related(path: str, description: str) -> Column:
    """The column of a value that a related row has: `entry__slug` is the slug of the entry."""

    def column(row: Any) -> str:
        return str(reduce(getattr, path.split("__"), row))

    column.__name__ = f"{path}_text"
    return admin.display(description=description, ordering=path)(column)


def json_text(name: str) -> Column:
    """A JSON field, laid out to be read, escaped."""

    def column(row: Any) -> SafeString:
        return preformatted(json.dumps(getattr(row, name), indent=2, ensure_ascii=False))

    return _column(name, column)


def act(words: str, address: str, **query: object) -> SafeString:
    """A link that looks like a button and leads to a page that asks before anything happens."""
    return format_html('<a class="act" href="{}">{}</a>', f"{address}?{urlencode(query)}" if query else address, words)


def preformatted(text: str) -> SafeString:
    """Text as it is, escaped, its line breaks kept."""
    return format_html('<pre class="verbatim" tabindex="0">{}</pre>', text)


def _column(name: str, column: Column) -> Column:
    column.__name__ = f"{name}_text"
    return admin.display(description=name.replace("_", " "), ordering=name)(column)
