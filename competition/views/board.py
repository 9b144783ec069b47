from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from competition.models import Season
from competition.pages.board import board_page, clock_part
from competition.pages.columns import wish_of
from competition.pages.frame import Frame, current_season, frame_of, season_named
from competition.pages.progress import as_of, progress_of
from competition.views.answers import answer, fragment_of

FRAGMENTS = ("board", "clock")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The board of the season that matters now; before the first season, what to do."""
    season = current_season()
    if season is None:
        return answer(request, "empty.html", {"frame": Frame()})
    return _board(request, season)


@require_safe
def season(request: HttpRequest, slug: str) -> HttpResponse:
    return _board(request, season_named(slug))


def _board(request: HttpRequest, season: Season) -> HttpResponse:
    wish = wish_of(request.GET)
    fragment = fragment_of(request, FRAGMENTS)
    progress = progress_of(season)
    frame = frame_of(season, as_of(progress))
    page = clock_part(season, progress) if fragment == "clock" else board_page(season, progress, wish)
    response = answer(request, "board.html", {"frame": frame, "page": page}, fragment=fragment)
    response.headers["X-Season"] = season.slug
    return response
