"""How the site is found and followed: an Atom feed of cycles, the sitemap, robots.txt and llms.txt."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.sitemaps import Sitemap
from django.contrib.syndication.views import Feed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from competition.core.states import TERMINAL_CYCLES, SeasonState
from competition.models import Cycle, Entry, Season
from competition.pages.text import detail, line
from competition.pages.words import cycle_mark

CYCLES_IN_FEED = 30
TEXT = "text/plain; charset=utf-8"


class Cycles(Feed):  # type: ignore[type-arg]  # generic for mypy only
    """The cycles that ended last, of every season; three queries."""

    feed_type = Atom1Feed
    title = "Open Outcry: cycles"
    subtitle = "AI models manage crypto portfolios in public. Every cycle that has ended, with how it ended."
    link = "/"

    def items(self) -> Sequence[Cycle]:
        ended = Cycle.objects.filter(state__in=[state.value for state in TERMINAL_CYCLES])
        return list(ended.select_related("season").order_by("-closed_at", "-id")[:CYCLES_IN_FEED])

    def item_title(self, item: Any) -> str:
        return f"{line(item.season.name)}, week {item.number}: {cycle_mark(item.state).word.lower()}"

    def item_description(self, item: Any) -> str:
        return detail(item.reason) or "Briefs, replies, verdicts, orders and books of every entry."

    def item_link(self, item: Any) -> str:
        return reverse("cycle", args=[item.season.slug, item.number])

    def item_pubdate(self, item: Any) -> datetime | None:
        closed_at: datetime | None = item.closed_at
        return closed_at

    item_updateddate = item_pubdate


class _Pages(Sitemap):  # type: ignore[type-arg]  # generic for mypy only
    def items(self) -> Sequence[str]:
        return ("home", "seasons", "status", "reliability", "about", "api_docs")

    def location(self, item: Any) -> str:
        return reverse(item)


class _Seasons(Sitemap):  # type: ignore[type-arg]  # generic for mypy only
    def items(self) -> Any:
        return Season.objects.exclude(state=SeasonState.DRAFT.value).order_by("-id")

    def location(self, item: Any) -> str:
        return reverse("season", args=[item.slug])


class _Rules(_Seasons):
    def location(self, item: Any) -> str:
        return reverse("rules", args=[item.slug])


class _Entries(Sitemap):  # type: ignore[type-arg]  # generic for mypy only
    def items(self) -> Any:
        public = Entry.objects.exclude(season__state=SeasonState.DRAFT.value)
        return public.select_related("season").order_by("-id")

    def location(self, item: Any) -> str:
        return reverse("entry", args=[item.season.slug, item.slug])


class _Cycles(Sitemap):  # type: ignore[type-arg]  # generic for mypy only
    def items(self) -> Any:
        return Cycle.objects.select_related("season").order_by("-id")

    def location(self, item: Any) -> str:
        return reverse("cycle", args=[item.season.slug, item.number])

    def lastmod(self, item: Any) -> datetime | None:
        closed_at: datetime | None = item.closed_at
        return closed_at


SITEMAPS = {"pages": _Pages, "seasons": _Seasons, "rules": _Rules, "entries": _Entries, "cycles": _Cycles}


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Everything may be read by everybody, but the admin under its usual path: another one is not told here."""
    lines = ["User-agent: *", "Disallow: /admin/", "", f"Sitemap: {request.build_absolute_uri(reverse('sitemap'))}", ""]
    return HttpResponse("\n".join(lines), content_type=TEXT)


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """What a language model should read of this site, and where it is in words that a program reads."""
    return render(request, "llms.txt", {"root": request.build_absolute_uri("/")[:-1]}, content_type=TEXT)
