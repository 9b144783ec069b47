"""Whatever goes wrong, the answer is the same envelope with the right status; nothing of the inside is told."""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.db.utils import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled, ValidationError

from competition.api.envelope import Failure, Fault
from competition.middleware import RETRY_AFTER_S
from competition.pages.frame import NotThere

logger = logging.getLogger(__name__)

# status -> (type, title)
KINDS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be read"),
    401: ("no_token", "A token is needed"),
    403: ("not_allowed", "The token may not do this"),
    404: ("not_found", "There is no such thing"),
    405: ("method_not_allowed", "This address does not take this method"),
    409: ("conflict", "It cannot be done now"),
    412: ("changed", "It is not what you think it is any more"),
    413: ("too_large", "The request is too large"),
    422: ("invalid", "Something in the request is not as it must be"),
    429: ("too_many_requests", "Too many requests"),
    500: ("broken", "Something broke here"),
    503: ("away", "The database is away for a moment"),
}
DETAILS: Mapping[int, str] = {
    400: "See /api/v1/docs for what a request looks like.",
    401: "Send a token with this scope as Authorization: Bearer. An operator makes one in the admin.",
    404: "There is nothing at this address. /api/v1/openapi.json names every address there is.",
    405: "The header Allow says which it takes.",
    412: "Ask again without the condition.",
    413: "Send less.",
    422: "See fields for what is wrong where.",
    429: "Wait as long as Retry-After says, in seconds.",
    500: "It was written to the log. Trying again later may help.",
    503: f"Try again in {RETRY_AFTER_S} seconds.",
}


class Refusal(Exception):
    """A request that was understood and is not carried out; `detail` says what to do about it."""

    def __init__(self, status: int, detail: str, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.fields = status, detail, dict(fields or {})


def failure_response(status: int, detail: str = "", fields: Mapping[str, list[str]] | None = None) -> HttpResponse:
    """The answer to what went wrong, never kept by any cache."""
    kind, title = KINDS.get(status, ("refused", HTTPStatus(status).phrase))
    fault = Fault(type=kind, title=title, detail=detail or DETAILS.get(status, title), fields=dict(fields or {}))
    response = HttpResponse(
        Failure(error=fault).model_dump_json(), status=status, content_type="application/json; charset=utf-8"
    )
    response["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER_S)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def answer_faults(api: NinjaAPI) -> None:
    """Let every exception of an operation become its answer."""
    api.add_exception_handler(Http404, _not_there)
    api.add_exception_handler(Refusal, _refused)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(OperationalError, _away)
    api.add_exception_handler(InterfaceError, _away)
    api.add_exception_handler(Exception, _broken)


def _not_there(request: HttpRequest, error: Any) -> HttpResponse:
    return failure_response(404, error.message if isinstance(error, NotThere) else "")


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return failure_response(error.status, error.detail, error.fields)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    return failure_response(422, fields=_by_field(error.errors))


def _by_field(errors: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What is wrong by the name of the field; what is wrong with all of it stands under `request`."""
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for error in errors:
        if error.get("type") != "none_required":  # a parameter that may be left out, said the wrong way
            fields[_name(error["loc"])].append(str(error["msg"]))
    return dict(fields)


def _name(place: Sequence[Any]) -> str:
    """The field that a place of pydantic's is about: parameters are flat, a body may be nested."""
    names = [str(part) for part in place[1:] if part not in ("wish", "body")]
    return ".".join(names if place[0] == "body" else names[:1]) or "request"


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    response = failure_response(error.status_code)
    if isinstance(error, Throttled) and error.wait is not None:
        response["Retry-After"] = str(math.ceil(error.wait))
    return response


def _away(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s could not be answered, the database is away: %s", request.path, str(error).strip())
    return failure_response(503)


def _broken(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s %s broke", request.method, request.path, exc_info=error)
    return failure_response(500)
