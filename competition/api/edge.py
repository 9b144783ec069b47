"""The outermost layer of the API: HEAD and OPTIONS, CORS, and an envelope around whatever others refused."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from competition.api.faults import failure_response

PREFIX = "/api/"
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Retry-After"}
_PREFLIGHT = {
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
            return _preflight(self.get_response(request))
        response = _enveloped(_head(request, self.get_response))
        if request.method in ("GET", "HEAD"):
            for name, value in _CORS.items():
                response[name] = value
        return response


def _preflight(refused: HttpResponseBase) -> HttpResponseBase:
    """What may be done at this address, which says so by refusing OPTIONS."""
    if refused.status_code != 405:
        return _enveloped(refused)
    return HttpResponse(status=204, headers={**_CORS, **_PREFLIGHT, "Allow": f"{_allowed(refused)}, OPTIONS"})


def _allowed(response: HttpResponseBase) -> str:
    methods = set(response["Allow"].split(", "))
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _head(request: HttpRequest, get_response: Callable[[HttpRequest], HttpResponseBase]) -> HttpResponseBase:
    """HEAD is answered as GET is, without the content."""
    if request.method != "HEAD":
        return get_response(request)
    request.method = "GET"
    response = get_response(request)
    request.method = "HEAD"
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = ()
    elif isinstance(response, HttpResponse):
        length = len(response.content)
        response.content = b""
        response["Content-Length"] = str(length)
    return response


def _enveloped(response: HttpResponseBase) -> HttpResponseBase:
    """The response itself, unless somebody refused the request in words that no program reads."""
    if response.status_code < 400 or response.get("Content-Type", "").startswith(_JSON):
        return response
    said = failure_response(response.status_code)
    if "Allow" in response:
        said["Allow"] = _allowed(response)
    if "Retry-After" in response:
        said["Retry-After"] = response["Retry-After"]
    return said
