"""How a view answers: the whole page, or the one fragment of the same template that htmx asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from competition.pages.twins import twin_of

THEMES = ("light", "dark")


def answer(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, fragment: str = "", status: int = 200
) -> HttpResponse:
    """Render `template`, or only the named partial `fragment` of it."""
    name = f"{template}#{fragment}" if fragment else template
    twin = twin_of(request.resolver_match) if status == 200 else ""
    shared = {"theme": theme_of(request), "themes": THEMES, "twin": twin, "root": request.build_absolute_uri("/")[:-1]}
    if status == 200:
        shared["canonical"] = request.build_absolute_uri(request.path)
    response = render(request, name, {**shared, **context}, status=status)
    patch_vary_headers(response, ("Cookie", "HX-Request", "HX-Target"))
    return response


def fragment_of(request: HttpRequest, fragments: Sequence[str]) -> str:
    """Which of a page's `fragments` is asked for: the one htmx has as its target, else the first; empty for all of it.

    Going back in history always gets the whole page, as does everyone without htmx.
    """
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    if not htmx or htmx.history_restore_request:
        return ""
    wanted = htmx.target or ""
    return wanted if wanted in fragments else fragments[0]


def theme_of(request: HttpRequest) -> str:
    """`light`, `dark`, or empty to follow the visitor's system."""
    theme = request.COOKIES.get("theme", "")
    return theme if theme in THEMES else ""
