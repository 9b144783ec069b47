"""A page rendered once, compressed once, and answered from memory."""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from wsgiref.types import StartResponse

import brotli  # type: ignore[import-untyped]  # it has no annotations

Headers = list[tuple[str, str]]

# A cache in front may answer for a second by itself, and for a minute more while it asks: a board is at most that old.
CACHE_CONTROL = "public, max-age=0, s-maxage=1, stale-while-revalidate=60"
VARY = "Accept-Encoding, Cookie, HX-Request, HX-Target"
SEASON_HEADER = "X-Season"  # for whoever keeps the page; visitors are not told
_MADE_HERE = {SEASON_HEADER.lower(), "cache-control", "content-encoding", "content-length", "etag", "vary"}
_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=11),
    "gzip": lambda body: gzip.compress(body, compresslevel=9, mtime=0),
    "identity": lambda body: body,
}


@dataclass(frozen=True, slots=True)
class Edition:
    """The page in one encoding, with the whole answer to whoever has it already and to whoever has not."""

    body: bytes
    etag: str
    headers: Headers
    unchanged: Headers


@dataclass(slots=True)
class KeptPage:
    """A page in every encoding. `season` is the slug of the season it is about; `asked` says that somebody saw it."""

    season: str
    editions: Mapping[str, Edition]
    asked: bool = field(default=False)

    def answer(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET or HEAD with this page: 304 when the visitor has it, else 200."""
        self.asked = True
        wanted = encoding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
        edition = self.editions.get(wanted) or self.editions["identity"]
        if edition.etag in environ.get("HTTP_IF_NONE_MATCH", ""):
            start_response("304 Not Modified", edition.unchanged)
            return ()
        start_response("200 OK", edition.headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (edition.body,)


def kept_page(headers: Headers, body: bytes) -> KeptPage:
    """The page that Django answered with these headers and this body, in every encoding."""
    season = next((value for name, value in headers if name == SEASON_HEADER), "")
    others = [(name, value) for name, value in headers if name.lower() not in _MADE_HERE]
    sha256 = hashlib.sha256(body).hexdigest()[:32]
    is_picture = any(name.lower() == "content-type" and value.startswith("image/") for name, value in headers)
    encodings = {"identity": _ENCODINGS["identity"]} if is_picture else _ENCODINGS  # a picture is compressed already
    editions = {name: _edition(name, compress(body), sha256, others) for name, compress in encodings.items()}
    return KeptPage(season, editions)


def _edition(encoding: str, body: bytes, sha256: str, others: Headers) -> Edition:
    etag = f'"{sha256}-{encoding}"'
    common = [("ETag", etag), ("Cache-Control", CACHE_CONTROL), ("Vary", VARY)]
    encoded = [] if encoding == "identity" else [("Content-Encoding", encoding)]
    return Edition(body, etag, [*others, *common, *encoded, ("Content-Length", str(len(body)))], common)


@lru_cache(maxsize=256)
def encoding_for(accepted: str) -> str:
    """The smallest encoding that an Accept-Encoding header allows."""
    weights = dict(map(_weighed, accepted.lower().split(",")))
    for name in ("br", "gzip"):
        if weights.get(name, weights.get("*", 0.0)) > 0:
            return name
    return "identity"


def _weighed(part: str) -> tuple[str, float]:
    name, _, weight = part.partition(";")
    _, _, number = weight.partition("=")
    try:
        return name.strip(), float(number) if weight else 1.0
    except ValueError:
        return name.strip(), 0.0
