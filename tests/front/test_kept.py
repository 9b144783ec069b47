"""A kept page says the same in every encoding, and says nothing twice to whoever has it."""

import gzip
from typing import Any

import brotli
import pytest

from competition.front.kept import Headers, encoding_for, kept_page

BODY = "<p>Zoë leads.</p>".encode() * 50
GIVEN: Headers = [("Content-Type", "text/html"), ("X-Season", "winter"), ("Vary", "Cookie"), ("Content-Length", "1")]


def answered(method: str = "GET", **environ: str) -> tuple[str, dict[str, str], bytes]:
    said: list[Any] = []
    page = kept_page(GIVEN, BODY)
    body = b"".join(page.answer({"REQUEST_METHOD": method, **environ}, lambda *start: said.extend(start)))
    status, headers = said
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names)), names
    return status, dict(headers), body


@pytest.mark.parametrize(
    ("accepted", "encoding", "decoded"),
    [("gzip, br", "br", brotli.decompress), ("gzip", "gzip", gzip.decompress), ("", "", bytes)],
)
def test_the_body_is_the_same_in_every_encoding(accepted: str, encoding: str, decoded: Any) -> None:
    status, headers, body = answered(HTTP_ACCEPT_ENCODING=accepted)
    assert status == "200 OK"
    assert decoded(body) == BODY
    assert headers.get("Content-Encoding", "") == encoding
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Content-Type"] == "text/html"
    assert headers["Vary"] == "Accept-Encoding, Cookie, HX-Request, HX-Target"
    assert headers["Cache-Control"].startswith("public")
    assert "X-Season" not in headers, "bytes that no visitor needs"


def test_whoever_has_the_page_gets_304_and_no_body_and_only_for_the_same_encoding() -> None:
    _, headers, _ = answered(HTTP_ACCEPT_ENCODING="br")
    status, unchanged, body = answered(HTTP_ACCEPT_ENCODING="br", HTTP_IF_NONE_MATCH=f'"x", W/{headers["ETag"]}')
    assert (status, body) == ("304 Not Modified", b"")
    assert unchanged["ETag"] == headers["ETag"]
    assert answered(HTTP_ACCEPT_ENCODING="gzip", HTTP_IF_NONE_MATCH=headers["ETag"])[0] == "200 OK"


def test_head_gets_the_headers_of_get() -> None:
    assert answered("HEAD", HTTP_ACCEPT_ENCODING="br")[1:] == (answered(HTTP_ACCEPT_ENCODING="br")[1], b"")


def test_a_page_knows_its_season_and_whether_anybody_saw_it() -> None:
    page = kept_page(GIVEN, BODY)
    assert (page.season, page.asked) == ("winter", False)
    page.answer({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert page.asked


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br;q=1.0, gzip;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br ; q=0 , gzip;q=0", "identity"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("br;q=many, gzip", "gzip"),
        ("deflate", "identity"),
        ("BR", "br"),
    ],
)
def test_only_what_is_accepted_is_sent(accepted: str, encoding: str) -> None:
    assert encoding_for(accepted) == encoding
