from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.pages.frame import frame_of, season_named
from competition.pages.rules import rules_page
from competition.views.answers import answer


@require_safe
def rules(request: HttpRequest, season_slug: str) -> HttpResponse:
    season = season_named(season_slug)
    return answer(request, "rules.html", {"frame": frame_of(season, now=timezone.now()), "page": rules_page(season)})
