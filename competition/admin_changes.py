"""Who changed what of the configuration, in the admin, to be read. Each page of configuration leads to its own."""

import json
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from competition.changes import ConfigurationChange
from competition.core.differences import Difference
from market.admin_facts import NOTHING, FactAdmin
from market.core.canonical import plain

SHOWN_IN_A_LIST = 3
WORDS = {"insert": "added", "update": "changed", "delete": "taken away"}


@admin.register(ConfigurationChange)
class ConfigurationChangeAdmin(FactAdmin):
    list_display = ("at", "who", "through", "kind", "name", "done", "summary")
    list_filter = ("kind",)
    search_fields = ("who", "name", "through")
    date_hierarchy = "at"
    ordering = ("-id",)
    fields = ("at", "who", "through", "kind", "name", "done", "difference")

    @admin.display(description="what was done", ordering="act")
    def done(self, change: ConfigurationChange) -> str:
        return WORDS[change.act]

    @admin.display(description="what differs")
    def summary(self, change: ConfigurationChange) -> str:
        found = change.differences
        more = f" and {len(found) - SHOWN_IN_A_LIST} more" if len(found) > SHOWN_IN_A_LIST else ""
        return ", ".join(one.path for one in found[:SHOWN_IN_A_LIST]) + more

    @admin.display(description="what differs")
    def difference(self, change: ConfigurationChange) -> SafeString:
        rows = format_html_join("", "<tr><th>{}</th><td>{}</td><td>{}</td></tr>", map(_cells, change.differences))
        head = "<thead><tr><th>what</th><th>before</th><th>after</th></tr></thead>"
        return format_html('<table class="differences">{}<tbody>{}</tbody></table>', SafeString(head), rows)


def _cells(one: Difference) -> tuple[str, str, str]:
    return one.path, _told(one.old), _told(one.new)


def _told(value: Any) -> str:
    """A value as somebody reads it, to its last digit."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, Decimal):
        return plain(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=plain)
