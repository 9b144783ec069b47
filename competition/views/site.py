"""Pages that are about no season in particular, and the theme switch."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from competition.pages.about import vendored
from competition.pages.frame import archive_frame
from competition.pages.history import page_number
from competition.pages.reliability import reliability_page
from competition.pages.seasons import archive_page
from competition.pages.stale import newest_beat, stale_since
from competition.pages.status import status_page
from competition.views.answers import THEMES, answer, fragment_of

YEAR_S = 365 * 86_400


@require_safe
def seasons(request: HttpRequest) -> HttpResponse:
    page = archive_page(page_number(request.GET.get("page", "")))
    return answer(request, "seasons.html", {"frame": archive_frame(), "page": page})


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    fragment = fragment_of(request, ("status", "stale"))
    if fragment == "stale":  # asked for by every page of an open season: one query
        return answer(request, "parts/_stale.html", {"stale": stale_since(timezone.now(), newest_beat())})
    context = {"frame": archive_frame(), "page": status_page(timezone.now())}
    return answer(request, "status.html", context, fragment=fragment)


@require_safe
def reliability(request: HttpRequest) -> HttpResponse:
    return answer(request, "reliability.html", {"frame": archive_frame(), "page": reliability_page(timezone.now())})


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    return answer(request, "about.html", {"frame": archive_frame(), "vendored": vendored()})


@csrf_exempt  # it changes a colour; a token in every page would make every page private to one visitor
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark in a cookie, forget it for anything else, and go back to where the form was."""
    response = HttpResponseRedirect(_way_back(request))
    choice = request.POST.get("theme", "")
    if choice in THEMES:
        response.set_cookie("theme", choice, max_age=YEAR_S, httponly=True, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


def _way_back(request: HttpRequest) -> str:
    """The page of ours that the form was on, else the home page: never an address on another host."""
    for address in (request.headers.get("Referer", ""), request.GET.get("next", "")):
        if url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
            return address
    return "/"
