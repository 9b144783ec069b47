from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from competition.pages.frame import frame_of, season_named
from competition.pages.history import page_number
from competition.pages.market import MarketWish, market_page
from competition.pages.progress import as_of, progress_of
from competition.views.answers import answer, fragment_of


@require_safe
def market(request: HttpRequest, season_slug: str, symbol: str) -> HttpResponse:
    query = request.GET
    wish = MarketWish(query.get("every", "") or "1d", query.get("entry", ""), page_number(query.get("trades", "")))
    season = season_named(season_slug)
    progress = progress_of(season)
    page = market_page(season, symbol, progress, wish)
    context = {"frame": frame_of(season, as_of(progress), now=timezone.now()), "page": page}
    return answer(request, "market.html", context, fragment=fragment_of(request, ("trades",)))
