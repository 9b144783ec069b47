"""Seasons on a database of their own, served as in production by one process."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

from tests.browser.web import web
from tests.databases import connected_to, database
from tests.live.servers import free_port
from tests.pages.asked import Asked, asked_season
from tests.pages.seasons import running_season


@dataclass(frozen=True)
class Site:
    """Where the site answers, the database behind it, and the path of one page of every kind, by what the page is."""

    address: str
    database: str
    pages: dict[str, str]

    def of(self, kind: str) -> str:
        return self.address + self.pages[kind]

    def in_its_database[T](self, work: Callable[[], T]) -> T:
        """What `work` comes to there."""
        return in_database(self.database, work)


def in_database[T](name: str, work: Callable[[], T]) -> T:
    """What `work` comes to there. In a thread: the browser's event loop runs in this one, and Django minds."""

    def run() -> T:
        with connected_to(name):
            return work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


@contextmanager
def served(template: str, name: str, fill: Callable[[], dict[str, str]]) -> Iterator[Site]:
    """The site over a copy of this database, in which `fill` has made something; it returns the site's pages."""
    name = f"{name}_{os.getpid()}"
    with database(name, template=template):
        pages = in_database(name, fill)
        environ = environ_of(name)
        port = free_port()
        with web(port, environ):
            yield Site(f"http://127.0.0.1:{port}", name, pages)


def two_seasons() -> dict[str, str]:
    """A season that is over and one that has just opened."""
    asked = asked_season("asked", weeks=4, entries=6)
    running_season()
    return pages_of(asked)


def pages_of(asked: Asked) -> dict[str, str]:
    season = f"/s/{asked.played.slug}"
    return {
        "board": f"{season}/",
        "board of a season that has just opened": "/",
        "entry": f"{season}/e/vandal/",
        "entry of a firm": f"{season}/e/council/",
        "cycle": f"{season}/c/1/",
        "turn": f"{season}/c/1/e/vandal/",
        "call": f"/calls/{asked.calls[1].id}/",
        "firm": f"{season}/e/council/firm/{asked.firm_week}/",
        "market": f"{season}/m/BTCUSDT/",
        "compare": f"{season}/compare/?e=vandal&e=btc-hold",
        "compare, nobody chosen": f"{season}/compare/",
        "costs": f"{season}/costs/",
        "rules": f"{season}/rules/",
        "backtests": "/backtests/",
        "backtest form": "/backtests/new/",
        "seasons": "/seasons/",
        "status": "/status/",
        "reliability": "/reliability/",
        "about": "/about/",
        "API docs": "/api/v1/docs",
        "not found": "/s/nope/",
    }


def environ_of(name: str) -> dict[str, str]:
    """The environment of a process that works on this database of this session's server."""
    given = connection.get_connection_params()
    keys = ("host", "port", "user", "password")
    url = "postgresql://?" + "&".join(f"{key}={given[key]}" for key in keys if given.get(key)) + f"&dbname={name}"
    return {**os.environ, "DATABASE_URL": url, "ALLOWED_HOSTS": "127.0.0.1"}
