"""How the admin looks and what its side bar leads to, for Unfold. The words are ours, the widgets theirs."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: bool(request.user.has_perm(f"{app}.view_{model}"))


def _list(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    """A line of the side bar that leads to a list, for whoever may see it."""
    link = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": _may_view(app, model)}


def _group(title: str, *items: dict[str, Any], closed: bool = True) -> dict[str, Any]:
    return {"title": title, "collapsible": closed, "items": list(items)}


NAVIGATION = [
    _group(
        "",
        {"title": "Dashboard", "icon": "monitoring", "link": reverse_lazy("admin:index")},
        closed=False,
    ),
    _group(
        "The game",
        _list("Seasons", "calendar_month", "competition", "season"),
        _list("Agents", "smart_toy", "agents", "agent"),
        _list("Entries", "group", "competition", "entry"),
        _list("Pauses", "pause_circle", "competition", "entrypause"),
        _list("Errands", "task_alt", "competition", "errand"),
        _list("Backtests", "science", "competition", "backtest"),
        closed=False,
    ),
    _group(
        "Configuration",
        _list("Prices of models", "payments", "agents", "price"),
        _list("Training cutoffs", "school", "agents", "trainingcutoff"),
        _list("Symbols", "currency_bitcoin", "market", "listedsymbol"),
        _list("API tokens", "key", "competition", "apitoken"),
        _list("Schedules", "schedule", "django_celery_beat", "periodictask"),
        _list("Changes", "manage_history", "competition", "configurationchange"),
        _list("Users", "person", "auth", "user"),
        _list("Failed logins", "gpp_bad", "axes", "accessattempt"),
        _list("Groups", "groups", "auth", "group"),
        closed=False,
    ),
    _group(
        "What happened",
        _list("Cycles", "event_repeat", "competition", "cycle"),
        _list("Turns", "swap_horiz", "competition", "turn"),
        _list("Standings", "leaderboard", "competition", "standing"),
        _list("Briefs", "description", "agents", "brief"),
        _list("Attempts", "forum", "agents", "attempt"),
        _list("Calls", "call", "agents", "call"),
        _list("Budgets", "savings", "agents", "budget"),
        _list("Reservations", "lock_clock", "agents", "reservation"),
        _list("Snapshots", "photo_camera", "market", "storedsnapshot"),
        _list("Reliability runs", "bug_report", "competition", "reliabilityrun"),
        _list("Heartbeats", "favorite", "competition", "heartbeat"),
    ),
    _group(
        "Ledger",
        _list("Portfolios", "account_balance_wallet", "portfolio", "portfolio"),
        _list("Journals", "menu_book", "portfolio", "journal"),
        _list("Postings", "receipt_long", "portfolio", "posting"),
        _list("Orders", "shopping_cart", "portfolio", "order"),
        _list("Fills", "done_all", "portfolio", "fill"),
        _list("Valuations", "show_chart", "portfolio", "valuation"),
    ),
    _group(
        "Exchange",
        _list("Kill switch", "front_hand", "portfolio", "tradinghalt"),
        _list("Order attempts", "outgoing_mail", "portfolio", "orderattempt"),
        _list("Incidents", "report", "portfolio", "incident"),
        _list("Reconciliations", "balance", "portfolio", "reconciliation"),
        _list("Epochs", "history", "portfolio", "venueepoch"),
    ),
]

# The paper, ink and marigold of the public pages. White text on 600 and 700 keeps a contrast above 5.
COLORS = {
    "base": {
        "50": "#fbfaf5",
        "100": "#f3f1e8",
        "200": "#e4e0d5",
        "300": "#cfcbbf",
        "400": "#a8a9a5",
        "500": "#6a6c72",
        "600": "#4e5056",
        "700": "#3a3d44",
        "800": "#2c3037",
        "900": "#1b1e24",
        "950": "#131519",
    },
    "primary": {
        "50": "#fff8e1",
        "100": "#ffefb8",
        "200": "#ffe083",
        "300": "#fdd04d",
        "400": "#f8c424",
        "500": "#e0a800",
        "600": "#855d00",
        "700": "#6d4c00",
        "800": "#553b00",
        "900": "#3b2900",
        "950": "#241900",
    },
}

UNFOLD = {
    "SITE_TITLE": "Open Outcry",
    "SITE_HEADER": "Open Outcry",
    "SITE_SUBHEADER": "for those who run it",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("icon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icon.svg")}],
    "BORDER_RADIUS": "2px",
    "COLORS": COLORS,
    "STYLES": [lambda request: static("market/admin.css")],
    "DASHBOARD_CALLBACK": "competition.admin_dashboard.dashboard",
    "SIDEBAR": {"navigation": NAVIGATION},
}
