from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.pages.calls import call_numbered, call_page, call_text, season_slug_of
from competition.pages.firm import firm_page
from competition.pages.frame import frame_of, season_named
from competition.views.answers import answer


@require_safe
def call(request: HttpRequest, call_id: int) -> HttpResponse:
    found = call_numbered(call_id)
    season = season_named(season_slug_of(found))
    return answer(request, "call.html", {"frame": frame_of(season, now=timezone.now()), "page": call_page(found)})


@require_safe
def call_json(request: HttpRequest, call_id: int) -> HttpResponse:
    """The call with nothing cut and nothing written out."""
    found = call_numbered(call_id)
    season_named(season_slug_of(found))
    return HttpResponse(call_text(found), content_type="application/json; charset=utf-8")


@require_safe
def firm(request: HttpRequest, season_slug: str, slug: str, number: int) -> HttpResponse:
    season = season_named(season_slug)
    page = firm_page(season, slug, number, request.GET.get("attempt", ""))
    return answer(request, "firm.html", {"frame": frame_of(season, now=timezone.now()), "page": page})
