"""Which public page a request is for, whoever asks: the only thing of a request that a kept page may depend on."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from sys import stderr
from typing import Any
from urllib.parse import parse_qsl

from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host

from competition.pages.columns import PARAMETERS
from competition.views.answers import THEMES
from competition.views.board import FRAGMENTS

_BOARDS = re.compile(r"/|/s/[-\w]{1,40}/(equity/|equity\.json|board\.png)?", re.ASCII)
_QUERY_BYTES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """A board as one kind of visitor gets it. `fragment` is the part of it that htmx asks for, empty for the page."""

    scheme: str
    host: str
    path: str
    theme: str = ""
    fragment: str = ""

    def environ(self) -> dict[str, Any]:
        """A request for this page that nobody made: nothing of any visitor is in it."""
        domain, port = split_domain_port(self.host)
        fragment = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": self.fragment} if self.fragment else {}
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": domain,
            "SERVER_PORT": port or ("443" if self.scheme == "https" else "80"),
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": self.host,
            "HTTP_X_FORWARDED_PROTO": self.scheme,
            "HTTP_COOKIE": f"theme={self.theme}" if self.theme else "",
            **fragment,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": BytesIO(),
            "wsgi.errors": stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }


def place_of(environ: Mapping[str, Any], hosts: Collection[str], *, behind_proxy: bool) -> Place | None:
    """The board a request is for; None when it is for anything else, or for a board sorted or filtered.

    Parameters that no board has are passed over, so that they can neither miss the kept page nor change it. `hosts` are
    those the site answers to: any other is Django's to refuse.
    """
    path = environ.get("PATH_INFO", "")
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD") or not _BOARDS.fullmatch(path):
        return None
    host, query = environ.get("HTTP_HOST", ""), environ.get("QUERY_STRING", "")
    if (query and _is_wish(query)) or not _is_ours(host, tuple(hosts)):
        return None
    fragment = ""
    if "HTTP_HX_REQUEST" in environ:
        fragment = environ.get("HTTP_HX_TARGET", "")
        if fragment not in FRAGMENTS or environ.get("HTTP_HX_HISTORY_RESTORE_REQUEST"):
            return None
    scheme = environ.get("wsgi.url_scheme", "http")
    if behind_proxy:
        scheme = "https" if environ.get("HTTP_X_FORWARDED_PROTO") == "https" else "http"
    return Place(scheme, host.lower(), path, _theme_in(environ.get("HTTP_COOKIE", "")), fragment)


def _is_wish(query: str) -> bool:
    """Whether a query names something that boards know; one that is too long to look at is Django's."""
    if len(query) > _QUERY_BYTES_MAX:
        return True
    return any(name in PARAMETERS for name, _ in parse_qsl(query, keep_blank_values=True))


@lru_cache(maxsize=256)
def _is_ours(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether this very host is listed: under a pattern anybody could name hosts without end."""
    domain, _ = split_domain_port(host)
    exact = [name for name in hosts if name != "*" and not name.startswith(".")]
    return bool(domain) and validate_host(domain, exact)


def _theme_in(cookies: str) -> str:
    if "theme" not in cookies:
        return ""
    theme = parse_cookie(cookies).get("theme", "")
    return theme if theme in THEMES else ""
