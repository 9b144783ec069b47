import re

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from competition.models import Season
from competition.pages.board import board_page, clock_part, equity_chart
from competition.pages.columns import wish_of
from competition.pages.frame import Frame, current_season, frame_of, season_named
from competition.pages.progress import as_of, progress_of
from competition.pages.shared_picture import png_of, shared_picture
from competition.views.answers import answer, fragment_of

FRAGMENTS = ("board", "clock")
# Half a kilobyte of the first packets, and a board has nothing in which it would be seen.
INDENTATION = re.compile(rb"\n\s+")
NEXT_ATTRIBUTE = re.compile(rb"\n(?=[a-z-]+=)")


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


@require_safe
def equity(request: HttpRequest, slug: str) -> HttpResponse:
    """The chart's figures as a table: the part that the board asks for, or a page."""
    season = season_named(slug)
    progress = progress_of(season)
    context = {"frame": frame_of(season, as_of(progress)), "chart": equity_chart(season, progress)}
    return _of(season, answer(request, "equity.html", context, fragment=fragment_of(request, ("figures",))))


@require_safe
def equity_json(request: HttpRequest, slug: str) -> HttpResponse:
    """The chart's figures for the script that draws it."""
    season = season_named(slug)
    return _of(season, JsonResponse(dict(equity_chart(season, progress_of(season)).data)))


@require_safe
def picture(request: HttpRequest, slug: str) -> HttpResponse:
    """The board as a picture, for links that somebody shares."""
    season = season_named(slug)
    shown = shared_picture(season, progress_of(season))
    return _of(
        season, HttpResponse(png_of(render_to_string("board.svg", {"picture": shown})), content_type="image/png")
    )


def _board(request: HttpRequest, season: Season) -> HttpResponse:
    wish = wish_of(request.GET)
    fragment = fragment_of(request, FRAGMENTS)
    progress = progress_of(season)
    frame = frame_of(season, as_of(progress))
    page = clock_part(season, progress) if fragment == "clock" else board_page(season, progress, wish)
    context = {"frame": frame, "page": page, "is_part": bool(fragment)}
    response = answer(request, "board.html", context, fragment=fragment)
    response.content = NEXT_ATTRIBUTE.sub(b" ", INDENTATION.sub(b"\n", response.content))
    return _of(season, response)


def _of(season: Season, response: HttpResponse) -> HttpResponse:
    """Said to be about this season, so that whatever keeps the page knows when it changes."""
    response.headers["X-Season"] = season.slug
    return response
