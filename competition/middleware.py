"""What to answer when the database does not; of the admin, where it is, which policy holds and who changes what."""

import logging
from collections.abc import Callable, Mapping
from typing import cast

from django.conf import settings
from django.db.utils import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.template import loader
from django.views.decorators.csp import csp_override

from competition.services.acting import acting

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 10
PUBLIC_URLS = "config.urls_public"


class DatabaseAway:
    """Turns "the database cannot be reached" into a 503 that says so and when to try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return _away(request, exception) if isinstance(exception, OperationalError | InterfaceError) else None


def _away(request: HttpRequest, outage: Exception) -> HttpResponse:
    logger.error("%s could not be served, the database is away: %s", request.path, str(outage).strip())
    page = loader.render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


class AdminHost:
    """Where ADMIN_HOSTS are named, any other host has addresses without an admin: nothing there gives it away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        domain, _ = split_domain_port(request.META.get("HTTP_HOST", ""))  # one that is not ours is refused further in
        if settings.ADMIN_HOSTS and not validate_host(domain, settings.ADMIN_HOSTS):
            request.urlconf = PUBLIC_URLS
        return self.get_response(request)


class AdminPolicy:
    """Below ADMIN_PATH the policy that Unfold needs, and a window no other site holds; elsewhere the strict policy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.relaxed = csp_override(cast(Mapping[str, list[str]], settings.ADMIN_CSP))(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_admin(request):
            return self.get_response(request)
        response = self.relaxed(request)
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response


class WhoChanges:
    """What is sent to the admin is written under the name of who sent it, for the history of the configuration."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not _is_admin(request):
            return self.get_response(request)
        try:
            if not request.user.is_authenticated:
                return self.get_response(request)
            with acting(request.user.get_username()):
                return self.get_response(request)
        except (OperationalError, InterfaceError) as outage:
            return _away(request, outage)


def _is_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith(f"/{settings.ADMIN_PATH}") and getattr(request, "urlconf", "") != PUBLIC_URLS
