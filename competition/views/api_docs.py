"""The page about the API: examples that work as they stand, limits, versions, and every operation."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from competition.pages.frame import archive_frame
from competition.views.answers import answer


@dataclass(frozen=True, slots=True)
class Example:
    what: str
    command: str


def examples(root: str) -> tuple[Example, ...]:
    """Commands to copy, against the site they stand on."""
    v1 = f"{root}/api/v1"
    body = '{"agents": ["equal-weight"], "symbols": ["BTCUSDT"], "first": "2024-01-01", "last": "2024-03-01"}'
    return (
        Example("Who leads?", f"curl {v1}/leaderboard"),
        Example("What was an entry worth, cycle by cycle?", f"curl {v1}/entries/btc-hold/equity"),
        Example("What did everybody say and do in the first cycle?", f"curl {v1}/cycles/1"),
        Example("What does an entry hold now?", f"curl '{v1}/portfolio/positions?entry=btc-hold'"),
        Example(
            "Ask for a backtest, with a token",
            f'curl {v1}/backtest/run -H "Authorization: Bearer $TOKEN" '
            f"-H 'Content-Type: application/json' -d '{body}'",
        ),
    )


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    context = {
        "frame": archive_frame(),
        "examples": examples(request.build_absolute_uri("/")[:-1]),
        "reads": settings.API_READS_PER_MINUTE,
        "writes": settings.API_WRITES_PER_MINUTE,
    }
    return answer(request, "api_docs.html", context)
