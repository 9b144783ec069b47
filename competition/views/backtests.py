"""Backtests as pages: the list, one while it runs and when it is done, a decision of it, some side by side, files."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from competition.core.states import BacktestState, UndeclaredTransition
from competition.pages.backtest_agent import agent_part, decision_page, run_named
from competition.pages.backtest_exports import TABLES, csv_chunks, json_chunks
from competition.pages.backtest_sheet import backtest_named, head_of, runs_of, sheet_of, veil_of
from competition.pages.backtests import BacktestWishes, ChoosePage, compare_page, list_page
from competition.pages.frame import Link, NotThere, archive_frame
from competition.pages.history import page_number
from competition.services.backtests import cancel as cancel_backtest
from competition.views.answers import answer, fragment_of
from competition.views.visitors import visitor_of


@require_safe
def backtests(request: HttpRequest) -> HttpResponse:
    wish, page = BacktestWishes.of(request.GET), page_number(request.GET.get("page", ""))
    context = {"frame": archive_frame(), "page": list_page(wish, page, timezone.now())}
    return answer(request, "backtests.html", context, fragment=fragment_of(request, ("list",)))


@require_safe
def backtest(request: HttpRequest, key: str) -> HttpResponse:
    """How far it is, or what came out. Who polls the first is told to load the page when it is time for the second."""
    trades, decisions = (page_number(request.GET.get(name, "")) for name in ("trades", "decisions"))
    found, now = backtest_named(key), timezone.now()
    fragment = fragment_of(request, ("progress", "agent"))
    context: dict[str, Any] = {"head": head_of(found, now), "may_end": visitor_of(request).may_end(found)}
    if found.state == BacktestState.DONE and fragment != "progress":
        run = run_named(found, request.GET.get("agent", ""))
        context["part"] = agent_part(found, run, trades_page=trades, decisions_page=decisions)
        if fragment != "agent":
            context["sheet"] = sheet_of(found, runs_of(found), now)
            context["veil"] = veil_of(found, now)
    if not fragment:
        context["frame"] = archive_frame()
    response = answer(request, "backtest.html", context, fragment=fragment)
    if fragment == "progress" and not context["head"].is_under_way:
        response.headers["HX-Refresh"] = "true"
    response.headers["Cache-Control"] = "no-store" if context["head"].is_under_way else "private, max-age=0"
    return response


@require_safe
def decision(request: HttpRequest, key: str, agent: str, number: int) -> HttpResponse:
    found = backtest_named(key)
    page = decision_page(found, run_named(found, agent), number)
    context = {"frame": archive_frame(), "head": head_of(found, timezone.now()), "page": page}
    return answer(request, "backtest_decision.html", context)


@require_POST
def cancel(request: HttpRequest, key: str) -> HttpResponse:
    """End it, if it is theirs who ask, and go back to it. One that is over already stays as it is."""
    found = backtest_named(key)
    address = reverse("backtest", args=[key])
    if not visitor_of(request).may_end(found):
        context = {
            "frame": archive_frame(),
            "message": "Only whoever asked for a backtest, and staff, may cancel it.",
            "links": [Link(address, "The backtest")],
        }
        return answer(request, "404.html", context, status=403)
    with suppress(UndeclaredTransition):  # it ended while they were reading: its page says how
        cancel_backtest(key, timezone.now())
    return HttpResponseRedirect(address)


@require_safe
def compared(request: HttpRequest) -> HttpResponse:
    page = compare_page(request.GET.getlist("b"), timezone.now())
    template = "backtests_chosen.html" if isinstance(page, ChoosePage) else "backtests_compared.html"
    return answer(request, template, {"frame": archive_frame(), "page": page})


@require_safe
def json_file(request: HttpRequest, key: str) -> StreamingHttpResponse:
    return _file(json_chunks(backtest_named(key), timezone.now()), "application/json", f"backtest-{key}.json")


@require_safe
def csv_file(request: HttpRequest, key: str, table: str) -> StreamingHttpResponse:
    if table not in TABLES:
        links = [Link(reverse("backtest_csv", args=[key, name]), f"{name}.csv") for name in TABLES]
        raise NotThere("There is no such table.", links)
    return _file(csv_chunks(backtest_named(key), table), "text/csv; charset=utf-8", f"backtest-{key}-{table}.csv")


def _file(chunks: Iterator[str], content_type: str, name: str) -> StreamingHttpResponse:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(chunks, content_type=content_type, headers=disposition)
