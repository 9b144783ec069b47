from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.models import Cycle, Season
from competition.pages.cycles import cycle_head, cycle_numbered, cycle_page
from competition.pages.figures import moment
from competition.pages.frame import Frame, frame_of, season_named
from competition.pages.history import page_number
from competition.pages.turns import brief_text, turn_page
from competition.views.answers import answer, fragment_of


@require_safe
def cycle(request: HttpRequest, season_slug: str, number: int) -> HttpResponse:
    number_of_page = page_number(request.GET.get("page", ""))
    season = season_named(season_slug)
    found = cycle_numbered(season, number)
    fragment = fragment_of(request, ("progress",))
    page = cycle_head(season, found) if fragment else cycle_page(season, found, number_of_page)
    frame = _frame(season, found)
    return answer(request, "cycle.html", {"frame": frame, "page": page}, fragment=fragment)


@require_safe
def turn(request: HttpRequest, season_slug: str, number: int, slug: str) -> HttpResponse:
    """What one entry was shown, said and did: a page of its own, or the part that opens in the page of the cycle."""
    season = season_named(season_slug)
    found = cycle_numbered(season, number)
    fragment = fragment_of(request, ("evidence",))
    context: dict[str, Any] = {"page": turn_page(found, slug)}
    if fragment:
        context["season"] = season.slug
    else:
        context["frame"] = _frame(season, found)
    return answer(request, "turn.html", context, fragment=fragment)


@require_safe
def brief(request: HttpRequest, season_slug: str, number: int, slug: str) -> HttpResponse:
    """The exact bytes whose SHA-256 is the brief's hash."""
    text = brief_text(season_named(season_slug), number, slug)
    return HttpResponse(text, content_type="application/json; charset=utf-8")


def _frame(season: Season, cycle: Cycle) -> Frame:
    return frame_of(season, moment(cycle.trade_as_of) if cycle.trade_as_of else None, now=timezone.now())
