"""The thin layer before Django: a board that is kept is answered without a query, a middleware or a template."""

import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from competition.front.changes import Changes
from competition.front.kept import Headers, kept_page
from competition.front.places import Place, place_of
from competition.front.shelf import Rendered, Shelf


class Front:
    """A WSGI application around the site. It listens for changes from the first request on, which is after any fork."""

    def __init__(self, site: WSGIApplication, hosts: Collection[str], *, behind_proxy: bool) -> None:
        self._site = site
        self._hosts = tuple(hosts)
        self._behind_proxy = behind_proxy
        self._starting = threading.Lock()
        self.changes: Changes | None = None
        self.shelf = Shelf(self._render)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        place = place_of(environ, self._hosts, behind_proxy=self._behind_proxy)
        if place is not None:
            if self.changes is None:
                self._start()
            page = self.shelf.page(place)
            if page is not None:
                return page.answer(environ, start_response)
        return self._site(environ, start_response)

    def _start(self) -> None:
        with self._starting:
            if self.changes is None:
                changes = Changes(self.shelf.renew)
                changes.start()
                self.changes = changes

    def _render(self, place: Place) -> Rendered:
        """What the site answers there; only a plain page that sets no cookie is fit to be kept."""
        status, headers, written = "", Headers(), list[bytes]()

        def start(said: str, given: Headers, *_: object) -> Callable[[bytes], object]:
            nonlocal status, headers
            status, headers = said, given
            return written.append

        answer = self._site(place.environ(), start)
        try:
            body = b"".join((*written, *answer))
        finally:
            if close := getattr(answer, "close", None):
                close()
        code = int(status.split()[0])
        is_fit = code == 200 and not any(name.lower() == "set-cookie" for name, _ in headers)
        return Rendered(code, kept_page(headers, body) if is_fit else None)
