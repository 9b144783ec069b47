from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from competition.pages.cycles import cycle_numbered, cycle_page
from competition.pages.figures import moment
from competition.pages.frame import frame_of, season_named
from competition.pages.history import page_number
from competition.pages.turns import brief_text
from competition.views.answers import answer


@require_safe
def cycle(request: HttpRequest, season_slug: str, number: int) -> HttpResponse:
    page = page_number(request.GET.get("page", ""))
    season = season_named(season_slug)
    found = cycle_numbered(season, number)
    context = {"frame": frame_of(season, moment(found.as_of)), "page": cycle_page(season, found, page)}
    return answer(request, "cycle.html", context, fragments=("progress",))


@require_safe
def brief(request: HttpRequest, season_slug: str, number: int, slug: str) -> HttpResponse:
    """The exact bytes whose SHA-256 is the brief's hash."""
    text = brief_text(season_named(season_slug), number, slug)
    return HttpResponse(text, content_type="application/json; charset=utf-8")
