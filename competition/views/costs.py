from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.pages.costs import costs_page
from competition.pages.frame import frame_of, season_named
from competition.views.answers import answer


@require_safe
def costs(request: HttpRequest, season_slug: str) -> HttpResponse:
    season = season_named(season_slug)
    page = costs_page(season, timezone.now())
    return answer(request, "costs.html", {"frame": frame_of(season, now=timezone.now()), "page": page})
