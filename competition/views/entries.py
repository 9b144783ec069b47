from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.pages.entries import entry_page
from competition.pages.frame import frame_of, season_named
from competition.pages.history import page_number
from competition.pages.progress import as_of, progress_of
from competition.views.answers import answer, fragment_of


@require_safe
def entry(request: HttpRequest, season_slug: str, slug: str) -> HttpResponse:
    decisions, trades = (page_number(request.GET.get(name, "")) for name in ("decisions", "trades"))
    season = season_named(season_slug)
    progress = progress_of(season)
    page = entry_page(season, slug, progress, decisions_page=decisions, trades_page=trades)
    context = {"frame": frame_of(season, as_of(progress), now=timezone.now()), "page": page}
    return answer(request, "entry.html", context, fragment=fragment_of(request, ("decisions", "trades")))
