"""The same content for programs: the address of a page's JSON twin."""

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import ResolverMatch

V1 = "/api/v1"

# by the name of the page's address: what its parts make of the twin's
_TWINS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "home": lambda part: f"{V1}/leaderboard",
    "season": lambda part: f"{V1}/leaderboard?season={part['slug']}",
    "entry": lambda part: f"{V1}/entries/{part['slug']}?season={part['season_slug']}",
    "cycle": lambda part: f"{V1}/cycles/{part['number']}?season={part['season_slug']}",
    "turn": lambda part: f"{V1}/cycles/{part['number']}?season={part['season_slug']}&entry={part['slug']}",
    "firm": lambda part: f"{V1}/cycles/{part['number']}?season={part['season_slug']}&entry={part['slug']}",
    "costs": lambda part: f"{V1}/analysis/logs?season={part['season_slug']}",
    "rules": lambda part: f"{V1}/seasons/{part['season_slug']}",
    "call": lambda part: f"/calls/{part['call_id']}/call.json",
    "backtest": lambda part: f"{V1}/backtest/runs/{part['key']}",
    "seasons": lambda part: f"{V1}/seasons",
    "status": lambda part: f"{V1}/status",
    "reliability": lambda part: f"{V1}/reliability",
}


def twin_of(match: ResolverMatch | None) -> str:
    """The address of the JSON twin of the page at this match; empty for a page without one."""
    twin = _TWINS.get(match.url_name or "") if match else None
    return twin(match.kwargs) if twin and match else ""
