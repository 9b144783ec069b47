"""What the shelf keeps, for how long, and what it does when the site is in trouble."""

import threading
from collections.abc import Callable

from competition.front.kept import KeptPage, kept_page
from competition.front.places import Place
from competition.front.shelf import PLACES_MAX, Rendered, Shelf

HOME = Place("http", "localhost", "/")


class Site:
    """Counts its pages; what it says can be set."""

    def __init__(self) -> None:
        self.made: list[Place] = []
        self.status, self.season = 200, "winter"
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, place: Place) -> Rendered:
        self.made.append(place)
        self.meanwhile()
        page = kept_page([("X-Season", self.season)], f"version {len(self.made)}".encode())
        return Rendered(self.status, page if self.status == 200 else None)


def text(page: KeptPage | None) -> str:
    assert page
    page.asked = True
    return page.editions["identity"].body.decode()


def test_a_page_is_made_once_however_often_it_is_asked_for() -> None:
    site = Site()
    shelf = Shelf(site)
    assert [text(shelf.page(HOME)) for _ in range(3)] == ["version 1"] * 3


def test_many_who_come_at_once_wait_for_one_page() -> None:
    site, come = Site(), threading.Barrier(8)
    shelf, seen = Shelf(site), []

    def ask() -> None:
        come.wait(10)
        seen.append(text(shelf.page(HOME)))

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(10)
    assert seen == ["version 1"] * 8


def test_a_change_renews_the_pages_of_its_season_and_no_others() -> None:
    site = Site()
    shelf = Shelf(site)
    text(shelf.page(HOME))
    assert shelf.renew({"summer"})
    assert text(shelf.page(HOME)) == "version 1"
    assert shelf.renew({"winter"})
    assert text(shelf.page(HOME)) == "version 2"
    assert shelf.renew(None)
    assert text(shelf.page(HOME)) == "version 3"
    assert len(site.made) == 3


def test_a_page_nobody_saw_since_the_last_change_is_not_made_again() -> None:
    site = Site()
    shelf = Shelf(site)
    text(shelf.page(HOME))
    shelf.renew(None)
    shelf.renew(None)
    assert len(site.made) == 2
    assert text(shelf.page(HOME)) == "version 3"


def test_a_page_that_was_overtaken_by_a_change_is_not_kept() -> None:
    site = Site()
    shelf = Shelf(site)
    site.meanwhile = lambda: shelf.renew({"winter"}) if len(site.made) < 2 else None
    assert text(shelf.page(HOME)) == "version 2"
    site.meanwhile = lambda: shelf.renew({"summer"})  # at every time, so that no page is ever known to be new
    other = Place("http", "localhost", "/s/winter/")
    assert text(shelf.page(other)) == "version 5"
    assert text(shelf.page(other)) == "version 8"


def test_while_the_site_is_in_trouble_the_old_page_stands() -> None:
    site = Site()
    shelf = Shelf(site)
    text(shelf.page(HOME))
    site.status = 503
    assert not shelf.renew({"winter"})
    assert text(shelf.page(HOME)) == "version 1"
    site.status = 200
    assert shelf.renew(None)
    assert text(shelf.page(HOME)) == "version 3"


def test_a_site_that_breaks_is_a_site_in_trouble() -> None:
    site = Site()
    shelf = Shelf(site)
    text(shelf.page(HOME))
    site.meanwhile = lambda: 1 / 0
    assert not shelf.renew(None)
    assert text(shelf.page(HOME)) == "version 1"
    assert shelf.page(Place("http", "localhost", "/s/other/")) is None


def test_a_page_that_is_no_more_is_forgotten() -> None:
    site = Site()
    shelf = Shelf(site)
    text(shelf.page(HOME))
    site.status = 404
    assert shelf.renew(None)
    assert shelf.page(HOME) is None


def test_there_is_an_end_to_what_is_kept() -> None:
    site = Site()
    shelf = Shelf(site)
    places = [Place("http", "localhost", f"/s/{number}/") for number in range(PLACES_MAX + 1)]
    for place in places:
        shelf.page(place)
    shelf.page(places[-1])
    assert len(site.made) == PLACES_MAX + 1
    shelf.page(places[0])
    assert len(site.made) == PLACES_MAX + 2
