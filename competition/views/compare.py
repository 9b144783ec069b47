from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.pages.compare import compare_page
from competition.pages.frame import frame_of, season_named
from competition.pages.progress import as_of, progress_of
from competition.views.answers import answer


@require_safe
def compare(request: HttpRequest, season_slug: str) -> HttpResponse:
    season = season_named(season_slug)
    progress = progress_of(season)
    page = compare_page(season, request.GET.getlist("e"), progress)
    return answer(
        request, "compare.html", {"frame": frame_of(season, as_of(progress), now=timezone.now()), "page": page}
    )
