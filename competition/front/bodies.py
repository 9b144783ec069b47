"""Whoever sends a request slowly keeps nobody else from the site.

The server hands a request over when its head is there, and reading the rest holds one of a few threads, for as long as
the sender likes. Without this, as many senders that stop within their bodies as there are threads would keep everybody
from every page. So only some threads may read at a time, before the site is asked; other requests with a body are told
to come back. A body that nobody would want is not read at all. How long a sender may take is for the proxy to say:
granian has no limit for it, and cannot answer one whose body is still being read.
"""

import io
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from competition.api.faults import failure_response

READERS = 2  # of four threads: the others go on answering
PATIENCE_S = 0.1  # for a seat: bodies that came with their heads take far less
BYTES_MAX = 2_621_440  # what Django takes of a form
API = "/api/"
SAID = {
    HTTPStatus.BAD_REQUEST: "The request ended before all that it announced had come. Send it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"A request may have {BYTES_MAX:,} bytes. Send less.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Others are being listened to. Send it again in a few seconds.",
}


class Bodies:
    """A WSGI application around the site, which gets only requests that have come whole."""

    def __init__(self, site: WSGIApplication, *, readers: int = READERS, patience_s: float = PATIENCE_S) -> None:
        self._site = site
        self._patience_s = patience_s
        self._seats = threading.BoundedSemaphore(readers)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        length = _length(environ)
        if length == 0:
            return self._site(environ, start_response)
        refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length > BYTES_MAX else self._read(environ, length)
        if refusal:
            return _refuse(refusal, environ, start_response)
        return self._site(environ, start_response)

    def _read(self, environ: dict[str, Any], length: int) -> HTTPStatus | None:
        """Put the whole body where the site reads it, or say why it is refused."""
        if not self._seats.acquire(timeout=self._patience_s):
            return HTTPStatus.SERVICE_UNAVAILABLE
        try:
            body = environ["wsgi.input"].read(length)
        except OSError:  # the line broke
            return HTTPStatus.BAD_REQUEST
        finally:
            self._seats.release()
        if len(body) < length:
            return HTTPStatus.BAD_REQUEST
        environ["wsgi.input"] = io.BytesIO(body)
        return None


def _length(environ: dict[str, Any]) -> int:
    """How many bytes were announced; without a number nothing is read by the site either."""
    told = environ.get("CONTENT_LENGTH") or ""
    return int(told[:20]) if told.isascii() and told.isdigit() else 0


def _refuse(status: HTTPStatus, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    line, said = f"{status.value} {status.phrase}", SAID[status]
    if environ.get("PATH_INFO", "").startswith(API):
        answer = failure_response(status.value, said)
        start_response(line, list(answer.items()))
        return [answer.content]
    start_response(line, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
    return [f"{said}\n".encode()]
