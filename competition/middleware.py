"""What to answer when the database does not, and which content security policy the admin has."""

import logging
from collections.abc import Callable, Mapping
from typing import cast

from django.conf import settings
from django.db.utils import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.decorators.csp import csp_override

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 10


class DatabaseAway:
    """Turns "the database cannot be reached" into a 503 that says so and when to try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        logger.error("%s could not be served, the database is away: %s", request.path, str(exception).strip())
        page = loader.render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


class AdminPolicy:
    """Every answer below ADMIN_PATH gets the policy that Unfold needs; all others keep the strict one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.relaxed = csp_override(cast(Mapping[str, list[str]], settings.ADMIN_CSP))(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_admin = request.path_info.startswith(f"/{settings.ADMIN_PATH}")
        return self.relaxed(request) if is_admin else self.get_response(request)
