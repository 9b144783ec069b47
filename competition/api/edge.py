"""The outermost layer of the API: HEAD and OPTIONS, CORS, and an envelope around whatever others refused."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from competition.api.faults import failure_response

PREFIX = "/api/"
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Retry-After"}
_PREFLIGHT = {
    "Allow": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
}
_JSON = "application/json"


class ApiEdge:
    """Reads may come from any site in any browser. Writes may not: a preflight never allows a token."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(PREFIX):
            return self.get_response(request)
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={**_CORS, **_PREFLIGHT})
        response = _enveloped(_head(request, self.get_response))
        if request.method in ("GET", "HEAD"):
            for name, value in _CORS.items():
                response[name] = value
        return response


def _head(request: HttpRequest, get_response: Callable[[HttpRequest], HttpResponseBase]) -> HttpResponseBase:
    """HEAD is answered as GET is, without the content."""
    if request.method != "HEAD":
        return get_response(request)
    request.method = "GET"
    response = get_response(request)
    request.method = "HEAD"
    if isinstance(response, HttpResponse):
        length = len(response.content)
        response.content = b""
        response["Content-Length"] = str(length)
    return response


def _enveloped(response: HttpResponseBase) -> HttpResponseBase:
    """The response itself, unless somebody refused the request in words that no program reads."""
    if response.status_code < 400 or response.get("Content-Type", "").startswith(_JSON):
        return response
    said = failure_response(response.status_code)
    for name in ("Allow", "Retry-After"):
        if name in response:
            said[name] = ", ".join(sorted(response[name].split(", ")))
    return said
