"""The pages kept in memory: rendered when first asked for, and again whenever something changes them."""

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from competition.front.kept import KeptPage
from competition.front.places import Place

logger = logging.getLogger(__name__)

PLACES_MAX = 512
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the site said to a request for a place: its status, and the page when that was 200."""

    status: int
    page: KeptPage | None


class Shelf:
    """Kept pages by place. Readers take no lock; a page is replaced whole, and while it is made the old one stands."""

    def __init__(self, render: Callable[[Place], Rendered]) -> None:
        self._render = render
        self._pages: dict[Place, KeptPage] = {}
        self._changes = 0
        self._mutex = threading.Lock()
        self._making: dict[Place, threading.Lock] = {}

    def page(self, place: Place) -> KeptPage | None:
        """The page of a place, made now if it is not kept; None when the site has no page to keep there."""
        return self._pages.get(place) or self._make(place)

    def renew(self, seasons: Collection[str] | None) -> bool:
        """Make the pages of these seasons (None: all) again that somebody saw, and forget the others.

        False when one could not be made because the site is in trouble: it stays as it was, and this wants repeating.
        """
        with self._mutex:
            self._changes += 1
            concerned = [(at, page) for at, page in self._pages.items() if seasons is None or page.season in seasons]
            for place, page in concerned:
                if not page.asked:
                    del self._pages[place]
        done = [self._renewed(place) for place, page in concerned if page.asked]
        return all(done)

    def _renewed(self, place: Place) -> bool:
        rendered = self._rendered(place)
        with self._mutex:
            if rendered.page:
                self._pages[place] = rendered.page
            elif rendered.status < 500:
                self._pages.pop(place, None)
        return rendered.status < 500

    def _make(self, place: Place) -> KeptPage | None:
        with self._mutex:
            making = self._making.setdefault(place, threading.Lock())
        try:
            with making:  # one makes it, the others wait for that one's
                return self._pages.get(place) or self._made(place)
        finally:
            with self._mutex:
                self._making.pop(place, None)

    def _made(self, place: Place) -> KeptPage | None:
        """A page that nothing has changed while it was made is kept; one that was overtaken is only shown."""
        page: KeptPage | None = None
        for _ in range(_TRIES):
            seen, page = self._changes, self._rendered(place).page
            if page is None:
                return None
            with self._mutex:
                if seen == self._changes:
                    while len(self._pages) >= PLACES_MAX:
                        del self._pages[next(iter(self._pages))]
                    self._pages[place] = page
                    return page
        return page

    def _rendered(self, place: Place) -> Rendered:
        try:
            return self._render(place)
        except Exception:  # whatever it was, it is in the log, and the page that stands still stands
            logger.exception("%s could not be rendered", place.path)
            return Rendered(500, None)
